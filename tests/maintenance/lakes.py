"""Small tables for the tests of compaction, expiry and sweeping, and the reading of them in full."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from pyiceberg.expressions import EqualTo

from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.compaction import Thresholds
from blotout_orchestration.lake.tables import Column

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
FIRST_HOUR = datetime(2026, 3, 1, tzinfo=UTC)
CLICKS = TableSpec(
    "clicks",
    "Clicks by hour of arrival.",
    (
        Column("arrival_hour", "timestamp", "Hour."),
        Column("number", "long", "Number."),
        Column("name", "string", "Name."),
        Column("price", "money", "Price."),
        Column("tags", "strings", "Tags."),
    ),
    partition=("arrival_hour", "day"),
    properties={"blotout.sort-by": "arrival_hour,number"},
)
PEOPLE = TableSpec(
    "people", "People.", (Column("person", "string", "Person."), Column("visits", "long", "Visits."))
)
EAGER = Thresholds(target_bytes=10**7, minimum_files=2, average_bytes=10**7, open_for=timedelta(hours=3))


def clicks(hour: datetime | None, count: int = 5, first: int = 0) -> pa.Table:
    """Rows of one hour, some of their values null, in no order."""
    numbers = [first + (index * 7) % count for index in range(count)]
    return pa.table(
        {
            "arrival_hour": [hour] * count,
            "number": numbers,
            "name": [None if number % 3 == 0 else f"name {number}" for number in numbers],
            "price": [None if number % 4 == 0 else Decimal(number) / 4 for number in numbers],
            "tags": [[] if number % 2 else ["a", str(number)] for number in numbers],
        },
        schema=CLICKS.arrow_schema,
    )


def land_hour(lake: Lake, hour: datetime, rows: pa.Table) -> None:
    """Replace an hour as the events job does: one commit that deletes it and appends it."""
    where = EqualTo("arrival_hour", hour.isoformat())  # type: ignore[call-arg]
    lake.replace(CLICKS, rows, where, {"run_id": "landing"})


def fill(lake: Lake, hours: int, rows_an_hour: int = 5) -> None:
    """A file an hour, from `FIRST_HOUR` on."""
    for index in range(hours):
        rows = clicks(FIRST_HOUR + timedelta(hours=index), rows_an_hour, index * 1000)
        lake.append(CLICKS, rows, {"run_id": "fill"})


def contents(lake: Lake, spec: TableSpec = CLICKS) -> Counter[str]:
    """Every row of a table with how often it is there."""
    return Counter(repr(sorted(row.items())) for row in lake.read(spec).to_pylist())


def full_name(lake: Lake, spec: TableSpec = CLICKS) -> str:
    return f"{lake.namespace}.{spec.name}"


def people_rows(*names: str, visits: int = 1) -> pa.Table:
    return pa.table({"person": list(names), "visits": [visits] * len(names)}, schema=PEOPLE.arrow_schema)
