"""Landing small files into one hour, and reading what the hour then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blotout_orchestration.events.checks import unaccounted_hours
from blotout_orchestration.events.contract import EVENT_HOURS
from blotout_orchestration.lake import Lake

from .sdk_requests import bad_rows, batch, core_rows, event, put, request


def land(lake: Lake, name: str, *mids: str, lines: tuple[str, ...] = (), **changes: Any) -> Path:
    """A landed file of the hour with one request of these events, and more lines."""
    requests = [request(batch(*(event(mid, **changes) for mid in mids)))] if mids else []
    return put(lake, [*requests, *lines], name=f"{name}.jsonl.gz")


def ids(lake: Lake) -> list[str]:
    return sorted(row["event_id"] for row in core_rows(lake))


def ledger_row(lake: Lake) -> dict[str, Any]:
    [row] = lake.read(EVENT_HOURS).to_pylist()
    return dict(row)


def counts(lake: Lake) -> tuple[int, ...]:
    """In, good, bad, duplicate of the hour, which must add up and agree with the tables."""
    row = ledger_row(lake)
    found = tuple(int(row[f"events_{name}"]) for name in ("in", "good", "bad", "duplicate"))
    assert found[0] == sum(found[1:])
    assert found[1:3] == (len(core_rows(lake)), len(bad_rows(lake)))
    assert unaccounted_hours(lake) == []
    return found


def forget_files(lake: Lake) -> None:
    """Make the ledger that of a version which did not note the files of its hours."""
    identifier = f"{lake.namespace}.{EVENT_HOURS.name}"
    rows = lake.read(EVENT_HOURS).select(EVENT_HOURS.arrow_schema.names)
    lake.catalog.drop_table(identifier)
    lake.append(EVENT_HOURS, rows, {})
    assert "landed_files" not in lake.catalog.load_table(identifier).schema().column_names
