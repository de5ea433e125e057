"""Asset checks of what Python computes beside dbt; the dbt tests are checks of their own models.

Belongs here: what must hold of the data-driven models in production, and figures that no failing row tells.
"""

from __future__ import annotations

from decimal import Decimal

from dagster import AssetCheckResult, AssetChecksDefinition, AssetCheckSeverity, asset_check

from blotout_orchestration.analytics.data_driven import ATTRIBUTION_DATA_DRIVEN
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

DUPLICATES = "duplicate_events"


def analytics_checks(lake: Lake) -> list[AssetChecksDefinition]:
    """Credit = revenue for every data-driven model; an event id stands for one event."""

    @asset_check(
        asset=ATTRIBUTION_DATA_DRIVEN.name,
        name="credit_is_revenue",
        description="Each model credits exactly the revenue of all orders, per currency and dimension.",
    )
    def credit_is_revenue() -> AssetCheckResult:
        sums = credited(lake)
        differing = [key for key, totals in sums.items() if len(totals) > 1]
        return AssetCheckResult(
            passed=not differing,
            metadata={"sums": len(sums), "currencies_that_differ": ", ".join(differing) or "none"},
        )

    @asset_check(
        asset=DUPLICATES,
        name="event_ids_keep_their_content",
        description="No event id arrived again with other content, in another hour than the first, within the "
        "newest day of arrivals. Within an hour such events are refused (bad_events, event_id_collision).",
    )
    def event_ids_keep_their_content() -> AssetCheckResult:
        found = collisions(lake.settings)
        return AssetCheckResult(
            passed=found["events_collided_newest_day"] == 0,
            severity=AssetCheckSeverity.WARN,
            metadata=found,
        )

    return [credit_is_revenue, event_ids_keep_their_content]


def collisions(settings: Settings) -> dict[str, int]:
    """Later deliveries of an event id whose content is not the first one's: all, and those of the newest day."""
    from blotout_orchestration.analytics.reports import open_reports

    with open_reports(settings) as reports:
        row = reports.row(
            "select count(*), count(distinct event_id),"
            " count(case when arrival_hour > newest - interval '24' hour then 1 end)"
            f" from {DUPLICATES} cross join (select max(arrival_hour) as newest from processed_hours) as hours"
            " where is_collision"
        )
    return dict(zip(("events_collided", "event_ids", "events_collided_newest_day"), row, strict=True))


def credited(lake: Lake) -> dict[str, set[Decimal]]:
    """Sums of revenue by currency: those of each model and dimension, and that of the rule models."""
    from blotout_orchestration.analytics.reports import open_reports

    sums: dict[tuple[str, str, str], Decimal] = {}
    for row in lake.read(ATTRIBUTION_DATA_DRIVEN).to_pylist():
        key = (row["currency"], row["model"], row["dimension"])
        sums[key] = sums.get(key, Decimal(0)) + row["revenue"]
    found: dict[str, set[Decimal]] = {}
    for (currency, _, _), amount in sums.items():
        found.setdefault(currency, set()).add(amount)
    with open_reports(lake.settings) as reports:
        rows = reports.rows(
            "select currency, sum(attributed_revenue) from attribution where model = 'last_touch' group by 1"
        )
        for currency, amount in rows:
            found.setdefault(currency or "(not set)", set()).add(Decimal(str(amount)))
    return found
