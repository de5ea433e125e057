"""Amounts at the limit of the money type: the reports split and add them without an error and to the last digit."""

from __future__ import annotations

from decimal import Decimal

from .test_campaign import ADS, spend
from .warehouse import START, ReportWarehouse, day, event, order, visit

MOST = "99999999999999.9999"
PEOPLE = ("ann", "bob", "eve")


def test_the_biggest_amounts_are_split_and_added_exactly(warehouse: ReportWarehouse) -> None:
    total = len(PEOPLE) * Decimal(MOST)
    warehouse.fill(
        ad_spend=[spend(START.date(), MOST, account_id=person, campaign_id=person) for person in PEOPLE],
        sessions=[
            visit(f"{person}{n}", person, day(n / 10), "Paid Search", **ADS)
            for person in PEOPLE
            for n in range(3)
        ],
        conversions=[order(person, person, day(0.3), MOST, session_key=f"{person}2") for person in PEOPLE],
        unified_events=[event(person, person, day(0.3)) for person in PEOPLE],
    )
    warehouse.build("tag:attribution", "tag:campaign", "tag:retention")
    orders = warehouse.rows(
        "select distinct sum(attributed_revenue) from {schema}.attribution group by model, transaction_key"
    )
    assert orders == [(Decimal(MOST),)]
    assert warehouse.rows(
        "select distinct sum(attributed_revenue) from {schema}.attribution_report group by model"
    ) == [(total,)]
    assert warehouse.rows("select spend, revenue from {schema}.campaign where campaign_key = 'spring'") == [
        (total, total)
    ]
    assert warehouse.rows(
        "select distinct revenue, cumulative_revenue from {schema}.retention_revenue where period_number = 0"
    ) == [(total, total)]
