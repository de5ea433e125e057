"""What a person at the command line sees of a run: its own messages, without the event log around them.

Belongs here: the logger that `blotout run` configures. The UI keeps Dagster's own logs.
"""

import logging
import sys

from dagster import InitLoggerContext, LoggerDefinition

PROGRESS_LOGGER = "progress"


class _MessagesOnly(logging.Filter):
    """Lets through what the platform itself says, not the events that Dagster logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        meta = getattr(record, "dagster_meta", None) or {}
        return meta.get("dagster_event") is None


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", None) or {}
        step = meta.get("step_key") or ""
        return f"  {step}: {meta.get('orig_message') or record.getMessage()}"


def _make(context: InitLoggerContext) -> logging.Logger:
    made = logging.Logger(PROGRESS_LOGGER, logging.INFO)
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_MessagesOnly())
    handler.setFormatter(_Plain())
    made.addHandler(handler)
    return made


def progress_logger() -> LoggerDefinition:
    """The logger, to be configured by name in a run."""
    return LoggerDefinition(_make, description="Messages of the steps, one plain line each.")
