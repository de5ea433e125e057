"""The whole way once: a Shopify customer and a browser's cookie become one person, and the order is attributed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.analytics.dbt_project import run_dbt
from blotout_orchestration.analytics.warehouse import connect_published, prepare_sources, publish
from blotout_orchestration.elt.run import load_pipeline
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from tests.elt.conftest import pipeline, stream
from tests.elt.shopify import TOKEN, Shop, copies, recorded, serving
from tests.events.sdk_requests import batch, event, put, request

VISIT = datetime(2026, 3, 2, 7, tzinfo=UTC)
CAMPAIGN = "?utm_source=google&utm_medium=cpc&utm_campaign=spring"
CUSTOMER = "207119551"


@pytest.fixture
def shop(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """One customer, her order of two hours after the visit, and a partial refund of it a day later."""
    monkeypatch.setenv("SHOPIFY_TOKEN", TOKEN)
    made = Shop()
    (order,) = copies(recorded(real_data, "orders")[0], 1, "2026-03-02T04:00:00-05:00")
    order |= {"processed_at": "2026-03-02T04:00:00-05:00", "total_price": "598.94"}
    made.records["orders"] = [order]
    made.records["customers"] = recorded(real_data, "customers_search")
    (refund,) = recorded(real_data, "refund")
    made.refunds[order["id"]] = [
        refund | {"created_at": "2026-03-03T04:00:00-05:00", "order_id": order["id"]}
    ]
    with serving(made):
        yield made


def browse(lake: Lake) -> None:
    """A visit of a campaign, in which the browser tells the shop's customer id."""
    page = f"https://www.toyshop.example/{CAMPAIGN}"
    at = int(VISIT.timestamp() * 1000)
    login = {"map_id": CUSTOMER, "map_provider": "shopify"}
    events = [
        event("m-1", userid="cookie-1", scrn=page, evt=at + 1000),
        event(
            "m-2",
            userid="cookie-1",
            evn="map_id",
            evcs=21001,
            type="codified",
            scrn="https://www.toyshop.example/account",
            evt=at + 2000,
            additionalData=login,
        ),
    ]
    search = {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring"}
    put(lake, [request(batch(*events, search=search))], hour=VISIT)
    flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="visit")


def query(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    with connect_published(lake.settings) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.heavy
def test_a_shopify_order_is_attributed_to_the_campaign_that_its_customers_browser_came_from(
    shop: Shop, lake: Lake
) -> None:
    browse(lake)
    connection = {"shop": "toys", "access_token": "env:SHOPIFY_TOKEN", "base_url": shop.address}
    streams = [stream(name) for name in ("customers", "orders", "refunds")]
    report = load_pipeline(lake.settings, lake, pipeline("shopify", connection, *streams), "load", print)
    assert set(report.feeds) == {"id_mappings", "offline_events", "crm_profiles"}
    stitch(lake, run_id="stitch")
    prepared = prepare_sources(lake)
    run_dbt("build", lake.settings, full_refresh=prepared.full_refresh)
    publish(lake.settings)

    graph = {(row["id_type"], row["id"]): row["global_user_id"] for row in lake.read(ID_GRAPH).to_pylist()}
    person = graph["user_id", "cookie-1"]
    assert graph["map_id", CUSTOMER] == person
    assert graph["email", "bob.norman@hostmail.com"] == person

    (user,) = query(
        lake, f"select email, first_name, orders from view_users where global_user_id = '{person}'"
    )
    assert user == ("bob.norman@hostmail.com", "Bob", 1)
    names = query(
        lake, "select event_name, event_origin, global_user_id from unified_events order by occurred_at"
    )
    assert [name for name, _, _ in names] == ["sdk_start", "map_id", "order_completed", "order_refunded"]
    assert {owner for _, _, owner in names} == {person}

    order = str(shop.records["orders"][0]["id"])
    credited = query(
        lake,
        "select model, channel, campaign, sum(attributed_revenue) from attribution "
        f"where transaction_id = '{order}' group by all order by model",
    )
    assert len(credited) == 6
    assert {(channel, campaign) for _, channel, campaign, _ in credited} == {("Paid Search", "spring")}
    ((revenue, refunded),) = query(lake, "select revenue, refunded from conversions")
    assert revenue == Decimal("598.94")
    assert refunded == Decimal(shop.refunds[int(order)][0]["transactions"][0]["amount"])
    assert {amount for *_, amount in credited} == {revenue}
