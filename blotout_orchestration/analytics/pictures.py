"""Pictures and figures of the reports, for the metadata of assets.

Belongs here: reading a report and handing it to plots.py. What a report means is said in its dbt model.
"""

from __future__ import annotations

from typing import Any

from dagster import MetadataValue

from blotout_orchestration.analytics.data_driven import ATTRIBUTION_DATA_DRIVEN, DataDrivenResult
from blotout_orchestration.analytics.plots import (
    ChannelCredit,
    RetentionCell,
    attribution_bars,
    retention_heat_map,
)
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.plots import picture

POPULATIONS = {"New users only": "retention_new_users", "Everyone": "retention_everyone"}


def retention_metadata(lake: Lake, granularity: str = "week") -> dict[str, Any]:
    """The two cohort charts of the newest cohorts: new users only, and everyone (bounded retention)."""
    from blotout_orchestration.analytics.reports import literal, open_reports

    metadata: dict[str, Any] = {}
    with open_reports(lake.settings) as reports:
        for chart, name in POPULATIONS.items():
            rows = reports.rows(
                "select cohort_start, period_number, cohort_size, rate, is_complete from retention_report"
                f" where granularity = {literal(granularity)} and chart = {literal(chart)}"
                " and mode = 'bounded' and breakdown = 'all'"
            )
            cells = [RetentionCell(row[0], int(row[1]), int(row[2]), float(row[3]), row[4]) for row in rows]
            metadata[name] = picture(retention_heat_map(cells, f"Retention by {granularity}: {chart}"), chart)
            metadata[f"{name}_cohorts"] = len({cell.cohort_start for cell in cells})
    return metadata


def attribution_metadata(lake: Lake, result: DataDrivenResult) -> dict[str, Any]:
    """Revenue by channel, rule models and data-driven models side by side, for the biggest currency."""
    from blotout_orchestration.analytics.reports import open_reports

    with open_reports(lake.settings) as reports:
        # The data-driven rows say `(not set)` where orders name no currency; the report has null there.
        rows = list(
            reports.rows(
                "select coalesce(currency, '(not set)') as currency, model, channel, sum(attributed_revenue)"
                " from attribution_report group by 1, 2, 3 order by 1, 2, 3"
            )
        )
    sums: dict[str, float] = {}
    for currency, _, _, amount in rows:
        sums[currency] = sums.get(currency, 0.0) + float(amount)
    currency = max(sums, key=lambda name: sums[name], default="")
    credits = [ChannelCredit(row[1], row[2], float(row[3])) for row in rows if row[0] == currency]
    credits += [
        ChannelCredit(row.model, row.name, float(row.revenue))
        for row in result.credits
        if row.currency == currency and row.dimension == "channel"
    ]
    bars = attribution_bars(credits, "Attributed revenue by channel and model", currency)
    return {
        "dagster/row_count": len(result.credits),
        "dagster/table_name": f"{lake.namespace}.{ATTRIBUTION_DATA_DRIVEN.name}",
        "converted_journeys": result.converted_journeys,
        "open_journeys": result.open_journeys,
        "revenue_by_channel": picture(bars, "attributed revenue by channel and model"),
        "removal_effects": MetadataValue.md(_effects(result, currency)),
    }


def _effects(result: DataDrivenResult, currency: str) -> str:
    lines = ["| channel | removal effect | conversions | revenue |", "|---|---|---|---|"]
    chosen = [
        row
        for row in result.credits
        if (row.model, row.dimension, row.currency) == ("markov", "channel", currency)
    ]
    for row in sorted(chosen, key=lambda row: -row.revenue):
        effect = "" if row.removal_effect is None else f"{row.removal_effect:.3f}"
        lines.append(f"| {row.name} | {effect} | {row.conversions:,.1f} | {row.revenue:,.2f} |")
    return "\n".join(lines)
