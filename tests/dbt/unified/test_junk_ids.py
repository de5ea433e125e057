"""An id that the id graph refuses is nobody's in the warehouse either, so that nobody is merged by it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from blotout_orchestration.analytics.dbt_project import PROJECT_FOLDER
from blotout_orchestration.elt.contract import OFFLINE_EVENTS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.id_graph.normalize import node
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.lake import Lake

from . import shop

PEOPLE = "select transaction_id, global_user_id from conversions order by 1"


def _person(value: str, id_type: str = "map_id") -> dict[str, str]:
    return {"person_id": value, "person_id_type": id_type, "person_id_provider": "woo"}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_junk_of_the_warehouse_is_the_default_junk_of_the_id_graph() -> None:
    variables = yaml.safe_load((Path(PROJECT_FOLDER) / "dbt_project.yml").read_text())["vars"]
    rules = Rules()
    assert tuple(variables["junk_ids"]) == rules.junk_values
    assert tuple(variables["junk_email_local_parts"]) == rules.junk_email_local_parts
    assert tuple(variables["junk_email_domains"]) == rules.junk_email_domains


def test_the_warehouse_takes_and_refuses_the_ids_that_the_id_graph_takes_and_refuses(lake: Lake) -> None:
    values = [*Rules().junk_values, "0", "000-00", " (--) ", "_", "Guest", _sha256(""), _sha256("null"), "—"]
    values += ["1", "10", "guest-7", "ß", "日本", "0a", _sha256("ada@lovelace.org"), "x" * 36]
    ids = [("map_id", value) for value in values] + [
        ("email", value)
        for value in (
            "noreply@lovelace.org",
            "ada@test.com",
            "ada@mail.test.com",
            "ada@mytest.com",
            "Guest@Lovelace.org",
            "guests@lovelace.org",
            "ada@lovelace.org",
            _sha256("guest"),
        )
    ]
    orders = [
        shop.offline_order(f"x{n}", n, f"{n:03}", "1.00", **_person(value, id_type))
        for n, (id_type, value) in enumerate(ids)
    ]
    shop.set_rows(lake, OFFLINE_EVENTS, orders)
    shop.build(lake)
    taken = [ids[int(order)] for order, person in shop.query(lake, PEOPLE) if person is not None]
    assert taken == [one for one in ids if node(one[0], "woo", one[1], Rules()) is not None]


@pytest.fixture
def guests(lake: Lake) -> Lake:
    """Three browsers that the id graph knows buy as guests; the shop calls all of them customer 0."""
    events, orders = [], []
    for n in range(3):
        events.append(shop.transaction(f"t{n}", 100 * n, f"W-{n}", "50.00", user_id=f"w{n}"))
        orders.append(shop.offline_order(f"x{n}", 100 * n, f"W-{n}", "50.00", **_person("0")))
    shop.land(lake, events)
    shop.set_rows(lake, OFFLINE_EVENTS, orders)
    shop.set_rows(lake, ID_GRAPH, [shop.known_id("user_id", f"w{n}", f"p{n}") for n in range(3)])
    return lake


def test_guests_of_a_shop_that_numbers_them_all_0_stay_the_people_of_their_browsers(guests: Lake) -> None:
    shop.build(guests, "build")
    assert shop.query(guests, PEOPLE) == [("W-0", "p0"), ("W-1", "p1"), ("W-2", "p2")]
    assert shop.query(guests, "select count(*) from view_users where orders <> 1") == [(0,)]


@pytest.mark.parametrize("customer", ["0", "9"])
def test_a_refund_is_taken_from_the_person_who_has_the_order(lake: Lake, customer: str) -> None:
    refund = shop.offline_order("back", 90, "1001", "30.00", event_name="order_refunded", **_person(customer))
    order = shop.offline_order("x", 60, "1001", "50.00", **_person(customer))
    money = "select global_user_id, revenue, refunded from view_users where revenue > 0 or refunded > 0"
    shop.land(lake, [shop.event("a", 0, user_id="u1")])
    shop.set_rows(lake, ID_GRAPH, [shop.known_id("user_id", "u1", "p1")])
    shop.set_rows(lake, OFFLINE_EVENTS, [refund])
    shop.build(lake)
    assert all(person.startswith("anonymous-") for person, _, _ in shop.query(lake, money))
    shop.land(
        lake, [shop.event("a", 0, user_id="u1"), shop.transaction("t", 60, "1001", "50.00", user_id="u1")]
    )
    shop.set_rows(lake, OFFLINE_EVENTS, [order, refund])
    shop.build(lake)
    assert shop.query(lake, money) == [("p1", 50, 30)]


def test_a_browser_that_the_id_graph_knows_says_more_than_a_customer_it_does_not_know(lake: Lake) -> None:
    shop.land(
        lake,
        [
            shop.transaction("a", 0, "browser known", "1.00", user_id="u1"),
            shop.transaction("b", 0, "both known", "1.00", user_id="u1"),
            shop.transaction("c", 0, "customer known", "1.00", user_id="new"),
            shop.transaction("d", 0, "neither known", "1.00", user_id="new"),
        ],
    )
    customers = {"browser known": "9", "both known": "7", "customer known": "7", "neither known": "9"}
    shop.set_rows(
        lake,
        OFFLINE_EVENTS,
        [shop.offline_order(order, 0, order, "1.00", **_person(who)) for order, who in customers.items()],
    )
    ids = [shop.known_id("user_id", "u1", "p1"), shop.known_id("map_id", "7", "p7", "woo")]
    shop.set_rows(lake, ID_GRAPH, ids)
    shop.build(lake, "build")
    found = shop.query(
        lake,
        "select transaction_id, global_user_id, is_stitched from conversions where is_stitched order by 1",
    )
    assert found == [
        ("both known", "p7", True),
        ("browser known", "p1", True),
        ("customer known", "p7", True),
    ]
    neither = "select global_user_id from conversions where transaction_id = 'neither known'"
    customer = "select global_user_id from stg_offline_events where event_id = 'neither known'"
    assert shop.query(lake, neither) == shop.query(lake, customer)


def test_browsers_that_a_broken_site_calls_undefined_are_visitors_of_their_own(lake: Lake) -> None:
    broken = [shop.event(f"u{n}", n, user_id="undefined", session_id=f"s{n}") for n in range(3)]
    mended = shop.event("later", 5, user_id="u1", session_id="s1")
    shop.land(lake, broken)
    shop.build(lake)
    shop.land(lake, [*broken, mended])
    shop.build(lake, "build")
    visitors = "select count(*), min(visitor_user_id) from unique_events group by visitor_key order by 1, 2 nulls last"
    assert shop.query(lake, visitors) == [(1, None), (1, None), (2, "u1")]
