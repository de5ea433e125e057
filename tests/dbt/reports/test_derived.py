"""The older reporting views."""

from __future__ import annotations

from datetime import date

import pytest

from .warehouse import START, ReportWarehouse, day, event, visit

DERIVED = "tag:derived_views"
DIMENSIONS = {
    "campaign": "utm_campaign",
    "channel": "channel",
    "referrer": "referrer_host",
    "country": "country",
    "browser": "browser",
    "os": "os",
    "platform": "platform",
}


@pytest.fixture
def two_days(warehouse: ReportWarehouse) -> ReportWarehouse:
    """Ann comes twice and orders once, Bob comes once, a robot comes too."""
    first = dict.fromkeys(DIMENSIONS.values(), "first")
    warehouse.fill(
        sessions=[
            visit("S1", "ann", day(0), **{**first, "is_bounce": True}),
            visit("S2", "ann", day(1), **{**first, "conversions": 1}),
            visit("S3", "bob", day(1), **dict.fromkeys(DIMENSIONS.values())),
            visit("S4", "robot", day(1), is_bot=True),
        ],
        unified_events=[
            event("E1", "ann", day(0), session_key="S1"),
            event("E2", "ann", day(1), "item", session_key="S2", item_id="7"),
            event("E3", "ann", day(1), "transaction", session_key="S2", is_transaction=True),
            event("E4", "bob", day(1), session_key="S3"),
            event("E5", "robot", day(1), session_key="S4", is_bot=True),
        ],
    )
    warehouse.build(DERIVED)
    return warehouse


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_sessions_break_down_by_each_dimension_without_robots(
    two_days: ReportWarehouse, dimension: str
) -> None:
    rows = two_days.rows(
        f"select session_date, {dimension}, sessions, users, bounces, conversions "
        f"from {{schema}}.derived_sessions_by_{dimension} order by all"
    )
    assert rows == [
        (START.date(), "first", 1, 1, 1, 0),
        (date(2026, 1, 6), "(not set)", 1, 1, 0, 0),
        (date(2026, 1, 6), "first", 1, 1, 0, 1),
    ]


def test_daily_users_funnel_and_events_count_people_and_steps(two_days: ReportWarehouse) -> None:
    assert two_days.rows(
        "select sessions, users, new_users from {schema}.derived_daily_users order by session_date"
    ) == [(1, 1, 1), (2, 2, 1)]
    assert two_days.rows(
        "select sessions, sessions_with_page_view, sessions_with_item, sessions_with_order, order_rate "
        "from {schema}.derived_funnel order by session_date"
    ) == [(1, 1, 0, 0, 0.0), (2, 1, 1, 1, 0.5)]
    assert two_days.rows(
        "select event_name, sum(events) from {schema}.derived_daily_events group by 1 order by 1"
    ) == [("item", 1), ("page_view", 2), ("transaction", 1)]
