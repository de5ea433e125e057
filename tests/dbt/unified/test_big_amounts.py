"""Amounts at the limit of what the collector takes in: their sums fit, in new tables and in those of older versions."""

from __future__ import annotations

from decimal import Decimal

import duckdb

from blotout_orchestration.elt.contract import OFFLINE_EVENTS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake

from . import shop

ORDERS = 1200
MOST = "100000000000.0000"
"""What a single amount is at most; a thousand of them are more than decimal(18, 4) holds."""
SUMS = (
    ("sessions", "revenue"),
    ("conversions", "refunded"),
    ("conversions", "net_revenue"),
    ("view_users", "revenue"),
    ("view_users", "refunded"),
    ("view_users", "net_revenue"),
)


def forged(lake: Lake) -> None:
    """A session with orders of the biggest amount, and refunds of one of them."""
    orders = [
        shop.transaction(f"e{n}", 5, f"T{n}", MOST, user_id="u1", transaction_currency="EUR")
        for n in range(ORDERS)
    ]
    shop.land(lake, [shop.event("start", 0, user_id="u1"), *orders])
    refunds = [
        shop.offline_order(
            f"r{n}", 900, "T0", f"-{MOST}", event_name="order_refunded", person_id="u1", person_id_type="user_id"
        )
        for n in range(ORDERS)
    ]  # fmt: skip
    shop.set_rows(lake, OFFLINE_EVENTS, refunds)
    shop.set_rows(lake, ID_GRAPH, [shop.known_id("user_id", "u1", "p1")])


def assert_exact(lake: Lake) -> None:
    """The sums of the session, the order that was refunded, and the person."""
    total, one = ORDERS * Decimal(MOST), Decimal(MOST)
    assert shop.query(lake, "select revenue from sessions where user_id = 'u1'") == [(total,)]
    assert shop.query(
        lake, "select revenue, refunded, net_revenue from conversions where transaction_id = 'T0'"
    ) == [(one, total, one - total)]
    assert shop.query(
        lake, "select revenue, refunded, net_revenue from view_users where global_user_id = 'p1'"
    ) == [(total, total, Decimal(0))]


def types(lake: Lake) -> set[str]:
    """Types of the columns that hold sums."""
    return {
        kind
        for table, column in SUMS
        for (kind,) in shop.query(lake, f'select typeof("{column}") from {table} limit 1')
    }


def test_sums_of_the_biggest_amounts_fit(lake: Lake) -> None:
    forged(lake)
    shop.build(lake, "build")
    assert_exact(lake)
    shop.build(lake, "build")
    assert_exact(lake)


def test_tables_of_an_older_version_get_wider_columns_and_keep_their_rows(lake: Lake) -> None:
    ordinary = [shop.transaction("a", 600, "A", "10.00", user_id="u0", transaction_currency="EUR")]
    shop.land(lake, ordinary)
    shop.build(lake, "build")
    with duckdb.connect(str(lake.settings.warehouse_path)) as connection:
        connection.execute(f'set schema = "{lake.namespace}"')
        for table, column in SUMS:
            connection.execute(f'alter table {table} alter column "{column}" set data type decimal(18, 4)')
    assert types(lake) == {"DECIMAL(18,4)"}
    forged(lake)
    shop.build(lake, "build")
    assert types(lake) == {"DECIMAL(38,4)"}
    assert_exact(lake)
    built = shop.built_tables(lake)
    assert shop.query(lake, "select revenue from sessions where user_id = 'u0'") == [(Decimal(10),)]
    shop.build(lake, full_refresh=True)
    assert shop.built_tables(lake) == built
