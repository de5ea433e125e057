"""What the tables of the unified layer say about a small shop."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from blotout_orchestration.elt.contract import OFFLINE_EVENTS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake

from . import shop


def test_a_first_request_without_cookie_belongs_to_the_browser_of_its_sdk_session(built_shop: Lake) -> None:
    found = shop.query(
        built_shop, "select visitor_key, visitor_user_id from unique_events where event_id = 'a1'"
    )
    assert found == [("user:laptop", "laptop")]


def test_an_event_without_any_id_is_a_visitor_of_its_own(built_shop: Lake) -> None:
    found = shop.query(
        built_shop,
        "select visitor_key, is_stitched, global_user_id like 'anonymous-%' from unified_events where event_id = 'n1'",
    )
    assert found == [("event:n1", False, True)]


def test_a_session_carries_the_landing_of_its_first_event_and_its_pages(built_shop: Lake) -> None:
    found = shop.query(
        built_shop,
        "select events, page_views, duration_seconds, engaged_seconds, channel, utm_campaign, click_id_type,"
        " first_page_url, last_page_path, is_bounce from sessions where visitor_key = 'user:laptop'"
        " order by session_started_at limit 1",
    )
    # Gaps of 2, 10 and 2 minutes, each counted up to 5 minutes.
    assert found == [
        (4, 2, 840, 540, "Paid Search", "spring", "gclid", "https://www.shop.example/", "/toys", False)
    ]


def test_a_visit_of_one_page_is_a_bounce(built_shop: Lake) -> None:
    assert shop.query(built_shop, "select is_bounce from sessions where visitor_key = 'event:n1'") == [
        (True,)
    ]


def test_robots_are_flagged_and_kept(built_shop: Lake) -> None:
    assert shop.query(built_shop, "select is_bot, events from sessions where user_id = 'crawler'") == [
        (True, 2)
    ]
    robots = shop.query(built_shop, "select orders, sessions, is_bot from view_users where is_bot")
    assert robots == [(0, 0, True)]


def test_online_event_and_offline_order_of_one_id_are_one_conversion(built_shop: Lake) -> None:
    found = shop.query(
        built_shop,
        "select conversion_origin, revenue, online_revenue, offline_revenue, online_events, converted_at,"
        " online_event_key, global_user_id from conversions where transaction_id = '1001'",
    )
    # The shop system's value counts, and the browser's time; the reloaded page counts once.
    assert found == [
        ("both", Decimal("18.5"), 20, Decimal("18.5"), 2, shop.at(12), "online:a3", "person-ada")
    ]


def test_a_transaction_event_without_order_id_is_a_conversion_of_its_own(built_shop: Lake) -> None:
    found = shop.query(
        built_shop, "select transaction_key, revenue from conversions where transaction_id is null"
    )
    assert found == [("event:online:p3", 5)]


def test_a_refund_stands_beside_the_order_and_is_not_a_conversion(built_shop: Lake) -> None:
    found = shop.query(
        built_shop, "select revenue, refunded, net_revenue from conversions where transaction_id = '2001'"
    )
    assert found == [(40, 40, 0)]
    assert shop.query(built_shop, "select count(*) from conversions") == [(6,)]


def test_an_order_of_an_unknown_buyer_is_a_conversion_without_person(built_shop: Lake) -> None:
    found = shop.query(
        built_shop, "select global_user_id, revenue from conversions where transaction_id = '3001'"
    )
    assert found == [(None, 7)]


def test_revenue_of_sessions_is_that_of_their_conversions(built_shop: Lake) -> None:
    found = shop.query(
        built_shop, "select conversions, revenue from sessions where user_id = 'phone' order by 1"
    )
    assert found == [(2, 35)]


def test_a_customer_is_seen_from_all_sides(built_shop: Lake) -> None:
    found = shop.query(
        built_shop,
        "select first_name, city, email, phone, username, emails, crm_sources, ids, visitors, sessions, orders,"
        " revenue, refunded, net_revenue, first_channel, first_campaign, last_channel, first_transaction_key"
        " from view_users where global_user_id = 'person-ada'",
    )
    profile = ("Ada", "Köln", "ADA@example.org", "+49 1", "ada", ["ada@example.org"], ["crm", "shopify"])
    counts = (4, 2, 3, 4, Decimal("93.5"), 40, Decimal("53.5"), "Paid Search", "spring", "Direct", "1001")
    assert found == [(*profile, *counts)]


def test_a_person_is_found_by_any_id(built_shop: Lake) -> None:
    found = shop.query(
        built_shop,
        "select id_type, id from view_user_ids join view_users using (global_user_id)"
        " where first_name = 'Ada' order by 1, 2",
    )
    assert found == [
        ("email", "ada@example.org"),
        ("map_id", "77"),
        ("user_id", "laptop"),
        ("user_id", "phone"),
    ]


def test_a_customer_who_never_came_is_a_user_too(built_shop: Lake) -> None:
    found = shop.query(
        built_shop, "select orders, sessions, is_stitched, is_bot from view_users where first_name = 'Bob'"
    )
    assert found == [(0, 0, False, False)]


@pytest.fixture
def grown_shop(lake: Lake) -> Lake:
    """Two browsers, not yet known to be one person, each with an order; one order also offline."""
    shop.land(
        lake,
        [
            shop.event("a", 0, user_id="u1"),
            shop.transaction("b", 5, "1", "10.00", user_id="u1"),
            shop.transaction("c", 700, "2", "20.00", user_id="u2"),
        ],
    )
    shop.set_rows(
        lake, ID_GRAPH, [shop.known_id("user_id", "u1", "p1"), shop.known_id("user_id", "u2", "p2")]
    )
    shop.build(lake)
    return lake


def test_a_merge_and_a_split_of_the_id_graph_reach_history(grown_shop: Lake) -> None:
    people = "select global_user_id, orders, sessions, revenue from view_users order by 1"
    apart = [("p1", 1, 1, 10), ("p2", 1, 1, 20)]
    assert shop.query(grown_shop, people) == apart
    merged = [shop.known_id("user_id", "u1", "p1"), shop.known_id("user_id", "u2", "p1")]
    shop.set_rows(grown_shop, ID_GRAPH, merged)
    shop.build(grown_shop)
    assert shop.query(grown_shop, people) == [("p1", 2, 2, 30)]
    changed = "select global_user_id from changed_users where build_number = 2 order by 1"
    assert shop.query(grown_shop, changed) == [("p1",), ("p2",)]
    split = [shop.known_id("user_id", "u1", "p1"), shop.known_id("user_id", "u2", "p2")]
    shop.set_rows(grown_shop, ID_GRAPH, split)
    shop.build(grown_shop)
    assert shop.query(grown_shop, people) == apart


def test_an_offline_order_that_comes_later_corrects_the_session_of_an_old_hour(grown_shop: Lake) -> None:
    shop.set_rows(grown_shop, OFFLINE_EVENTS, [shop.offline_order("x", 6, "1", "8.00")])
    shop.build(grown_shop)
    assert shop.query(grown_shop, "select revenue from sessions where user_id = 'u1'") == [(8,)]
    assert shop.query(grown_shop, "select revenue from view_users where global_user_id = 'p1'") == [(8,)]


def test_only_what_an_hour_touches_is_rebuilt(grown_shop: Lake) -> None:
    shop.land(grown_shop, [shop.event("d", 1500, user_id="u1")])
    shop.build(grown_shop)
    assert shop.query(grown_shop, "select visitor_key from touched_visitors") == [("user:u1",)]
    assert shop.query(grown_shop, "select global_user_id from touched_users") == [("p1",)]
    assert shop.query(grown_shop, "select distinct event_id from touched_events") == [("d",)]


def test_an_hour_that_is_gone_from_the_lake_leaves_the_warehouse(grown_shop: Lake) -> None:
    from pyiceberg.expressions import EqualTo

    from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS

    gone = EqualTo("arrival_hour", shop.at(660).isoformat())
    for spec in (CORE_EVENTS, EVENT_HOURS):
        grown_shop.replace(spec, spec.arrow_schema.empty_table(), gone, {})
    shop.build(grown_shop)
    assert shop.query(grown_shop, "select event_id from unified_events order by 1") == [("a",), ("b",)]
    assert shop.query(grown_shop, "select count(*) from conversions") == [(1,)]


def test_dbt_writes_nothing_into_the_clone(built_shop: Lake) -> None:
    from blotout_orchestration.analytics.dbt_project import PROJECT_FOLDER

    written = {path.name for path in Path(PROJECT_FOLDER).iterdir()}
    assert not written & {"target", "logs", "dbt_packages", ".user.yml"}
