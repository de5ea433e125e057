"""What the ledger knows of an hour's files, and which hours and files are still to be flattened.

Belongs here: comparing landed files with those that an hour's rows come from. Flattening them and writing the
ledger belong to processing.py. A file is known by its path and size.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, BooleanExpression

from blotout_orchestration.events.batches import (
    BATCH_RANGES,
    HOUR,
    EarlierFiles,
    HourFiles,
    hour_ranges,
    hours_filter,
    revision_of,
)
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, EVENT_HOURS, HOURS_LEDGER
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import LandedFile

Landed = Mapping[datetime, list[LandedFile]]


@dataclass(frozen=True)
class Past:
    """What an hour's rows were made from.

    `files`: bytes by path; None for a size that an older version did not note. `count` may exceed them: that
    version did not note files without rows either. `revision` is None when no ledger row was written.
    """

    files: dict[str, int | None]
    count: int = 0
    revision: str | None = None
    duplicates: int = 0

    def has_lost(self, files: Iterable[LandedFile]) -> bool:
        """Whether a file that the rows were made from is no longer among the landed ones."""
        paths = {file.path for file in files}
        return len(paths) < self.count or not paths.issuperset(self.files)

    def unseen(self, files: Iterable[LandedFile]) -> list[LandedFile]:
        """Landed files that none of the rows were made from, or with another size."""
        return [file for file in files if self.files.get(file.path, -1) not in (file.size, None)]


NOTHING = Past({})


def read_ledger(
    lake: Lake, where: BooleanExpression | None = None, columns: Collection[str] | None = None
) -> pa.Table:
    """Rows of event_hours in the columns of `HOURS_LEDGER`; null for one that the table does not have yet."""
    wanted = [name for name in HOURS_LEDGER.arrow_schema.names if columns is None or name in columns]
    present = set(wanted)
    if lake.exists(EVENT_HOURS.name):
        table = lake.catalog.load_table(f"{lake.namespace}.{EVENT_HOURS.name}")
        present &= set(table.schema().column_names)
    rows = lake.read(HOURS_LEDGER, where, tuple(name for name in wanted if name in present))
    for name in wanted:
        if name not in present:
            kind = HOURS_LEDGER.arrow_schema.field(name).type
            rows = rows.append_column(name, pa.nulls(rows.num_rows, kind))
    return rows.select(wanted)


def noted_files(files: Iterable[LandedFile]) -> str:
    """The ledger's note of the files that an hour's rows come from."""
    return json.dumps({file.path: file.size for file in sorted(files)}, separators=(",", ":"))


def pending(lake: Lake, landed: Landed) -> list[datetime]:
    """Hours with a file never flattened, and hours that have all their files and another revision."""
    if not landed:
        return []
    rows = read_ledger(lake, _window(landed), ("arrival_hour", "revision")).to_pylist()
    done = {row["arrival_hour"]: row["revision"] for row in rows}
    changed = [hour for hour, files in landed.items() if hour in done and done[hour] != revision_of(files)]
    past = _noted(lake, changed)
    doubtful = [hour for hour in changed if past[hour].has_lost(landed[hour])]
    past |= _with_paths(lake, {hour: past[hour] for hour in doubtful})
    return [
        hour
        for hour, files in landed.items()
        if hour not in done or (hour in past and (past[hour].unseen(files) or not past[hour].has_lost(files)))
    ]


def pasts(lake: Lake, hours: Collection[datetime]) -> dict[datetime, Past]:
    """What each hour was made from, as far as the ledger or the rows themselves tell; all of the given hours."""
    return _with_paths(lake, dict.fromkeys(hours, NOTHING) | _noted(lake, hours))


def to_flatten(landed: Landed, past: Mapping[datetime, Past]) -> list[HourFiles]:
    """What of these hours is to be flattened: all files of an hour that has lost none, else the unseen ones."""
    todo = []
    for hour, before in past.items():
        files = landed.get(hour, [])
        if not before.has_lost(files):
            if files:
                todo.append(HourFiles(hour, files))
            continue
        new = before.unseen(files)
        if new:
            replaced = {file.path for file in new}
            sizes = before.files | {file.path: file.size for file in files}
            kept = [LandedFile(path, sizes[path] or 0, hour) for path in before.files if path not in replaced]
            todo.append(HourFiles(hour, new, EarlierFiles(kept, before.duplicates)))
    return todo


def _noted(lake: Lake, hours: Collection[datetime]) -> dict[datetime, Past]:
    """What the ledger says of those hours that it has; without paths where an older version wrote it."""
    if not hours:
        return {}
    columns = ("arrival_hour", "revision", "files", "events_duplicate", "landed_files")
    wanted = set(hours)
    rows = read_ledger(lake, _window(hours), columns).to_pylist()
    return {row["arrival_hour"]: _past(row) for row in rows if row["arrival_hour"] in wanted}


def _past(row: dict[str, Any]) -> Past:
    files = json.loads(row["landed_files"]) if row["landed_files"] else {}
    return Past(files, max(row["files"], len(files)), row["revision"], row["events_duplicate"])


def _with_paths(lake: Lake, past: dict[datetime, Past]) -> dict[datetime, Past]:
    """The same, with paths read from the rows of the hours of which the ledger names none."""
    unnamed = {hour for hour, before in past.items() if not before.files}
    if not unnamed:
        return past
    paths: dict[datetime, dict[str, int | None]] = defaultdict(dict)
    for spec in (CORE_EVENTS, BAD_EVENTS):
        if not lake.exists(spec.name):
            continue
        scan = lake.catalog.load_table(f"{lake.namespace}.{spec.name}").scan(
            row_filter=_window(unnamed), selected_fields=("arrival_hour", "landing_file")
        )
        for batch in scan.to_arrow_batch_reader():
            distinct = pa.table(batch).group_by(["arrival_hour", "landing_file"]).aggregate([])
            for row in distinct.to_pylist():
                paths[row["arrival_hour"]][row["landing_file"]] = None
    return past | {hour: replace(past[hour], files=paths.get(hour, {})) for hour in unnamed}


def _window(hours: Collection[datetime]) -> BooleanExpression:
    """A filter over at least these hours, short enough to be planned fast."""
    if not hours:
        return AlwaysTrue()
    if len(hour_ranges(hours)) <= BATCH_RANGES:
        return hours_filter(hours)
    count = int((max(hours) - min(hours)) / HOUR) + 1
    return hours_filter(min(hours) + number * HOUR for number in range(count))
