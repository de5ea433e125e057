"""What the tests of activation share: simulated time, an audience in the lake, channels in a few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.activation.contract import (
    ACTIVATION_LEDGER,
    ACTIVATION_OUTCOMES,
    ACTIVATION_RUNS,
)
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.platform.registry.channel import Channel

PEOPLE = TableSpec(
    "people",
    "The audience of a test.",
    tuple(
        Column(name, kind, name)  # type: ignore[arg-type]
        for name, kind in (
            ("email", "string"),
            ("first_name", "string"),
            ("phone", "string"),
            ("orders", "long"),
            ("agreed", "boolean"),
        )
    ),
)
MAPPING = {"email": "email", "first_name": "first_name"}


class SimulatedClock:
    """A clock on which sleeping takes no time."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.start = datetime(2026, 3, 5, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.elapsed += seconds


def person(name: str, first_name: str = "Ada", **other: Any) -> dict[str, Any]:
    """A row of the audience."""
    return {"email": f"{name}@example.com", "first_name": first_name, **other}


def people(lake: Lake, rows: list[dict[str, Any]]) -> None:
    """Make these rows the audience `model:people`."""
    lake.replace(PEOPLE, pa.Table.from_pylist(rows, schema=PEOPLE.arrow_schema), AlwaysTrue(), {})


def channel(channel_type: str, mode: str = "mirror", name: str = "vip", **payload: Any) -> Channel:
    """A registered channel of the audience `model:people`."""
    payload = {"mapping": MAPPING, "key": "email", **payload}
    return Channel(name=name, channel_type=channel_type, audience="model:people", mode=mode, payload=payload)  # type: ignore[arg-type]


def ledger(lake: Lake) -> dict[str, dict[str, Any]]:
    """The row that holds of every key."""
    rows = sorted(lake.read(ACTIVATION_LEDGER).to_pylist(), key=lambda row: row["version"])
    return {row["key_hash"]: row for row in rows}


def runs(lake: Lake) -> list[dict[str, Any]]:
    """Rows of activation_runs, oldest first."""
    return sorted(lake.read(ACTIVATION_RUNS).to_pylist(), key=lambda row: (row["finished_at"], row["run_id"]))


def outcomes(lake: Lake, outcome: str | None = None) -> list[dict[str, Any]]:
    """Rows of activation_outcomes."""
    rows = lake.read(ACTIVATION_OUTCOMES).to_pylist()
    return [row for row in rows if outcome in (None, row["outcome"])]


def assert_sums_hold(lake: Lake) -> None:
    """The two equations of every run."""
    for row in runs(lake):
        assert row["source_rows"] == row["sent"] + row["unchanged"] + row["invalid"] + row["unsent"], row
        assert row["sent"] + row["removed"] == row["accepted"] + row["rejected"], row
        mine = [one for one in outcomes(lake) if one["run_id"] == row["run_id"]]
        for kind in ("accepted", "rejected", "invalid"):
            assert sum(one["outcome"] == kind for one in mine) == row[kind], (kind, row)
