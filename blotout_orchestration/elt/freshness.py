"""Which pipelines have not been loaded when they should have been.

Belongs here: the judgement, as a pure function of times, and its table. The check that asks is in checks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from blotout_orchestration.platform.registry import Pipeline
from blotout_orchestration.platform.registry.timing import latest_due

GRACE = timedelta(hours=1)
"""How long a load may take, and its run wait for its turn, before the pipeline counts as late."""


@dataclass(frozen=True)
class Freshness:
    """One pipeline: when it was loaded last, and the time by whose load it should have been (None: never)."""

    pipeline: str
    loaded_at: datetime | None
    due_at: datetime | None

    @property
    def is_late(self) -> bool:
        """Whether the run that was due has not ended well."""
        return self.due_at is not None and (self.loaded_at is None or self.loaded_at < self.due_at)


def freshness(
    now: datetime, pipelines: Mapping[str, Pipeline], loaded: Mapping[str, datetime]
) -> list[Freshness]:
    """Each pipeline's freshness, the late ones first. Paused and manual pipelines are never late."""
    found = []
    for name, pipeline in pipelines.items():
        due = None if pipeline.paused else latest_due(now - GRACE, pipeline.timing, pipeline.created_at)
        found.append(Freshness(name, loaded.get(name), due))
    return sorted(found, key=lambda one: (not one.is_late, one.pipeline))


def freshness_table(rows: list[Freshness]) -> str:
    """As a Markdown table."""
    lines = ["| pipeline | loaded | was due | |", "|---|---|---|---|"]
    for one in rows:
        loaded = one.loaded_at.strftime("%Y-%m-%d %H:%M") if one.loaded_at else "never"
        due = one.due_at.strftime("%Y-%m-%d %H:%M") if one.due_at else "-"
        lines.append(f"| `{one.pipeline}` | {loaded} | {due} | {'late' if one.is_late else ''} |")
    return "\n".join(lines)
