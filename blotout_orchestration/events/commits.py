"""Committing a batch of hours, and noticing when another run was committing the same hours.

Each table's hours are replaced in one commit, whole or, where they keep rows, the new files' part. Its snapshot names the run, the attempt, the ranges of hours
and a digest of the files they were made from.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from blotout_orchestration.events.batches import HourFiles, HourRows, hour_ranges, replaced_filter
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS
from blotout_orchestration.lake import Lake


def snapshot_properties(batch: list[HourFiles], attempt: str, run_id: str) -> dict[str, str]:
    """The proof a commit carries."""
    ranges = ",".join(
        f"{start:%Y%m%d%H}/{end:%Y%m%d%H}" for start, end in hour_ranges(hour.hour for hour in batch)
    )
    listing = "|".join(hour.revision for hour in batch)
    digest = hashlib.sha256(listing.encode()).hexdigest()[:32]
    return {"run_id": run_id, "attempt": attempt, "hours": ranges, "files_digest": digest}


def commit_rows(lake: Lake, batch: list[HourFiles], rows: HourRows, attempt: str, run_id: str) -> None:
    """Replace the batch's hours in bad_events, then in core_events; rows of earlier files stay."""
    where = replaced_filter(batch)
    properties = snapshot_properties(batch, attempt, run_id)
    for spec, table, files in (
        (BAD_EVENTS, rows.bad, rows.bad_files),
        (CORE_EVENTS, rows.core, rows.core_files),
    ):
        if files is None:
            lake.replace(spec, table, where, properties)
        else:
            lake.replace_with_files(spec, files, where, properties)


def overtaken(lake: Lake, batch: list[HourFiles], attempt: str, since: datetime) -> bool:
    """Whether, after this attempt's commit, core_events got these hours from another set of files.

    An attempt that had nothing to commit compares with every snapshot made after `since`, its start.

    Then the ledger may describe other rows than the table holds, and the hours must be done once more.
    """
    mine = snapshot_properties(batch, attempt, "")
    table = lake.ensure(CORE_EVENTS)
    for snapshot in sorted(table.snapshots(), key=lambda item: item.sequence_number or 0, reverse=True):
        properties = snapshot.summary.additional_properties if snapshot.summary else {}
        if properties.get("attempt") == attempt or snapshot.timestamp_ms < since.timestamp() * 1000:
            return False
        other = properties.get("hours", "")
        if not other or (other, properties["files_digest"]) == (mine["hours"], mine["files_digest"]):
            continue
        if _overlap(_parse(other), hour_ranges(hour.hour for hour in batch)):
            return True
    return False


def _parse(text: str) -> list[tuple[datetime, datetime]]:
    ranges = []
    for part in text.split(","):
        start, _, end = part.partition("/")
        ranges.append((_hour(start), _hour(end)))
    return ranges


def _hour(text: str) -> datetime:
    return datetime.strptime(f"{text}+0000", "%Y%m%d%H%z")


def _overlap(ours: list[tuple[datetime, datetime]], others: list[tuple[datetime, datetime]]) -> bool:
    return any(a < d and c < b for a, b in ours for c, d in others)
