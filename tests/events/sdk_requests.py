"""Requests as the SDKs send them, and landing and flattening them for real."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blotout_orchestration.events.arrival import hour_of
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS
from blotout_orchestration.events.processing import HourResult, flatten_hours, pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import hour_folder

HOUR = datetime(2026, 3, 2, 7, tzinfo=UTC)
POSITION = [("landing_file", "ascending"), ("landing_line", "ascending"), ("landing_index", "ascending")]


def now() -> datetime:
    """Of the test, not of its module: a long suite is imported an hour before it runs."""
    return datetime.now(UTC)


def this_hour() -> datetime:
    """The hour of arrival that is under way."""
    return hour_of(now())


def event(mid: str = "m-1", **changes: Any) -> dict[str, Any]:
    """An event as SDK 0.9 sends it; a change to `...` removes the key."""
    whole = {
        "mid": mid,
        "userid": "u-1",
        "evn": "sdk_start",
        "evcs": 11130,
        "scrn": "https://www.toyshop.example/p/1?x=1",
        "evt": 1772434801649,
        "session_id": "1772434801644",
        "type": "system",
        "screen": {"width": 412, "height": 785, "docHeight": 1927, "docWidth": 412},
        "additionalData": {},
    } | changes
    return {name: value for name, value in whole.items() if value is not ...}


def batch(*events: Any, **meta: Any) -> dict[str, Any]:
    """A 0.9 batch."""
    return {"meta": {"sdkv": "0.9.1", "tz_offset": 60, **meta}, "events": list(events)}


def request(body: Any, *, path: str = "/sdk/v1/events/publish?token=T", **changes: Any) -> str:
    """A landed request as one line, without its line break."""
    line = {
        "received_at": "2026-03-02T07:00:02.000Z",
        "path": path,
        "headers": {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0"},
        "body": body if isinstance(body, str) else json.dumps(body),
    } | changes
    return json.dumps({name: value for name, value in line.items() if value is not ...})


def put(lake: Lake, content: bytes | list[str], name: str = "part-0.jsonl.gz", hour: datetime = HOUR) -> Path:
    """Lay a file into an hour of the landing layer, byte for byte, or lines packed."""
    folder = Path(lake.layer("landing")) / hour_folder(hour)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        content = gzip.compress("".join(f"{line}\n" for line in content).encode(), mtime=0)
    (folder / name).write_bytes(content)
    return folder / name


def core_rows(lake: Lake) -> list[dict[str, Any]]:
    """Rows of core_events in landing order."""
    rows: list[dict[str, Any]] = lake.read(CORE_EVENTS).sort_by(POSITION).to_pylist()
    return rows


def bad_rows(lake: Lake) -> list[dict[str, Any]]:
    """Rows of bad_events in landing order."""
    rows: list[dict[str, Any]] = lake.read(BAD_EVENTS).sort_by(POSITION).to_pylist()
    return rows


def flatten_pending(lake: Lake) -> list[HourResult]:
    """Flatten what is pending with the DuckDB engine."""
    return flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="test")
