"""What a run over hours did, read from the ledger and brought to metadata and pictures.

Belongs here: sums and plots of `event_hours` and `bad_events`; no raw input, so no PII. Writing the ledger
belongs to processing.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from blotout_orchestration.events.contract import BAD_EVENTS, EVENT_HOURS
from blotout_orchestration.lake import Lake

COUNTS = (
    "events_in",
    "events_good",
    "events_bad",
    "events_duplicate",
    "events_with_unknown_keys",
    "events_with_type_conflicts",
)
VOLUME_DAYS = 7


def ledger_of(lake: Lake, hours: Iterable[datetime]) -> dict[datetime, dict[str, Any]]:
    """Rows of the ledger by hour, for those of the given hours that are in it."""
    wanted = set(hours)
    rows = lake.read(EVENT_HOURS, columns=tuple(EVENT_HOURS.arrow_schema.names)).to_pylist()
    return {row["arrival_hour"]: row for row in rows if row["arrival_hour"] in wanted}


def hour_metadata(row: dict[str, Any]) -> dict[str, Any]:
    """Metadata of one hour's partition; numbers become plots over partitions in the UI."""
    metadata: dict[str, Any] = {name: int(row[name]) for name in COUNTS}
    metadata["dagster/partition_row_count"] = int(row["events_good"])
    metadata |= {"files": int(row["files"]), "bytes": int(row["bytes"]), "engine": row["engine"]}
    for name in ("first_event_datetime", "last_event_datetime"):
        if row[name] is not None:
            metadata[name] = row[name].isoformat()
    if row["unknown_keys"]:
        metadata["unknown_keys"] = ", ".join(row["unknown_keys"])
    return metadata


def run_metadata(rows: Sequence[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Sums over the hours that a run processed, its seconds and its events a second."""
    sums = {name: sum(int(row[name]) for row in rows) for name in COUNTS}
    return {
        "hours_processed": len(rows),
        "run_events_in": sums["events_in"],
        "run_events_good": sums["events_good"],
        "run_events_bad": sums["events_bad"],
        "run_events_duplicate": sums["events_duplicate"],
        "run_seconds": round(seconds, 2),
        "events_per_second": round(sums["events_in"] / seconds, 1) if seconds else 0.0,
    }


def bad_events_by_reason(lake: Lake) -> dict[str, int]:
    """Rows of `bad_events` by reason, most frequent first."""
    reasons = lake.read(BAD_EVENTS, columns=("reason",)).group_by("reason").aggregate([([], "count_all")])
    counted = {row["reason"]: int(row["count_all"]) for row in reasons.to_pylist()}
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def bad_events_metadata(reasons: dict[str, int]) -> dict[str, Any]:
    """The counts as a Markdown table, and the total as the row count."""
    from dagster import MetadataValue

    lines = [
        "| reason | events |",
        "|---|---|",
        *(f"| `{name}` | {count} |" for name, count in reasons.items()),
    ]
    return {"dagster/row_count": sum(reasons.values()), "reasons": MetadataValue.md("\n".join(lines))}


def volume_plot(lake: Lake) -> bytes | None:
    """Good, bad and duplicate events by hour over the newest days, as PNG; None without hours."""
    from blotout_orchestration.events.plots import HourVolume, hourly_volume

    rows = sorted(lake.read(EVENT_HOURS).to_pylist(), key=lambda row: row["arrival_hour"])[
        -24 * VOLUME_DAYS :
    ]
    if not rows:
        return None
    return hourly_volume(
        [
            HourVolume(row["arrival_hour"], row["events_good"], row["events_bad"], row["events_duplicate"])
            for row in rows
        ]
    )
