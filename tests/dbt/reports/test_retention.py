"""Cohort tables: who counts, when a period is over, calendars, breakdowns and money."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from .warehouse import ReportWarehouse, day, event, order, visit

RETENTION = "tag:retention"


def _rates(warehouse: ReportWarehouse, **wanted: str) -> dict[tuple[str, int], tuple[int, int, bool]]:
    """(cohort start, period) -> (cohort size, retained, complete)."""
    where = {
        "granularity": "week",
        "population": "new_users",
        "mode": "bounded",
        "breakdown": "all",
        **wanted,
    }
    conditions = " and ".join(f"{column} = '{value}'" for column, value in where.items())
    rows = warehouse.rows(
        "select cohort_start, period_number, cohort_size, retained, is_complete "
        f"from {{schema}}.retention where {conditions}"
    )
    return {(start.isoformat(), number): tuple(rest) for start, number, *rest in rows}


@pytest.fixture
def two_weekly_cohorts(warehouse: ReportWarehouse) -> ReportWarehouse:
    """Ann and Bob begin in week 0, Cid in week 1; Ann returns in weeks 1 and 3, Bob in week 3."""
    warehouse.fill(
        unified_events=[
            event("E1", "ann", day(0)),
            event("E2", "bob", day(1)),
            event("E3", "ann", day(7)),
            event("E4", "cid", day(8)),
            event("E5", "ann", day(21)),
            event("E6", "bob", day(22)),
            event("E7", None, day(40)),
            event("E8", "robot", day(40), is_bot=True),
        ],
        sessions=[visit("S1", "ann", day(0), "Email", country="DE"), visit("S2", "bob", day(1), "Direct")],
    )
    warehouse.build(RETENTION)
    return warehouse


def test_bounded_retention_counts_the_period_itself(two_weekly_cohorts: ReportWarehouse) -> None:
    assert _rates(two_weekly_cohorts) == {
        ("2026-01-05", 0): (2, 2, True),
        ("2026-01-05", 1): (2, 1, True),
        ("2026-01-05", 2): (2, 0, True),
        ("2026-01-05", 3): (2, 2, False),
        ("2026-01-12", 0): (1, 1, True),
        ("2026-01-12", 1): (1, 0, True),
        ("2026-01-12", 2): (1, 0, False),
    }


def test_unbounded_retention_counts_the_period_or_any_later_one(two_weekly_cohorts: ReportWarehouse) -> None:
    rates = _rates(two_weekly_cohorts, mode="unbounded")
    assert [rates["2026-01-05", number][1] for number in range(4)] == [2, 2, 2, 2]
    assert [rates["2026-01-12", number][1] for number in range(3)] == [1, 0, 0]


def test_everyone_counts_a_person_in_each_period_with_a_start(two_weekly_cohorts: ReportWarehouse) -> None:
    rates = _rates(two_weekly_cohorts, population="everyone")
    assert rates["2026-01-12", 0] == (2, 2, True)
    assert rates["2026-01-12", 2] == (2, 1, False)
    assert rates["2026-01-26", 0] == (2, 2, False)


def test_cohorts_break_down_by_the_persons_first_visit(two_weekly_cohorts: ReportWarehouse) -> None:
    email = _rates(two_weekly_cohorts, breakdown="channel", breakdown_value="Email")
    assert email["2026-01-05", 1] == (1, 1, True)
    nowhere = _rates(two_weekly_cohorts, breakdown="country", breakdown_value="(not set)")
    assert nowhere["2026-01-05", 1] == (1, 0, True)


def test_the_report_leaves_the_rate_of_unfinished_periods_empty(two_weekly_cohorts: ReportWarehouse) -> None:
    rows = two_weekly_cohorts.rows(
        """select period_number, rate, complete_rate from {schema}.retention_report
        where chart = 'New users only' and granularity = 'week' and mode = 'bounded' and breakdown = 'all'
        and cohort_start = date '2026-01-05' order by 1"""
    )
    assert rows == [(0, 1.0, 1.0), (1, 0.5, 0.5), (2, 0.0, 0.0), (3, 1.0, None)]


def test_start_and_return_events_and_minimum_occurrences_are_settings(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        unified_events=[
            event("E1", "ann", day(0), "sign_up"),
            event("E2", "ann", day(7), "purchase"),
            event("E3", "ann", day(8), "purchase"),
            event("E4", "bob", day(0), "sign_up"),
            event("E5", "bob", day(7), "purchase"),
            event("E6", "cid", day(14), "purchase"),
        ]
    )
    settings: dict[str, Any] = {"retention_start_event": "sign_up", "retention_return_event": "purchase"}
    warehouse.build(RETENTION, **settings)
    rates = _rates(warehouse)
    assert rates["2026-01-05", 0] == (2, 0, True)
    assert rates["2026-01-05", 1] == (2, 2, True)
    assert {start for start, _ in rates} == {"2026-01-05"}
    warehouse.build(RETENTION, **settings, retention_minimum_occurrences=2)
    assert _rates(warehouse)["2026-01-05", 1] == (2, 1, True)


@pytest.mark.parametrize(
    ("setting", "cohort"),
    [
        ({}, "2026-01-05"),
        ({"retention_time_zone": "America/Los_Angeles"}, "2025-12-29"),
        ({"retention_week_start": "sunday"}, "2026-01-04"),
        ({"retention_week_start": "thursday"}, "2026-01-01"),
    ],
)
def test_time_zone_and_week_start_place_an_event_at_the_edge_of_a_week(
    warehouse: ReportWarehouse, setting: dict[str, str], cohort: str
) -> None:
    monday_half_past_midnight = day(-11.5 / 24)
    warehouse.fill(unified_events=[event("E1", "ann", monday_half_past_midnight)])
    warehouse.build(RETENTION, **setting)
    assert list(_rates(warehouse)) == [(cohort, 0)]


def test_weeks_that_begin_on_thursday_are_seven_days_apart(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        unified_events=[event("E1", "ann", day(2)), event("E2", "ann", day(9)), event("E3", "ann", day(10))]
    )
    warehouse.build(RETENTION, retention_week_start="thursday")
    assert {number: cell[1] for (_, number), cell in _rates(warehouse).items()} == {0: 1, 1: 1, 2: 1}


def test_months_differ_in_length_but_count_one_by_one(warehouse: ReportWarehouse) -> None:
    warehouse.fill(unified_events=[event("E1", "ann", day(0)), event("E2", "ann", day(400))])
    warehouse.build(RETENTION)
    rates = _rates(warehouse, granularity="month")
    assert {number for (_, number), cell in rates.items() if cell[1]} == {0, 13}
    assert max(number for _, number in _rates(warehouse, granularity="day")) == 30


def test_a_clock_that_is_ahead_does_not_finish_a_period(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        unified_events=[event("E1", "ann", day(0)), event("E2", "bob", day(7.5), received_at=day(6))]
    )
    warehouse.build(RETENTION)
    assert _rates(warehouse) == {("2026-01-05", 0): (2, 2, False)}


@pytest.mark.parametrize("newest_load", [None, day(9)])
def test_an_offline_row_that_is_dated_ahead_of_all_that_arrived_finishes_no_period(
    warehouse: ReportWarehouse, newest_load: datetime | None
) -> None:
    ten_years = event("E3", "ann", day(3650), "warranty_ends", event_origin="offline", received_at=None)
    warehouse.fill(
        unified_events=[event("E1", "ann", day(0)), event("E2", "bob", day(8)), ten_years],
        newest_load=newest_load,
    )
    warehouse.build(RETENTION)
    assert _rates(warehouse) == {
        ("2026-01-05", 0): (1, 1, True),
        ("2026-01-05", 1): (1, 0, False),
        ("2026-01-12", 0): (1, 1, False),
    }


def test_offline_rows_count_up_to_the_newest_load_though_nothing_arrives_online(
    warehouse: ReportWarehouse,
) -> None:
    shop = {"event_origin": "offline", "received_at": None}
    warehouse.fill(
        unified_events=[
            event("E1", "ann", day(0)),
            event("E2", "ann", day(7), "order_completed", **shop),
            event("E3", "ann", day(14), "order_completed", **shop),
        ],
        newest_load=day(8),
    )
    warehouse.build(RETENTION)
    assert _rates(warehouse) == {("2026-01-05", 0): (1, 1, True), ("2026-01-05", 1): (1, 1, False)}


def test_an_order_of_a_clock_that_is_ahead_is_revenue_at_its_receipt(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        unified_events=[
            event("E1", "ann", day(0)),
            event("E2", "ann", day(8), "transaction", received_at=day(0.01)),
            event("E3", "bob", day(15)),
        ],
        conversions=[order("T1", "ann", day(8), "100", online_event_key="E2")],
    )
    warehouse.build(RETENTION)
    rows = warehouse.rows(
        """select period_number, revenue from {schema}.retention_revenue
        where granularity = 'week' and population = 'new_users' and revenue <> 0"""
    )
    assert rows == [(0, Decimal(100))]


@pytest.mark.parametrize("refund", ["-20", "20"])
def test_revenue_retention_keeps_currencies_apart_and_subtracts_refunds_of_either_sign(
    warehouse: ReportWarehouse, refund: str
) -> None:
    warehouse.fill(
        unified_events=[
            event("E1", "ann", day(0)),
            event("E2", "ann", day(15)),
            event("E3", "ann", day(14), "order_refunded", is_refund=True, revenue=refund, currency="EUR"),
        ],
        conversions=[
            order("T1", "ann", day(0), "100"),
            order("T2", "ann", day(7), "50"),
            order("T3", "ann", day(7), "9", currency="USD"),
        ],
    )
    warehouse.build(RETENTION)
    rows = warehouse.rows(
        """select currency, period_number, revenue, cumulative_revenue, revenue_rate, is_complete
        from {schema}.retention_revenue
        where granularity = 'week' and population = 'new_users' order by 1, 2"""
    )
    assert rows == [
        ("EUR", 0, Decimal(100), Decimal(100), 1.0, True),
        ("EUR", 1, Decimal(50), Decimal(150), 0.5, True),
        ("EUR", 2, Decimal(-20), Decimal(130), -0.2, False),
        ("USD", 0, Decimal(0), Decimal(0), None, True),
        ("USD", 1, Decimal(9), Decimal(9), None, True),
        ("USD", 2, Decimal(0), Decimal(9), None, False),
    ]
