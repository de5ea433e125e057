"""Money of different currencies is never added up, and nothing of it is hidden."""

from __future__ import annotations

from decimal import Decimal

from blotout_orchestration.elt.contract import OFFLINE_EVENTS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake

from . import shop

SESSION = "select conversions, revenue, currency, currencies from sessions where user_id = 'u1'"
PERSON = "select orders, revenue, refunded, net_revenue, currency, currencies from view_users where global_user_id = 'p1'"


def traveller(lake: Lake, *orders: tuple[str, str, str | None]) -> Lake:
    """One visitor's session with these orders: id, total, currency."""
    shop.land(
        lake,
        [shop.event("start", 0, user_id="u1")]
        + [
            shop.transaction(f"e{order}", 5, order, total, user_id="u1", transaction_currency=currency)
            for order, total, currency in orders
        ],
    )
    shop.set_rows(lake, ID_GRAPH, [shop.known_id("user_id", "u1", "p1")])
    return lake


def refund(name: str, amount: str, currency: str | None) -> shop.Row:
    return shop.offline_order(
        name, 900, name, f"-{amount}", currency=currency, event_name="order_refunded", person_id="u1",
        person_id_type="user_id",
    )  # fmt: skip


def test_revenue_is_that_of_the_currency_of_most_orders(lake: Lake) -> None:
    traveller(lake, ("1", "10.00", "EUR"), ("2", "5.00", "EUR"), ("3", "9000.00", "JPY"))
    shop.build(lake, "build")
    assert shop.query(lake, SESSION) == [(3, Decimal(15), "EUR", ["EUR", "JPY"])]
    assert shop.query(lake, PERSON) == [(3, Decimal(15), Decimal(0), Decimal(15), "EUR", ["EUR", "JPY"])]


def test_of_two_currencies_alike_the_first_by_name_is_told_and_none_comes_last(lake: Lake) -> None:
    traveller(lake, ("1", "10.00", "USD"), ("2", "20.00", "CHF"), ("3", "7.00", None))
    shop.build(lake, "build")
    assert shop.query(lake, SESSION) == [(3, Decimal(20), "CHF", ["CHF", "USD"])]


def test_orders_that_name_no_currency_are_told_when_there_are_no_others(lake: Lake) -> None:
    traveller(lake, ("1", "10.00", None))
    shop.build(lake, "build")
    assert shop.query(lake, SESSION) == [(1, Decimal(10), None, None)]


def test_refunds_count_in_the_currency_of_the_orders_or_when_they_name_none(lake: Lake) -> None:
    traveller(lake, ("1", "30.00", "EUR"), ("2", "4.00", "USD"), ("3", "1.00", "EUR"))
    shop.set_rows(
        lake,
        OFFLINE_EVENTS,
        [refund("1", "5.00", "EUR"), refund("2", "4.00", "USD"), refund("3", "1.00", None)],
    )
    shop.build(lake, "build")
    assert shop.query(lake, PERSON) == [
        (3, Decimal(31), Decimal(6), Decimal(25), "EUR", ["EUR", "USD"]),
    ]


def test_a_later_order_in_another_currency_changes_the_session_as_a_full_refresh_does(lake: Lake) -> None:
    traveller(lake, ("1", "10.00", "EUR"))
    shop.build(lake)
    shop.land(
        lake,
        [
            shop.transaction(
                f"l{order}", 8, order, "50.00", delay=60, user_id="u1", transaction_currency="USD"
            )
            for order in ("4", "5")
        ],
    )
    shop.build(lake, "build")
    incremental = shop.query(lake, SESSION), shop.query(lake, PERSON)
    assert incremental[0] == [(3, Decimal(100), "USD", ["EUR", "USD"])]
    shop.build(lake, "build", full_refresh=True)
    assert (shop.query(lake, SESSION), shop.query(lake, PERSON)) == incremental


def test_a_refund_in_another_currency_is_not_taken_from_the_order(lake: Lake) -> None:
    orders = [shop.offline_order("o", 800, "1", "100.00")]
    for name, amount, currency in (("r", "110.00", "USD"), ("s", "30.00", "EUR"), ("t", "5.00", None)):
        orders.append({**refund(name, amount, currency), "transaction_id": "1"})
    shop.set_rows(lake, OFFLINE_EVENTS, orders)
    shop.build(lake, "build")
    assert shop.query(lake, "select revenue, refunded, net_revenue from conversions") == [(100, 35, 65)]


def test_a_currency_is_one_however_a_source_writes_it(lake: Lake) -> None:
    traveller(lake, ("1", "10.00", "EUR"))
    orders = [shop.offline_order(name, 5, name, "10.00", currency=name) for name in ("eur", " EUR ", " ")]
    shop.set_rows(lake, OFFLINE_EVENTS, orders)
    shop.build(lake, "build")
    found = shop.query(lake, "select currency, count(*) from conversions group by 1 order by 1 nulls last")
    assert found == [("EUR", 3), (None, 1)]
