"""Rows that stay beside new ones, in hours that have lost landed files and gained others.

Belongs here: what the flattening of the new files must know of them, and the hour's figures over both. Which
files are new is decided in ledger.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from blotout_orchestration.events.batches import HourFiles, kept_filter
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS
from blotout_orchestration.events.deduplication import EVENT_KEYS, FIGURED, KEPT_KEYS, figures
from blotout_orchestration.events.kernel import connect
from blotout_orchestration.lake import Lake


@dataclass(frozen=True)
class KeptRows:
    """`keys`: the events that stay (`EVENT_KEYS`), None when none do; `figures`: per hour as event_hours has them."""

    keys: pa.Table | None = None
    figures: dict[datetime, dict[str, Any]] = field(default_factory=dict)


def kept_rows(lake: Lake, batch: list[HourFiles]) -> KeptRows:
    """What stays of the batch's hours when it is committed."""
    where = kept_filter(batch)
    if where is None:
        return KeptRows()
    core = lake.read(CORE_EVENTS, where, tuple(dict.fromkeys((*EVENT_KEYS, *FIGURED))))
    bad = lake.read(BAD_EVENTS, where, ("arrival_hour",))
    connection = connect()
    counts = figures(connection, core, bad)
    connection.close()
    # Once each: a run that was killed may have left an event twice, which must not count new ones twice.
    once = core.group_by(list(EVENT_KEYS[:2]), use_threads=False).aggregate([("content_hash", "first")])
    return KeptRows(once.rename_columns(list(EVENT_KEYS)), counts)


def together(new: dict[str, Any], kept: dict[str, Any] | None) -> dict[str, Any]:
    """The figures of an hour's new and kept rows as one."""
    if kept is None:
        return new
    result: dict[str, Any] = {
        name: new.get(name, 0) + kept[name] for name in kept if name.startswith("events_")
    }
    result["unknown_keys"] = sorted({*new.get("unknown_keys", []), *kept["unknown_keys"]})[:KEPT_KEYS]
    for name, choose in (("first_event_datetime", min), ("last_event_datetime", max)):
        times = [side[name] for side in (new, kept) if side.get(name) is not None]
        result[name] = choose(times) if times else None
    return result
