"""What ad accounts say in words of their own: time zones that are none, currencies in small letters."""

from __future__ import annotations

from decimal import Decimal

import pytest
import pytz  # type: ignore[import-untyped]

from .test_campaign import ADS, BOTH, spend
from .warehouse import START, ReportWarehouse, day, order, visit


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("PacificTimeUSCanadaTijuana", "Europe/Paris"),
        ("", "Europe/Paris"),
        (None, "Europe/Paris"),
        (" America/New_York ", "America/New_York"),
        ("utc", "utc"),
    ],
)
def test_a_time_zone_that_is_none_is_taken_as_the_reports(
    warehouse: ReportWarehouse, said: str | None, taken: str
) -> None:
    warehouse.fill(
        ad_spend=[spend(START.date(), "50", account_time_zone=said)],
        sessions=[visit("S1", "ann", day(0), "Paid Search", **ADS)],
        conversions=[order("T1", "ann", day(0.1), "80", session_key="S1")],
    )
    warehouse.build(*BOTH, report_time_zone="Europe/Paris")
    found = warehouse.rows("select report_date, sessions, revenue, account_time_zone from {schema}.campaign")
    assert found == [(START.date(), 1, Decimal(80), taken)]


def test_accounts_whose_time_zone_is_none_are_named_by_a_warning(warehouse: ReportWarehouse) -> None:
    zones = {"7": "PacificTimeUSCanadaTijuana", "8": "Europe/Paris", "9": "", "10": None}
    warehouse.fill(
        ad_spend=[
            spend(START.date(), "50", account_id=account, account_time_zone=zone)
            for account, zone in zones.items()
        ]
    )
    results = warehouse.build(*BOTH)
    assert results["campaign_accounts_have_known_time_zones"] == "warn"
    compiled = next(
        warehouse.parsed.rglob("compiled/**/campaign_accounts_have_known_time_zones.sql")
    ).read_text()
    assert warehouse.rows(compiled) == [
        ("google_ads", "google", "7", "PacificTimeUSCanadaTijuana", 1),
    ]


def test_every_time_zone_that_is_taken_is_known_to_the_warehouse(warehouse: ReportWarehouse) -> None:
    zones = [zone for zone in pytz.all_timezones if zone not in ("EST", "HST", "MST", "ROC")]
    warehouse.fill(
        ad_spend=[
            spend(START.date(), "1", account_id=zone, account_time_zone=zone, campaign_id=zone, campaign_name=zone,
                  utm_campaign=zone)
            for zone in zones
        ],
        sessions=[visit(zone, zone, day(0), "Paid Search", utm_source="google", utm_campaign=zone) for zone in zones],
    )  # fmt: skip
    warehouse.build(*BOTH)
    found = warehouse.rows("select account_time_zone from {schema}.campaign_sessions")
    assert {zone for (zone,) in found} == set(zones)


@pytest.mark.parametrize("written", ["eur", " EUR "])
def test_a_currency_is_one_however_it_is_written(warehouse: ReportWarehouse, written: str) -> None:
    warehouse.fill(
        ad_spend=[
            spend(START.date(), "50"),
            spend(START.date(), "7", account_id="2", currency=written),
            spend(START.date(), "1", account_id="3", currency=" "),
        ],
        sessions=[visit("S1", "ann", day(0), "Paid Search", **ADS)],
        conversions=[order("T1", "ann", day(0.1), "80", session_key="S1")],
    )
    warehouse.build(*BOTH)
    rows = warehouse.rows("select currency, spend, revenue from {schema}.campaign order by 1")
    assert rows == [("(not set)", Decimal(1), Decimal(0)), ("EUR", Decimal(57), Decimal(80))]
