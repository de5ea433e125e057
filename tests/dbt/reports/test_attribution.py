"""The attribution models: credit, money, lookback, and what an incremental run recomputes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from .warehouse import ReportWarehouse, day, order, visit

ATTRIBUTION = "tag:attribution"
TABLES = ("attribution_people", "attribution_touches", "attribution", "conversion_paths")


def _credit(warehouse: ReportWarehouse, model: str, transaction: str = "T1") -> dict[str, float]:
    rows = warehouse.rows(
        f"""select session_key, credit from {{schema}}.attribution
        where model = '{model}' and transaction_key = '{transaction}' order by touch_number"""
    )
    return {key: round(credit, 6) for key, credit in rows}


@pytest.fixture
def four_visits(warehouse: ReportWarehouse) -> ReportWarehouse:
    """Ann comes by e-mail, search and affiliate and buys a week later, direct."""
    warehouse.fill(
        sessions=[
            visit("S1", "ann", day(0), "Email", utm_campaign="spring"),
            visit("S2", "ann", day(7), "Paid Search", utm_campaign="brand", country="DE"),
            visit("S3", "ann", day(14), "Affiliates"),
            visit("S4", "ann", day(21), "Direct"),
        ],
        conversions=[order("T1", "ann", day(21), "100.00", session_key="S4")],
    )
    warehouse.build(ATTRIBUTION)
    return warehouse


def test_six_models_give_the_credit_computed_by_hand(four_visits: ReportWarehouse) -> None:
    assert _credit(four_visits, "first_touch") == {"S1": 1}
    assert _credit(four_visits, "last_touch") == {"S4": 1}
    assert _credit(four_visits, "last_non_direct") == {"S3": 1}
    assert _credit(four_visits, "linear") == {"S1": 0.25, "S2": 0.25, "S3": 0.25, "S4": 0.25}
    assert _credit(four_visits, "position_based") == {"S1": 0.4, "S2": 0.1, "S3": 0.1, "S4": 0.4}
    halves = {"S1": 1 / 15, "S2": 2 / 15, "S3": 4 / 15, "S4": 8 / 15}
    assert _credit(four_visits, "time_decay") == {key: round(part, 6) for key, part in halves.items()}


def test_the_report_keeps_the_breakdowns_of_the_touch(four_visits: ReportWarehouse) -> None:
    rows = four_visits.rows(
        """select channel, campaign, country, currency, conversions, attributed_revenue
        from {schema}.attribution_report where model = 'position_based' order by channel"""
    )
    assert rows[2] == ("Email", "spring", None, "EUR", 0.4, Decimal("40.0000"))
    assert rows[3][:3] == ("Paid Search", "brand", "DE")
    assert sum(row[5] for row in rows) == 100


def test_money_that_does_not_divide_is_split_without_loss(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        sessions=[visit(f"S{n}", "ann", day(n), "Email") for n in range(7)],
        conversions=[order("T1", "ann", day(8), "0.0005"), order("T2", "ann", day(9), "99999999999.9999")],
    )
    warehouse.build(ATTRIBUTION)
    sums = warehouse.rows(
        "select transaction_key, model, sum(attributed_revenue) from {schema}.attribution group by all"
    )
    assert len(sums) == 12
    assert {(key, total) for key, _, total in sums} == {
        ("T1", Decimal("0.0005")),
        ("T2", Decimal("99999999999.9999")),
    }


def test_two_touches_share_equally_and_one_takes_all_by_position(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        sessions=[
            visit("S1", "ann", day(0), "Email"),
            visit("S2", "ann", day(1)),
            visit("S3", "bob", day(0)),
        ],
        conversions=[order("T1", "ann", day(2)), order("T2", "bob", day(2))],
    )
    warehouse.build(ATTRIBUTION)
    assert _credit(warehouse, "position_based", "T1") == {"S1": 0.5, "S2": 0.5}
    assert _credit(warehouse, "position_based", "T2") == {"S3": 1}
    assert _credit(warehouse, "last_non_direct", "T2") == {"S3": 1}


def test_only_the_same_persons_visits_within_the_lookback_before_the_order_count(
    warehouse: ReportWarehouse,
) -> None:
    warehouse.fill(
        sessions=[
            visit("too old", "ann", day(-91), "Email"),
            visit("just in time", "ann", day(-89), "Email"),
            visit("robot", "ann", day(-3), "Display", is_bot=True),
            visit("other person", "bob", day(-3), "Display"),
            visit("after", "ann", day(1), "Display"),
        ],
        conversions=[order("T1", "ann", day(0))],
    )
    warehouse.build(ATTRIBUTION)
    assert _credit(warehouse, "linear") == {"just in time": 1}
    warehouse.build(ATTRIBUTION, attribution_lookback_days=120)
    assert _credit(warehouse, "linear") == {"too old": 0.5, "just in time": 0.5}


def test_the_converting_session_counts_even_when_the_clock_puts_it_after_the_order(
    warehouse: ReportWarehouse,
) -> None:
    warehouse.fill(
        sessions=[visit("S1", "ann", day(0.01), "Email")],
        conversions=[order("T1", "ann", day(0), session_key="S1")],
    )
    warehouse.build(ATTRIBUTION)
    assert _credit(warehouse, "time_decay") == {"S1": 1}


def _guest(channel: str = "Paid Search") -> list[dict[str, Any]]:
    """Ann's visits; in the second of them an order is placed for somebody else."""
    return [visit("S1", "ann", day(0), "Email"), visit("S2", "ann", day(1), channel)]


PATHS = "select person_key, path, is_converted from {schema}.conversion_paths order by 1, 2"


def test_the_converting_session_is_a_touch_even_when_the_shop_names_another_person(
    warehouse: ReportWarehouse,
) -> None:
    nobody = order("T2", None, day(1), session_key="S2")
    warehouse.fill(
        sessions=_guest(), conversions=[order("T1", "customer 500", day(1), session_key="S2"), nobody]
    )
    warehouse.build(ATTRIBUTION)
    assert _credit(warehouse, "last_touch", "T1") == {"S2": 1}
    assert _credit(warehouse, "last_touch", "T2") == {"S2": 1}
    assert warehouse.rows(PATHS) == [
        ("ann", "Email", False),
        ("customer 500", "Paid Search", True),
        ("transaction:T2", "Paid Search", True),
    ]


def test_what_changes_in_the_converting_session_of_another_person_reaches_the_order(
    warehouse: ReportWarehouse,
) -> None:
    bought = [order("T1", "customer 500", day(1), session_key="S2")]
    for sessions, orders in (
        (_guest(), []),
        (_guest(), bought),
        (_guest("Display"), bought),
        ([*_guest()[:1], {**_guest()[1], "global_user_id": "eve"}], bought),
        (_guest(), []),
    ):
        warehouse.fill(sessions=sessions, conversions=orders)
        warehouse.build(ATTRIBUTION)
        incremental = {name: warehouse.table(name) for name in TABLES}
        expected = {("S2", row["channel"]) for row in sessions[1:] if orders}
        touched = warehouse.rows("select session_key, channel from {schema}.attribution_touches")
        assert set(touched) == expected
        warehouse.build(ATTRIBUTION, full_refresh=True)
        assert {name: warehouse.table(name) for name in TABLES} == incremental


def test_an_order_without_a_touch_has_a_row_of_its_own_in_every_model(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        conversions=[order("T1", None, day(0), "30"), order("T2", "bob", day(0), "12.5", currency=None)]
    )
    warehouse.build(ATTRIBUTION)
    rows = warehouse.rows(
        "select transaction_key, channel, touch_number, credit, attributed_revenue, count(*) "
        "from {schema}.attribution group by all order by 1"
    )
    assert rows == [
        ("T1", "(no touch)", 0, 1.0, Decimal("30.0000"), 6),
        ("T2", "(no touch)", 0, 1.0, Decimal("12.5000"), 6),
    ]


def test_orders_of_robots_are_left_out(warehouse: ReportWarehouse) -> None:
    warehouse.fill(conversions=[order("T1", "bot", day(0), is_bot=True), order("T2", "ann", day(0))])
    warehouse.build(ATTRIBUTION)
    assert warehouse.rows("select distinct transaction_key from {schema}.attribution") == [("T2",)]


def test_visits_that_led_nowhere_are_journeys_cut_by_pauses(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        sessions=[
            visit("S1", "ann", day(0), "Email", utm_campaign="spring"),
            visit("S2", "ann", day(1), "Direct"),
            visit("S3", "ann", day(2), "Display"),
            visit("S4", "ann", day(120), "Referral"),
            visit("S5", "bob", day(0), "Email"),
        ],
        conversions=[order("T1", "ann", day(1)), order("T2", "eve", day(3))],
    )
    warehouse.build(ATTRIBUTION)
    paths: list[tuple[Any, ...]] = warehouse.rows(
        "select person_key, path, campaign_path, is_converted, revenue from {schema}.conversion_paths "
        "order by person_key, first_touched_at"
    )
    assert paths == [
        ("ann", "Email > Direct", ["spring", "(not set)"], True, Decimal("100.0000")),
        ("ann", "Display", ["(not set)"], False, None),
        ("ann", "Referral", ["(not set)"], False, None),
        ("bob", "Email", ["(not set)"], False, None),
        ("eve", None, None, True, Decimal("100.0000")),
    ]


def test_an_incremental_run_equals_a_full_refresh_after_late_merged_and_removed_rows(
    warehouse: ReportWarehouse,
) -> None:
    sessions = [visit(f"S{n}", f"person {n % 3}", day(n), "Email") for n in range(9)]
    orders = [order(f"T{n}", f"person {n % 4}", day(10 + n), "10.01") for n in range(8)]
    warehouse.fill(sessions=sessions, conversions=orders)
    warehouse.build(ATTRIBUTION)
    late = visit("late", "person 0", day(4.5), "Display")
    merged = [
        {**row, "global_user_id": "person 0"} if row["global_user_id"] == "person 2" else row
        for row in sessions
    ]
    kept = [
        {**row, "global_user_id": "person 0"} if row["global_user_id"] == "person 2" else row
        for row in orders
        if row["transaction_key"] not in ("T1", "T3", "T7")
    ]
    warehouse.fill(sessions=[*merged, late], conversions=kept)
    warehouse.build(ATTRIBUTION)
    incremental = {name: warehouse.table(name) for name in TABLES}
    warehouse.build(ATTRIBUTION, full_refresh=True)
    assert {name: warehouse.table(name) for name in TABLES} == incremental
    assert {row[2] for row in incremental["attribution"]} == {"T0", "T2", "T4", "T5", "T6"}


def test_only_people_that_changed_are_recomputed(warehouse: ReportWarehouse) -> None:
    sessions = [visit("S1", "ann", day(0), "Email"), visit("S2", "bob", day(0), "Email")]
    orders = [order("T1", "ann", day(1)), order("T2", "bob", day(1))]
    warehouse.fill(sessions=sessions, conversions=orders)
    warehouse.build(ATTRIBUTION)
    with warehouse.connection() as connection:
        connection.execute("update shop_test.attribution set browser = 'untouched'")
    warehouse.fill(sessions=[*sessions, visit("S3", "bob", day(0.5), "Display")], conversions=orders)
    warehouse.build(ATTRIBUTION)
    rows = warehouse.rows("select distinct person_key, browser from {schema}.attribution order by 1")
    assert rows == [("ann", "untouched"), ("bob", None)]
