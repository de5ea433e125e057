"""Rows of a source in a contract table: whole, typed, once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from blotout_orchestration.elt.contract import AD_SPEND, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.elt.load import SourceRowsError, content_hash, replace_source
from blotout_orchestration.lake import Lake

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORDERS = pa.table(
    {
        "event_id": ["o1", "o2"],
        "event_name": ["order_completed", "order_refunded"],
        "event_datetime": pa.array([MAY, MAY], pa.timestamp("us", tz="UTC")),
        "transaction_id": ["#1", "#1"],
        "revenue": [Decimal("10.50"), Decimal("-10.50")],
        "currency": ["USD", None],
    }
)


def snapshots(lake: Lake, table: str = "offline_events") -> int:
    return len(lake.catalog.load_table(f"{lake.namespace}.{table}").metadata.snapshots)


def test_rows_are_loaded_in_the_types_of_the_contract_with_the_time_of_the_load(lake: Lake) -> None:
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS, loaded_at=MAY) is True
    rows = lake.read(OFFLINE_EVENTS).sort_by("event_id").to_pylist()
    assert [row["revenue"] for row in rows] == [Decimal("10.5000"), Decimal("-10.5000")]
    assert {row["source_name"] for row in rows} == {"shopify"}
    assert rows[0]["etl_run_date"] == date(2026, 5, 1)
    assert rows[0]["etl_run_datetime"] == MAY
    assert rows[0]["person_id"] is None


def test_the_same_rows_again_make_no_commit_in_whatever_order_they_come(lake: Lake) -> None:
    replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS)
    before = snapshots(lake)
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS) is False
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS.take([1, 0])) is False
    assert snapshots(lake) == before


def test_changed_rows_replace_all_rows_of_their_source_and_of_no_other(lake: Lake) -> None:
    replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS)
    replace_source(lake, OFFLINE_EVENTS, "counter", ORDERS.slice(0, 1))
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS.slice(1, 1)) is True
    found = {(row["source_name"], row["event_id"]) for row in lake.read(OFFLINE_EVENTS).to_pylist()}
    assert found == {("shopify", "o2"), ("counter", "o1")}


def test_rows_that_go_back_to_an_earlier_state_are_loaded_again(lake: Lake) -> None:
    replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS)
    replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS.slice(0, 1))
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS) is True
    assert lake.read(OFFLINE_EVENTS).num_rows == 2


def test_a_source_that_became_empty_is_emptied_and_stays_so(lake: Lake) -> None:
    empty = ORDERS.slice(0, 0)
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", empty) is False
    replace_source(lake, OFFLINE_EVENTS, "shopify", ORDERS)
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", empty) is True
    assert replace_source(lake, OFFLINE_EVENTS, "shopify", empty) is False
    assert lake.read(OFFLINE_EVENTS).num_rows == 0


def test_the_commit_of_another_source_does_not_hide_what_was_loaded(lake: Lake) -> None:
    mappings = pa.table(
        {"id_a": ["1"], "id_a_type": ["map_id"], "id_b": ["a@b.example"], "id_b_type": ["email"]}
    )
    for source in ("crm", "shop", "crm", "shop"):
        replace_source(lake, ID_MAPPINGS, source, mappings)
    assert snapshots(lake, "id_mappings") == 2
    assert lake.read(ID_MAPPINGS).num_rows == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pa.table({"spent": [1]}), "columns spent are not in ad_spend"),
        (pa.table({"spend": ["much"]}), "column spend of ad_spend should be decimal128"),
        (pa.table({"source_name": ["bing_ads"], "clicks": [1]}), "rows of bing_ads among its rows"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_column_and_nothing_is_loaded(
    lake: Lake, rows: pa.Table, message: str
) -> None:
    with pytest.raises(SourceRowsError, match=message):
        replace_source(lake, AD_SPEND, "google_ads", rows)
    assert lake.read(AD_SPEND).num_rows == 0


def test_the_hash_tells_null_from_empty_and_one_column_from_the_next() -> None:
    hashes = {
        content_hash(pa.table({"a": pa.array(a, pa.string()), "b": pa.array(b, pa.string())}))
        for a, b in [([None], ["x"]), ([""], ["x"]), (["x"], [None]), (["x"], [""]), (["x", ""], ["", "x"])]
    }
    assert len(hashes) == 5
