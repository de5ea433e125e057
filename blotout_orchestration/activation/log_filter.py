"""Keeping addresses with secrets and personal data in them out of the logs of HTTP libraries.

Belongs here: the filter and the libraries it is put on. Does not belong here: our own messages.
"""

from __future__ import annotations

import logging
import re

_QUERY = re.compile(r"\?[^\s\"']*")
_LIBRARIES = ("httpcore", "httpx", "requests", "urllib3", "urllib3.connectionpool", "urllib3.util.retry")


class WithoutQueries(logging.Filter):
    """Cuts every query off the addresses of a record: Meta's token and payload lie there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: the record stays, without its queries."""
        message = record.getMessage()
        if "?" in message:
            record.msg, record.args = _QUERY.sub("?...", message), None
        return True


_FILTER = WithoutQueries()


def hide_queries() -> None:
    """Put the filter on the loggers of the HTTP libraries; again is the same as once."""
    for name in _LIBRARIES:
        logging.getLogger(name).addFilter(_FILTER)
