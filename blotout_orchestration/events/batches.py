"""What is processed together: hours with their files, batches of bounded size, and a batch's rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import And, BooleanExpression, GreaterThanOrEqual, In, LessThan, NotIn, Or

from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, PROCESSOR_VERSION
from blotout_orchestration.lake.layers import LandedFile, fingerprint

BATCH_BYTES = {"duckdb": 24 << 20, "spark": 16 << 30}
"""Most stored bytes of a batch. In process, packed ten to one, a quarter of a gigabyte of text in memory;
on Spark memory is not the bound, and each batch costs the start of a job."""
BATCH_RANGES = 64
"""Most separate ranges of hours that one commit replaces."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class EarlierFiles:
    """Files that an hour was made from before, some of them gone since, and the duplicates they held."""

    files: list[LandedFile]
    duplicates: int


@dataclass(frozen=True)
class HourFiles:
    """An hour of arrival and the files to flatten: all that it had when it was listed.

    With `earlier` only those never seen before: the rows of the earlier ones stay as they are.
    """

    hour: datetime
    files: list[LandedFile]
    earlier: EarlierFiles | None = None

    @property
    def size(self) -> int:
        """Bytes to read, as stored."""
        return sum(file.size for file in self.files)

    @property
    def all_files(self) -> list[LandedFile]:
        """The files that the hour's rows come from when these are flattened."""
        return sorted([*self.files, *(self.earlier.files if self.earlier else [])])

    @property
    def revision(self) -> str:
        """Changes when the hour's files or the flattening change."""
        return revision_of(self.all_files)


@dataclass(frozen=True)
class HourRows:
    """Rows of a batch of hours, in memory or as Parquet files that wait for their commit.

    `found`: events and unreadable lines that went in. `figures`: per hour what event_hours holds.
    `core_files`, `bad_files`: set when the rows lie in files; then `core` and `bad` are empty.
    """

    found: int = 0
    core: pa.Table = field(default_factory=CORE_EVENTS.arrow_schema.empty_table)
    bad: pa.Table = field(default_factory=BAD_EVENTS.arrow_schema.empty_table)
    duplicates: Counter[datetime] = field(default_factory=Counter)
    figures: dict[datetime, dict[str, Any]] = field(default_factory=dict)
    core_files: list[str] | None = None
    bad_files: list[str] | None = None


def revision_of(files: Iterable[LandedFile]) -> str:
    """The revision of an hour with these files under the present PROCESSOR_VERSION."""
    return hashlib.sha256(f"{fingerprint(files)}|{PROCESSOR_VERSION}".encode()).hexdigest()[:32]


def batches(hours: Iterable[HourFiles], batch_bytes: int) -> Iterator[list[HourFiles]]:
    """Cut hours, in order of time, into batches bounded by bytes and by separate ranges."""
    batch: list[HourFiles] = []
    size = ranges = 0
    for hour in sorted(hours, key=lambda item: item.hour):
        gap = not batch or hour.hour - batch[-1].hour != HOUR
        if batch and (size + hour.size > batch_bytes or ranges + gap > BATCH_RANGES):
            yield batch
            batch, size, ranges = [], 0, 0
        ranges += not batch or hour.hour - batch[-1].hour != HOUR
        batch.append(hour)
        size += hour.size
    if batch:
        yield batch


def hour_ranges(hours: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Hours as ranges [first, end) without gaps, so that a filter never touches an hour in between."""
    ranges: list[tuple[datetime, datetime]] = []
    for hour in sorted(set(hours)):
        if ranges and ranges[-1][1] == hour:
            ranges[-1] = (ranges[-1][0], hour + HOUR)
        else:
            ranges.append((hour, hour + HOUR))
    return ranges


def hours_filter(hours: Iterable[datetime]) -> BooleanExpression:
    """Rows whose `arrival_hour` is one of the hours; prunes by partition and file bounds."""
    terms: list[BooleanExpression] = [
        And(
            GreaterThanOrEqual(term="arrival_hour", value=start.astimezone(UTC).isoformat()),
            LessThan(term="arrival_hour", value=end.astimezone(UTC).isoformat()),
        )
        for start, end in hour_ranges(hours)
    ]
    while len(terms) > 1:  # a balanced tree: pyiceberg walks it recursively
        terms = [reduce(Or, terms[index : index + 2]) for index in range(0, len(terms), 2)]
    if not terms:
        raise ValueError("a filter needs at least one hour")
    return terms[0]


def replaced_filter(batch: list[HourFiles]) -> BooleanExpression:
    """The rows that a batch replaces: whole hours, and of hours with earlier files those of the new ones."""
    whole = [hour.hour for hour in batch if not hour.earlier]
    extended = [hour for hour in batch if hour.earlier]
    if not extended:
        return hours_filter(whole)
    added = And(
        hours_filter(hour.hour for hour in extended), In(term="landing_file", literals=_paths(extended))
    )
    return Or(hours_filter(whole), added) if whole else added


def kept_filter(batch: list[HourFiles]) -> BooleanExpression | None:
    """The rows of the batch's hours that stay beside the new ones; None when every hour is replaced whole."""
    extended = [hour for hour in batch if hour.earlier]
    if not extended:
        return None
    return And(
        hours_filter(hour.hour for hour in extended), NotIn(term="landing_file", literals=_paths(extended))
    )


def _paths(batch: list[HourFiles]) -> set[str]:
    return {file.path for hour in batch for file in hour.files}
