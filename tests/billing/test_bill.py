"""Sums of a bill, and how people see them."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.errors import UsageError
from blotout_orchestration.maintenance.billing import showing
from blotout_orchestration.maintenance.billing.bill import (
    Bill,
    Forecast,
    Line,
    LineKind,
    Month,
    month_named,
    month_of,
)
from blotout_orchestration.maintenance.billing.pictures import chart

OCTOBER = Month(date(2026, 10, 1))

CORRECTIONS: tuple[LineKind, ...] = ("credit", "refund", "tax")

lines = st.lists(
    st.builds(
        Line,
        st.dates(date(2026, 9, 1), date(2026, 10, 31)),
        st.sampled_from(["111111111111", "222222222222"]),
        st.sampled_from(["Amazon S3", "Amazon EMR", "AWS Glue"]),
        st.sampled_from(["usage", "credit", "refund", "tax"]),
        st.decimals("-1000", "1000", places=4),
        st.sampled_from(["USD", "EUR"]),
    ),
    max_size=40,
)


def line(
    day: date, item: str, amount: str, kind: str = "usage", unit: str = "USD", account: str = "1" * 12
) -> Line:
    """A line of one account."""
    return Line(day, account, item, kind, Decimal(amount), unit)  # type: ignore[arg-type]


@given(lines)
def test_items_days_and_corrections_add_up_to_the_total_of_each_currency(given_lines: list[Line]) -> None:
    bill = Bill(OCTOBER, "bill", given_lines)
    for unit in bill.units:
        usage = bill.total(unit, "usage")
        assert sum(row.amount for row in bill.by_item(unit)) == usage
        assert sum(amount for _, amount in bill.by_day(unit)) == usage
        corrections = sum(bill.total(unit, kind) for kind in CORRECTIONS)
        assert usage + corrections == bill.total(unit)
        assert sum(row.amount for row in bill.by_account(unit)) == bill.total(unit)


@given(lines)
def test_the_csv_holds_exactly_the_lines_of_the_month(given_lines: list[Line]) -> None:
    bill = Bill(OCTOBER, "bill", given_lines)
    rows = list(csv.DictReader(io.StringIO(showing.as_csv(bill).decode())))
    assert len(rows) == sum(OCTOBER.holds(one.day) for one in given_lines)
    for unit in bill.units:
        assert sum(Decimal(row["amount"]) for row in rows if row["unit"] == unit) == bill.total(unit)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_day_lies_in_its_month_and_in_no_other(day: date) -> None:
    month = month_of(day)
    assert month.holds(day)
    assert not month.next.holds(day)
    assert not month.previous.holds(day)
    assert month.next.previous == month
    assert month_named(month.name) == month


def test_a_service_that_is_gone_is_shown_with_what_it_cost_before() -> None:
    bill = Bill(
        OCTOBER, "b", [line(date(2026, 9, 4), "Amazon EMR", "40"), line(date(2026, 10, 4), "Amazon S3", "9")]
    )
    assert [(row.item, row.amount, row.before) for row in bill.by_item("USD")] == [
        ("Amazon S3", Decimal(9), Decimal(0)),
        ("Amazon EMR", Decimal(0), Decimal(40)),
    ]
    assert bill.by_item("USD")[1].share == -1
    assert "new" in showing.text(bill)


def test_currencies_are_never_added_together() -> None:
    bill = Bill(OCTOBER, "b", [line(OCTOBER.first, "S3", "1"), line(OCTOBER.first, "S3", "5", unit="EUR")])
    text = showing.text(bill)
    assert "1.00 USD" in text
    assert "5.00 EUR" in text
    assert "6.00" not in text


def test_credits_and_refunds_stand_apart_from_usage() -> None:
    kinds = (("Amazon S3", "100", "usage"), ("Credit", "-30", "credit"), ("Refund", "-5", "refund"))
    bill = Bill(OCTOBER, "b", [line(OCTOBER.first, item, amount, kind) for item, amount, kind in kinds])
    assert bill.total("USD") == 65
    assert "credits -30.00 USD, refunds -5.00 USD" in showing.text(bill)
    assert [row.item for row in bill.by_item("USD")] == ["Amazon S3"]


def test_names_are_escaped_in_html() -> None:
    page = showing.html(Bill(OCTOBER, "b", [line(OCTOBER.first, "<script>alert(1)</script>", "1")]))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_missing_forecast_says_why() -> None:
    bill = Bill(
        OCTOBER, "b", [], Forecast(OCTOBER.next, reason="Cost Explorer answered DataUnavailableException")
    )
    assert "No forecast for 2026-11: Cost Explorer answered DataUnavailableException." in showing.text(bill)


def test_a_month_without_any_line_can_be_shown_and_drawn() -> None:
    bill = Bill(OCTOBER, "b", [])
    assert "Nothing was used" in showing.html(bill)
    assert chart(bill, "").startswith(b"\x89PNG")


def test_many_items_fit_on_the_chart() -> None:
    many = [
        line(OCTOBER.first + timedelta(days=number % 31), f"service {number}", "1") for number in range(40)
    ]
    assert chart(Bill(OCTOBER, "b", many), "USD").startswith(b"\x89PNG")


def test_a_month_that_is_none_is_refused_with_its_value() -> None:
    with pytest.raises(UsageError, match="2026-13"):
        month_named("2026-13")
