"""What one tick of a registry's sensor does: partitions to add and to remove, runs to request.

Belongs here: pure decisions. Does not belong here: Dagster (sensors.py) and due times (timing.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from blotout_orchestration.platform.registry.store import Contents
from blotout_orchestration.platform.registry.timing import Timed, due_keys

ADDED_AT_ONCE: Final = 500
"""Partitions that one tick adds at most; tens of thousands in one statement fail on SQLite."""


@dataclass(frozen=True)
class Tick:
    """The outcome: keys to add and to remove, keys to run with the time they are due for, words, the cursor."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    runs: Mapping[str, datetime]
    notes: tuple[str, ...]
    cursor: str

    @property
    def reason(self) -> str:
        """The notes as one sentence for people."""
        return "; ".join(self.notes) or "nothing is due"


def plan_tick(
    now: datetime,
    contents: Contents[Any],
    *,
    partitions: Collection[str],
    running: Collection[str],
    cursor: str | None,
    slots: int,
) -> Tick:
    """Decide a tick.

    A partition is removed only when the registry says that its name was removed, and while it has no run: a
    registry that is suddenly empty or another one removes nothing. At most `slots` runs are requested.
    """
    last_runs = read_cursor(cursor)
    known = {*contents.live, *contents.broken}
    remove = sorted((set(partitions) & contents.removed) - set(running))
    unknown = sorted(set(partitions) - known - contents.removed)
    definitions: dict[str, Timed] = {
        name: definition for name, definition in contents.live.items() if name not in running
    }
    due = due_keys(now, definitions, last_runs)
    missing = sorted(set(contents.live) - set(partitions))
    # A key that waits for its partition can run in the same tick only if this tick adds it.
    add = missing[:ADDED_AT_ONCE]
    usable = {*partitions, *add}
    runs = dict([item for item in due.items() if item[0] in usable][: max(slots, 0)])
    kept = {name: moment for name, moment in {**last_runs, **runs}.items() if name in known}
    notes = _notes(contents, unknown, len(due) - len(runs))
    return Tick(tuple(add), tuple(remove), runs, tuple(notes), write_cursor(kept))


def _notes(contents: Contents[Any], unknown: list[str], waiting: int) -> list[str]:
    notes = []
    if unknown:
        empty = not (contents.live or contents.broken or contents.removed)
        what = "the registry is empty" if empty else "the registry has never known some of them"
        notes.append(f"{len(unknown)} partition(s) are not removed: {what} ({_few(unknown)})")
    if waiting:
        notes.append(f"{waiting} due key(s) wait for a free place (PIPELINE_RUNS_AT_ONCE)")
    notes += [f"{name} cannot be run: {reason}" for name, reason in contents.broken.items()]
    return notes


def _few(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def read_cursor(cursor: str | None) -> dict[str, datetime]:
    """The due time of each key's newest run. A cursor that somebody has overwritten counts as none."""
    try:
        found = json.loads(cursor or "{}")
        return {str(name): datetime.fromisoformat(text) for name, text in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def write_cursor(last_runs: Mapping[str, datetime]) -> str:
    """The cursor that `read_cursor` reads."""
    return json.dumps({name: moment.isoformat() for name, moment in sorted(last_runs.items())})
