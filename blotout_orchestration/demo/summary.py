"""What a lake and its reports hold, in the dozen figures that tell whether all went well.

Belongs here: counting and showing. The figures come from the ledger of hours, the lake's tables and the
reports, not from the demo store: it works on any deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from blotout_orchestration.analytics.reports import open_reports
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

Summary = dict[str, int | float]


class UnbalancedSummaryError(BlotoutError):
    """Figures that must agree do not: events got lost, or revenue was credited twice."""


_MEANINGS = {
    "events_in": "events and unreadable lines that arrived = good + bad + duplicates",
    "events_good": "different events, first arrival kept",
    "events_bad": "refused with a reason, in bad_events",
    "events_duplicate": "second deliveries = within the hour + across hours",
    "events_duplicate_within_hour": "dropped when the hour was flattened",
    "events_duplicate_across_hours": "resolved in unique_events, whatever order the hours ran in",
    "events_collided": "of those, second deliveries with other content than the first",
    "hours": "hours of arrival processed",
    "ids": "cookies, customer ids, e-mails, phones, click ids in the id graph",
    "people": "persons that they belong to",
    "sessions": "visits by people, robots left out",
    "orders": "orders, online and offline, each counted once",
    "revenue": "their revenue",
    "attributed_revenue": "credit that the last-touch model gives = revenue",
    "revenue_without_touch": "of that, orders without a session in 90 days",
    "seconds": "from start to end",
}


def _lake_figures(settings: Settings) -> Summary:
    import duckdb

    lake = Lake(settings)
    with duckdb.connect() as connection:
        lake.register(connection, "event_hours", EVENT_HOURS)
        lake.register(connection, "core_events", CORE_EVENTS)
        lake.register(connection, "id_graph", ID_GRAPH)
        hours, found, bad, within = connection.execute(
            "select count(*), coalesce(sum(events_in), 0)::bigint, coalesce(sum(events_bad), 0)::bigint, "
            "coalesce(sum(events_duplicate), 0)::bigint from event_hours"
        ).fetchone() or (0, 0, 0, 0)
        rows, good = connection.execute(
            "select count(*), count(distinct event_id) from core_events"
        ).fetchone() or (0, 0)
        ids, people = connection.execute(
            "select count(*), count(distinct global_user_id) from id_graph"
        ).fetchone() or (0, 0)
    return {
        "events_in": found,
        "events_good": good,
        "events_bad": bad,
        "events_duplicate": within + rows - good,
        "events_duplicate_within_hour": within,
        "events_duplicate_across_hours": rows - good,
        "hours": hours,
        "ids": ids,
        "people": people,
    }


def _warehouse_figures(settings: Settings) -> Summary:
    with open_reports(settings) as reports:
        (collided,) = reports.row("select count(*) from duplicate_events where is_collision")
        (sessions,) = reports.row("select count(*) from sessions where not is_bot")
        orders, revenue = reports.row(
            "select count(*), coalesce(sum(revenue), 0) from conversions where not is_bot"
        )
        credit = "select coalesce(sum(attributed_revenue), 0) from attribution where model = 'last_touch'"
        (attributed,) = reports.row(credit)
        (without,) = reports.row(f"{credit} and touch_number = 0")
    return {
        "events_collided": int(collided),
        "sessions": int(sessions),
        "orders": int(orders),
        "revenue": round(float(revenue), 4),
        "attributed_revenue": round(float(attributed), 4),
        "revenue_without_touch": round(float(without), 4),
    }


def _seconds(settings: Settings, started_at: datetime | None) -> Summary:
    """From the given start to now; else from the first processed hour to the published warehouse, if any."""
    if started_at is not None:
        return {"seconds": round((datetime.now(UTC) - started_at).total_seconds(), 1)}
    times = Lake(settings).read(EVENT_HOURS, columns=("processed_at",)).column("processed_at").to_pylist()
    published = Path(settings.published_path)
    if not times or not published.exists():
        return {}
    ended = datetime.fromtimestamp(published.stat().st_mtime, UTC)
    return {"seconds": round(max(0.0, float((ended - min(times)).total_seconds())), 1)}


def summarise(settings: Settings, started_at: datetime | None = None) -> Summary:
    """The figures of a deployment by name; `seconds` run from `started_at`, if given.

    Without it they end when the warehouse was published; where nothing is published they are left out.

    Raises `UnbalancedSummaryError` when input is not good + bad + duplicates or credit is not revenue, and
    WarehouseError when nothing was published yet.
    """
    figures = _lake_figures(settings) | _warehouse_figures(settings)
    parts = figures["events_good"] + figures["events_bad"] + figures["events_duplicate"]
    if figures["events_in"] != parts:
        raise UnbalancedSummaryError(
            f"{figures['events_in']} events came in, but good, bad and duplicates are {parts}; "
            f"run events_incremental again for the hours of event_hours"
        )
    if figures["attributed_revenue"] != figures["revenue"]:
        raise UnbalancedSummaryError(
            f"revenue is {figures['revenue']}, its last-touch credit {figures['attributed_revenue']}; "
            f"run the job attribution again"
        )
    return figures | _seconds(settings, started_at)


def summary_table(figures: Mapping[str, int | float], title: str = "What was made") -> Table:
    """The figures as a table with what each means."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("meaning")
    for name, meaning in _MEANINGS.items():
        if name in figures:
            value = figures[name]
            is_money = "revenue" in name
            table.add_row(name, f"{value:,.2f}" if is_money else f"{value:,}", meaning)
    return table
