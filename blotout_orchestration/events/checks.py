"""Asset checks of the click stream: nothing lost, few refused, and the clock goes on.

Belongs here: what must hold of core_events in production. Tests of the same rules are in tests/events.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.compute as pc
from dagster import AssetCheckResult, AssetChecksDefinition, AssetCheckSeverity, asset_check
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThanOrEqual

from blotout_orchestration.events.batches import hours_filter
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.lake import Lake

MAXIMUM_BAD_SHARE = 0.05
MAXIMUM_SILENCE = timedelta(hours=3)


def events_checks(lake: Lake) -> list[AssetChecksDefinition]:
    """The checks of `core_events`."""

    @asset_check(
        asset=CORE_EVENTS.name,
        name="input_is_accounted_for",
        blocking=True,
        description="In every hour: input = good + bad + duplicates, and good = rows of core_events.",
    )
    def input_is_accounted_for() -> AssetCheckResult:
        wrong = unaccounted_hours(lake)
        return AssetCheckResult(
            passed=not wrong, metadata={"hours_wrong": len(wrong), "first_wrong": wrong[0] if wrong else ""}
        )

    @asset_check(
        asset=CORE_EVENTS.name,
        name="few_events_are_bad",
        description=f"At most {MAXIMUM_BAD_SHARE:.0%} of the newest day's input is refused.",
    )
    def few_events_are_bad() -> AssetCheckResult:
        share = newest_bad_share(lake)
        return AssetCheckResult(
            passed=share <= MAXIMUM_BAD_SHARE,
            severity=AssetCheckSeverity.WARN,
            metadata={"bad_share": round(share, 5)},
        )

    @asset_check(
        asset=CORE_EVENTS.name,
        name="newest_event_is_recent",
        description=f"The newest event is not older than {MAXIMUM_SILENCE}; partition freshness cannot see that.",
    )
    def newest_event_is_recent() -> AssetCheckResult:
        newest = newest_event(lake)
        age = datetime.now(UTC) - newest if newest else None
        return AssetCheckResult(
            passed=age is not None and age <= MAXIMUM_SILENCE,
            severity=AssetCheckSeverity.WARN,
            metadata={
                "newest_event_datetime": newest.isoformat() if newest else "none",
                "age_hours": round(age.total_seconds() / 3600, 1) if age else -1.0,
            },
        )

    return [input_is_accounted_for, few_events_are_bad, newest_event_is_recent]


def unaccounted_hours(lake: Lake) -> list[str]:
    """Hours whose counts do not add up, ISO format, oldest first.

    Sums are checked for every hour, rows of core_events for the hours of the newest run: older ones were
    checked after theirs, and the cost must not grow with history.
    """
    ledger = lake.read(EVENT_HOURS).to_pylist()
    newest_run = max(ledger, key=lambda row: row["processed_at"], default={"run_id": None})["run_id"]
    newest = [row["arrival_hour"] for row in ledger if row["run_id"] == newest_run]
    present: dict[datetime, int] = {}
    if newest:
        window = And(
            GreaterThanOrEqual(term="arrival_hour", value=min(newest).isoformat()),
            LessThanOrEqual(term="arrival_hour", value=max(newest).isoformat()),
        )
        rows = lake.read(CORE_EVENTS, window, columns=("arrival_hour",))
        counted = rows.group_by("arrival_hour").aggregate([([], "count_all")]).to_pylist()
        present = {row["arrival_hour"]: row["count_all"] for row in counted}
    return sorted(
        row["arrival_hour"].isoformat()
        for row in ledger
        if row["events_in"] != row["events_good"] + row["events_bad"] + row["events_duplicate"]
        or (row["run_id"] == newest_run and row["events_good"] != present.get(row["arrival_hour"], 0))
    )


def newest_bad_share(lake: Lake) -> float:
    """Share of refused input over the 24 newest processed hours."""
    newest = sorted(lake.read(EVENT_HOURS).to_pylist(), key=lambda row: row["arrival_hour"])[-24:]
    total = sum(row["events_in"] for row in newest)
    return sum(row["events_bad"] for row in newest) / total if total else 0.0


def newest_event(lake: Lake) -> datetime | None:
    """The newest event time of all hours; None without any event.

    An hour holds the newest time alone, which a clock that is ahead may have made. A time after the hour's
    end is replaced by the newest one within it, read from core_events for the few hours that could win.
    """
    rows = [row for row in lake.read(EVENT_HOURS).to_pylist() if row["last_event_datetime"] is not None]
    newest: datetime | None = None
    for row in sorted(rows, key=_latest_possible, reverse=True):
        if newest is not None and _latest_possible(row) <= newest:
            break
        time = (
            row["last_event_datetime"]
            if row["last_event_datetime"] <= _end(row)
            else _newest_until(lake, row)
        )
        newest = max(filter(None, (newest, time)), default=None)
    return newest


def _latest_possible(row: dict[str, Any]) -> datetime:
    """The newest time that an event of an hour can have by a clock that is right."""
    newest: datetime = row["last_event_datetime"]
    return min(newest, _end(row))


def _end(row: dict[str, Any]) -> datetime:
    end: datetime = row["arrival_hour"] + timedelta(hours=1)
    return end


def _newest_until(lake: Lake, row: dict[str, Any]) -> datetime | None:
    """The newest event time of an hour that is not after the hour's end."""
    where = And(
        hours_filter([row["arrival_hour"]]),
        LessThanOrEqual(term="event_datetime", value=_end(row).isoformat()),
    )
    times = lake.read(CORE_EVENTS, where, columns=("event_datetime",))["event_datetime"]
    newest: datetime | None = pc.max(times).as_py()
    return newest
