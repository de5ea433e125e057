"""A year of real orders through the whole warehouse: offline orders in, cohorts out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pyarrow as pa
import pytest

from blotout_orchestration.analytics.dbt_project import run_dbt
from blotout_orchestration.analytics.warehouse import prepare_sources
from blotout_orchestration.elt.contract import OFFLINE_EVENTS
from blotout_orchestration.lake import Lake

SELECT = ["tag:events_unified_view,resource_type:model", "tag:retention"]


def _invoices(real_data: Path) -> Any:
    """One row an invoice; the lines' numbers are kept so that nothing is lost unnoticed."""
    lines = pandas.read_parquet(real_data / "online_retail" / "online_retail.parquet")
    lines["amount"] = (lines["Quantity"] * lines["UnitPrice"]).round(4)
    lines["InvoiceNo"] = lines["InvoiceNo"].astype(str)
    return lines.groupby("InvoiceNo", as_index=False).agg(
        at=("InvoiceDate", "min"),
        customer=("CustomerID", "first"),
        amount=("amount", "sum"),
        units=("Quantity", "sum"),
        lines=("Quantity", "size"),
        lines_without_customer=("CustomerID", lambda ids: ids.isna().sum()),
    )


def _offline_events(invoices: Any) -> pa.Table:
    loaded = datetime(2012, 1, 1, tzinfo=UTC)
    rows = [
        {
            "event_id": row.InvoiceNo,
            "source_name": "online_retail",
            "event_name": "order_refunded" if row.InvoiceNo.startswith("C") else "order_completed",
            "event_datetime": row.at.to_pydatetime().replace(tzinfo=UTC),
            "person_id": None if pandas.isna(row.customer) else str(int(row.customer)),
            "person_id_type": "map_id",
            "person_id_provider": "online_retail",
            "transaction_id": row.InvoiceNo,
            "revenue": Decimal(f"{row.amount:.4f}"),
            "currency": "GBP",
            "quantity": float(row.units),
            "etl_run_date": loaded.date(),
            "etl_run_datetime": loaded,
        }
        for row in invoices.itertuples()
    ]
    return pa.Table.from_pylist(rows, schema=OFFLINE_EVENTS.arrow_schema)


def _straight_cohorts(invoices: Any) -> dict[tuple[str, int], tuple[int, int]]:
    """(cohort month, period) -> (cohort size, retained), counted without any of our SQL."""
    seen = invoices.dropna(subset=["customer"])[["customer", "at"]].copy()
    seen["month"] = seen["at"].dt.to_period("M")
    seen["cohort"] = seen.groupby("customer")["month"].transform("min")
    sizes = seen.groupby("cohort")["customer"].nunique()
    cells = seen.groupby(["cohort", "month"])["customer"].nunique()
    return {
        (str(cohort), (month - cohort).n): (int(sizes[cohort]), int(retained))
        for (cohort, month), retained in cells.items()
    }


def test_a_year_of_orders_keeps_its_counts_and_gives_the_cohorts_that_pandas_counts(
    lake: Lake, real_data: Path
) -> None:
    invoices = _invoices(real_data)
    events = _offline_events(invoices)
    assert (len(events), int(invoices["lines"].sum())) == (25_900, 541_909)
    assert int(invoices["lines_without_customer"].sum()) == 135_080
    cancelled = invoices["InvoiceNo"].str.startswith("C")
    assert int(invoices.loc[cancelled, "lines"].sum()) == 9_288
    lake.append(OFFLINE_EVENTS, events, {})
    prepare_sources(lake, full_refresh=True)
    run_dbt("build", lake.settings, select=SELECT, full_refresh=True)
    with duckdb.connect(str(lake.settings.warehouse_path), read_only=True) as connection:
        connection.execute(f'set schema = "{lake.namespace}"')
        known = connection.execute(
            "select count(*), count(distinct global_user_id), sum(revenue) from unified_events"
        ).fetchone()
        assert known == (25_900, 4_372, pytest.approx(Decimal("9747747.93"), abs=Decimal("0.01")))
        cells = connection.execute(
            "select strftime(cohort_start, '%Y-%m'), period_number, cohort_size, retained, is_complete "
            "from retention where granularity = 'month' and population = 'new_users' "
            "and mode = 'bounded' and breakdown = 'all'"
        ).fetchall()
    cohorts = {(month, number): (size, retained) for month, number, size, retained, _ in cells if retained}
    assert cohorts == _straight_cohorts(invoices)
    assert sum(size for (_, number), (size, _) in cohorts.items() if number == 0) == 4_372
    unfinished = {(month, number) for month, number, _, _, complete in cells if not complete}
    assert len(unfinished) == 13
    assert ("2011-12", 0) in unfinished
