"""The campaign report: spend meets sessions and orders once each, and what does not meet is reported."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from .warehouse import START, ReportWarehouse, Row, day, order, visit

BOTH = ("tag:attribution", "tag:campaign")
ADS = {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "Spring"}


def spend(on: date, amount: str, **more: Any) -> Row:
    """A row of `ad_spend`."""
    return {
        "date": on,
        "source_name": "google_ads",
        "ad_platform": "google",
        "account_id": "1",
        "account_time_zone": "UTC",
        "campaign_id": "77",
        "campaign_name": "spring",
        "utm_source": "google",
        "utm_campaign": "spring",
        "impressions": 1000,
        "clicks": 10,
        "spend": amount,
        "currency": "EUR",
        "platform_conversions": 3.0,
        "platform_conversion_value": "250",
        "etl_run_datetime": START,
        **more,
    }


def _row(warehouse: ReportWarehouse, columns: str, where: str) -> tuple[Any, ...]:
    rows = warehouse.rows(f"select {columns} from {{schema}}.campaign where {where}")
    assert len(rows) == 1, rows
    return rows[0]


def test_spend_sessions_and_orders_of_one_campaign_meet_on_one_row(warehouse: ReportWarehouse) -> None:
    today = START.date()
    warehouse.fill(
        ad_spend=[spend(today, "50")],
        sessions=[
            visit("S0", "bob", day(-5), "Direct"),
            visit("S1", "ann", day(0), "Paid Search", **ADS, gclid="g1", click_id_type="gclid"),
            visit("S2", "bob", day(0), "Paid Search", **ADS),
            visit("S3", "bob", day(0.1), "Paid Search", **ADS, click_id_type="gclid"),
            visit("S4", "robot", day(0), "Paid Search", **ADS, is_bot=True),
        ],
        conversions=[
            order("T0", "bob", day(-4), "5"),
            order("T1", "ann", day(0.2), "80", session_key="S1"),
            order("T2", "bob", day(0.2), "20", session_key="S3"),
        ],
    )
    warehouse.build(*BOTH)
    found = _row(
        warehouse,
        "campaign, currency, impressions, clicks, spend, sessions, users, new_users, returning_users, "
        "conversions, new_customers, revenue, platform_conversions, platform_conversion_value",
        f"ad_platform = 'google' and report_date = date '{today}'",
    )
    expected = ("spring", "EUR", 1000, 10, Decimal(50), 3, 2, 1, 1, 2.0, 1.0, Decimal(100), 3.0, Decimal(250))
    assert found == expected
    rates = _row(warehouse, "cpc, cpa, cac, roas, click_id_match_rate", "ad_platform = 'google'")
    assert rates == (5.0, 25.0, 50.0, 2.0, 0.2)


def test_spend_without_sessions_and_sessions_without_spend_both_stay(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        ad_spend=[spend(START.date(), "50")],
        sessions=[
            visit("S1", "ann", day(0), "Paid Social", utm_source="fb", utm_campaign="lookalike"),
            visit("S2", "ann", day(1), "Email", utm_source="newsletter", utm_campaign="week 2"),
            visit("S3", "bob", day(1), "Paid Search", click_id_type="gclid"),
            visit("S4", "bob", day(2), "Direct"),
        ],
    )
    warehouse.build(*BOTH)
    rows = warehouse.rows(
        "select ad_platform, campaign, spend, sessions from {schema}.campaign order by ad_platform, campaign"
    )
    assert rows == [
        ("(none)", "(none)", Decimal(0), 1),
        ("(other)", "week 2", Decimal(0), 1),
        ("facebook", "lookalike", Decimal(0), 1),
        ("google", "(not set)", Decimal(0), 1),
        ("google", "spring", Decimal(50), 0),
    ]
    assert warehouse.rows("select reason, campaign_key from {schema}.campaign_unmatched order by 1") == [
        ("campaign_of_no_ad_platform", "week 2"),
        ("click_id_without_campaign", "(not set)"),
        ("sessions_without_spend", "lookalike"),
        ("spend_without_sessions", "spring"),
    ]


@pytest.fixture
def many_accounts(warehouse: ReportWarehouse) -> ReportWarehouse:
    """One campaign name in three accounts, two currencies and two platforms, over two days."""
    today, tomorrow = START.date(), START.date() + timedelta(days=1)
    warehouse.fill(
        ad_spend=[
            spend(today, "10"),
            spend(today, "20", account_id="2", campaign_id="88"),
            spend(today, "70", account_id="3", campaign_id="99", currency="USD"),
            spend(tomorrow, "5"),
            spend(today, "40", ad_platform="facebook", source_name="fb", utm_source="facebook"),
        ],
        sessions=[visit(f"S{n}", f"p{n}", day(0), "Paid Search", **ADS) for n in range(4)]
        + [visit("F1", "p9", day(0), "Paid Social", utm_source="facebook", utm_campaign="spring")],
        conversions=[
            order(f"T{n}", f"p{n}", day(0.1), "10", currency=c) for n, c in ((0, "EUR"), (1, "USD"))
        ],
    )
    warehouse.build(*BOTH)
    return warehouse


def test_one_name_in_several_accounts_multiplies_nothing(many_accounts: ReportWarehouse) -> None:
    sums = many_accounts.rows(
        "select sum(spend), sum(sessions), sum(users), sum(conversions), sum(revenue) from {schema}.campaign"
    )
    assert sums == [(Decimal(145), 5, 5, 2.0, Decimal(20))]


def test_currencies_stand_on_rows_of_their_own(many_accounts: ReportWarehouse) -> None:
    rows = many_accounts.rows(
        "select currency, sum(spend), sum(revenue) from {schema}.campaign "
        "where ad_platform = 'google' group by 1 order by 1"
    )
    assert rows == [("EUR", Decimal(35), Decimal(10)), ("USD", Decimal(70), Decimal(10))]


def test_a_session_counts_on_the_day_of_the_accounts_time_zone(warehouse: ReportWarehouse) -> None:
    late = datetime(2026, 1, 6, 3, tzinfo=UTC)
    warehouse.fill(
        ad_spend=[spend(date(2026, 1, 5), "50", account_time_zone="America/New_York")],
        sessions=[visit("S1", "ann", late, "Paid Search", **ADS)],
        conversions=[order("T1", "ann", late, "80", session_key="S1")],
    )
    warehouse.build(*BOTH)
    found = _row(
        warehouse, "report_date, spend, sessions, revenue, account_time_zone", "ad_platform = 'google'"
    )
    assert found == (date(2026, 1, 5), Decimal(50), 1, Decimal(80), "America/New_York")


def test_a_restated_day_replaces_what_was_loaded_before(warehouse: ReportWarehouse) -> None:
    later = START + timedelta(days=1)
    warehouse.fill(
        ad_spend=[
            spend(START.date(), "50"),
            spend(START.date(), "55", etl_run_datetime=later),
            spend(START.date(), "55", etl_run_datetime=later),
        ]
    )
    warehouse.build(*BOTH)
    assert _row(warehouse, "spend", "ad_platform = 'google'") == (Decimal(55),)


@pytest.mark.parametrize("named", ["SPRING ", "77"])
def test_links_may_carry_the_campaigns_name_in_any_case_or_its_id(
    warehouse: ReportWarehouse, named: str
) -> None:
    warehouse.fill(
        ad_spend=[spend(START.date(), "50")],
        sessions=[visit("S1", "ann", day(0), "Paid Search", utm_campaign=named, click_id_type="gclid")],
    )
    warehouse.build(*BOTH)
    assert _row(warehouse, "spend, sessions", "campaign_key = 'spring'") == (Decimal(50), 1)


@pytest.mark.parametrize(
    "other", [{"campaign_name": "Spring"}, {"campaign_name": "Other", "campaign_id": "spring"}]
)
def test_a_links_utm_campaign_is_that_campaign_before_another_ones_name_or_id(
    warehouse: ReportWarehouse, other: dict[str, str]
) -> None:
    warehouse.fill(
        ad_spend=[
            spend(START.date(), "100", campaign_id="1", campaign_name="Spring Search"),
            spend(START.date(), "10", **{"campaign_id": "2", "utm_campaign": "retarget", **other}),
            spend(
                START.date(), "5", ad_platform="facebook", campaign_id="3", campaign_name="Spring",
                utm_campaign="aware",
            ),
        ],
        sessions=[
            visit("S1", "ann", day(0), "Paid Search", **ADS),
            visit("S2", "bob", day(0), "Paid Search", **ADS, click_id_type="gclid"),
        ],
    )  # fmt: skip
    warehouse.build(*BOTH)
    rows = warehouse.rows("select ad_platform, campaign_key, sessions from {schema}.campaign order by 1, 2")
    assert rows == [("facebook", "aware", 0), ("google", "retarget", 0), ("google", "spring", 2)]


def test_thousands_of_thirds_are_no_lost_orders(warehouse: ReportWarehouse) -> None:
    warehouse.fill()
    moment = f"timestamptz '{day(-4000)}' + to_days(n::int) + to_hours({{}})"
    with warehouse.connection() as connection:
        connection.execute(
            "insert into shop_test.sessions (session_key, global_user_id, session_started_at, is_bot, channel,"
            " is_direct, utm_source, utm_campaign)"
            f" select 's' || n || '-' || k, 'p' || n, {moment.format('k')}, false, 'Paid Search', false,"
            " 'google', 'c' || k from range(3500) days(n), range(3) touches(k)"
        )
        connection.execute(
            "insert into shop_test.conversions (transaction_key, global_user_id, converted_at, revenue, currency,"
            " is_bot, session_key)"
            f" select 'o' || n, 'p' || n, {moment.format(3)}, 100, 'EUR', false, 's' || n || '-2' from range(3500) days(n)"
        )
    warehouse.build(*BOTH, campaign_attribution_model="linear")
    [(orders, revenue)] = warehouse.rows("select sum(conversions), sum(revenue) from {schema}.campaign")
    assert orders == pytest.approx(3500)
    assert revenue == Decimal(350_000)


def test_every_order_counts_once_whatever_led_to_it(warehouse: ReportWarehouse) -> None:
    warehouse.fill(
        sessions=[visit("S1", "ann", day(0), "Direct"), visit("S2", "eve", day(0), "Paid Search", **ADS)],
        conversions=[order("T1", "ann", day(1)), order("T2", "eve", day(1)), order("T3", None, day(1))],
    )
    warehouse.build(*BOTH, campaign_attribution_model="linear")
    rows = warehouse.rows(
        "select campaign_key, conversions, attribution_model from {schema}.campaign "
        "where conversions > 0 order by 1"
    )
    assert rows == [("(no touch)", 1.0, "linear"), ("(none)", 1.0, "linear"), ("spring", 1.0, "linear")]


def test_first_party_figures_break_down_without_changing_their_sum(many_accounts: ReportWarehouse) -> None:
    rows = many_accounts.rows(
        "select breakdown, sum(sessions) from {schema}.campaign_breakdown group by 1 order by 1"
    )
    assert rows == [(name, 5) for name in ("browser", "channel", "country", "os", "platform", "referrer")]
