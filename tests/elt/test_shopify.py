"""Shopify, from recorded payloads: pages, cursors, faults, and records that change while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blotout_orchestration.elt.run import LoadError
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import Pipeline
from tests.elt.conftest import Load, only, pipeline, stream, table
from tests.elt.shopify import TOKEN, Shop, copies, recorded, serving


@pytest.fixture
def shop(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop with seven orders, five customers, products, checkouts and a refund."""
    monkeypatch.setenv("SHOPIFY_TOKEN", TOKEN)
    made = Shop()
    made.records["orders"] = copies(recorded(real_data, "orders")[0], 7)
    made.records["customers"] = copies(recorded(real_data, "customers_search")[0], 5)
    made.records["products"] = recorded(real_data, "products")
    made.records["checkouts"] = recorded(real_data, "checkouts")
    made.refunds[made.records["orders"][0]["id"]] = recorded(real_data, "refund")
    with serving(made):
        yield made


def of(shop: Shop, *names: str) -> Pipeline:
    connection = {"shop": "toys", "access_token": "env:SHOPIFY_TOKEN", "base_url": shop.address}
    return pipeline("shopify", connection, *(stream(name) for name in names))


def test_without_streams_everything_that_shopify_offers_is_loaded(shop: Shop, lake: Lake, load: Load) -> None:
    report = load(of(shop))
    found = {one.stream: one.rows_in_table for one in report.streams}
    assert found == {"customers": 5, "orders": 7, "refunds": 1, "products": 4, "checkouts": 1}
    row = table(lake, "orders", "id", "customer_id", "total_price", "customer_default_address_city", "test")[
        0
    ]
    assert row == (450789469, 207119551, "598.94", "Louisville", False)
    assert table(lake, "refunds", "id", "order_id") == [(509562969, 450789469)]


def test_the_second_load_asks_for_what_changed_since_the_cursor_less_the_lag(
    shop: Shop, lake: Lake, load: Load
) -> None:
    first = only(load(of(shop, "orders")))
    assert first.cursor_after == "2026-03-01T20:00:00+00:00"
    shop.requests.clear()
    shop.records["orders"][2] |= {"total_price": "1.00", "updated_at": "2026-03-05T00:00:00-05:00"}
    second = only(load(of(shop, "orders")))
    path, query = shop.requests[0]
    assert path == "/orders.json"
    assert datetime.fromisoformat(query["updated_at_min"]) == datetime(2026, 3, 1, 19, 55, tzinfo=UTC)
    assert (second.rows_read, second.rows_added, second.rows_unchanged) == (2, 1, 1)
    assert (second.rows_replaced, second.rows_in_table) == (1, 7)
    assert {"1.00", "598.94"} == {row[1] for row in table(lake, "orders", "id", "total_price")}


def test_cursors_with_different_offsets_are_compared_as_moments(shop: Shop, load: Load) -> None:
    shop.records["orders"][0]["updated_at"] = "2026-03-02T01:30:00+09:00"
    assert only(load(of(shop, "orders"))).cursor_after == "2026-03-01T20:00:00+00:00"


@pytest.mark.parametrize("fault", ["429", "502", "cut"])
def test_a_fault_in_the_middle_of_the_pages_loses_and_doubles_nothing(
    shop: Shop, lake: Lake, load: Load, fault: str
) -> None:
    shop.faults = [("orders", 3, fault)]
    report = only(load(of(shop, "orders")))
    assert shop.faults == []
    assert (report.rows_read, report.rows_in_table) == (7, 7)
    assert len({row[0] for row in table(lake, "orders", "id")}) == 7


def test_a_record_that_changes_while_the_pages_are_read_is_there_once_in_its_newest_form(
    shop: Shop, lake: Lake, load: Load
) -> None:
    def move(resource: str, page: int) -> None:
        if page == 2:
            # The page that was read moves behind the ones to come, as with an order by change.
            again = dict(shop.records["orders"][0])
            again |= {"total_price": "77.00", "updated_at": "2026-03-09T00:00:00Z"}
            shop.records["orders"].append(again | {"id": 999_999_999, "moved": True})
            shop.before_page = lambda resource, page: None

    shop.before_page = move
    original = shop.page

    def with_the_true_id(path: str, query: dict[str, str]) -> tuple[str, list[dict[str, object]], str | None]:
        resource, rows, following = original(path, query)
        first = shop.records["orders"][0]["id"]
        return resource, [row | {"id": first} if row.get("moved") else row for row in rows], following

    shop.page = with_the_true_id  # type: ignore[method-assign]
    report = only(load(of(shop, "orders")))
    assert (report.rows_read, report.rows_in_table) == (8, 7)
    rows = dict(table(lake, "orders", "id", "total_price"))
    assert rows[shop.records["orders"][0]["id"]] == "77.00"


def test_a_refused_token_is_told_without_the_token_and_loads_nothing(
    shop: Shop, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_TOKEN", "a-wrong-token")
    with pytest.raises(LoadError, match="401") as refused:
        load(of(shop, "customers", "orders"))
    assert "a-wrong-token" not in str(refused.value)
    assert len(shop.requests) == 2


def test_refunds_are_asked_for_the_orders_that_changed(shop: Shop, lake: Lake, load: Load) -> None:
    load(of(shop, "refunds"))
    shop.requests.clear()
    late = dict(shop.refunds[450789469][0], id=600, order_id=shop.records["orders"][6]["id"])
    shop.refunds[shop.records["orders"][6]["id"]] = [late]
    shop.records["orders"][6]["updated_at"] = "2026-03-06T00:00:00Z"
    report = only(load(of(shop, "refunds")))
    assert report.rows_in_table == 2
    asked = [path for path, _ in shop.requests if "refunds" in path]
    assert asked == [f"/orders/{shop.records['orders'][6]['id']}/refunds.json"]
