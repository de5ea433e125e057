"""A lake whose core_events an older version made gets the columns that the contract gained since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.events import batches
from blotout_orchestration.events.contract import CORE_EVENTS
from blotout_orchestration.lake import Lake

from .sdk_requests import core_rows, flatten_pending, put, request

GAINED = ("stored_gclid", "stored_fbclid")


def _with_stored_click(event_id: str) -> str:
    body = {
        "pageUrl": "https://www.toyshop.example/",
        "eventName": "PageView",
        "eventId": event_id,
        "storage": {"data": {"googleAdsClicks": {"gclid": "OLD"}}},
    }
    return request(body, path="/tag")


def _made_by_an_older_version(lake: Lake) -> None:
    """Take the gained columns out of core_events, with the rows as an older version left them."""
    older = replace(CORE_EVENTS, columns=tuple(c for c in CORE_EVENTS.columns if c.name not in GAINED))
    rows = lake.read(CORE_EVENTS).drop_columns(list(GAINED)).to_pylist()
    lake.catalog.drop_table(f"{lake.namespace}.{CORE_EVENTS.name}")
    for row in rows:
        row["search_gclid"] = "OLD"
    lake.replace(older, pa.Table.from_pylist(rows, schema=older.arrow_schema), AlwaysTrue(), {})


def test_hours_are_flattened_again_into_the_new_columns(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(batches, "PROCESSOR_VERSION", "2")
        put(lake, [_with_stored_click("e-1")])
        flatten_pending(lake)
        _made_by_an_older_version(lake)
    flatten_pending(lake)
    assert [(row["search_gclid"], row["stored_gclid"]) for row in core_rows(lake)] == [(None, "OLD")]


def test_rows_of_lost_files_stay_beside_those_with_the_new_columns(lake: Lake) -> None:
    lost = put(lake, [_with_stored_click("e-1")], name="a.jsonl.gz")
    flatten_pending(lake)
    _made_by_an_older_version(lake)
    Path(lost).unlink()
    put(lake, [_with_stored_click("e-2")], name="b.jsonl.gz")
    flatten_pending(lake)
    found = {row["event_id"]: (row["search_gclid"], row["stored_gclid"]) for row in core_rows(lake)}
    assert found == {"e-1": ("OLD", None), "e-2": (None, "OLD")}
