"""Questions and answers of Cost Explorer, checked against the service's own description by botocore."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from blotout_orchestration.maintenance.billing.bill import Bill, Month
from blotout_orchestration.maintenance.billing.cost_explorer import (
    CostExplorerError,
    read_forecast,
    read_lines,
)

OCTOBER = Month(date(2026, 10, 1))
PERIOD = {"Start": "2026-09-01", "End": "2026-11-01"}
KINDS = {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund", "Tax"]}}


@pytest.fixture
def explorer() -> Any:
    """A client that reaches nobody."""
    return boto3.client("ce", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def question(dimension: str, condition: Any, **more: str) -> dict[str, Any]:
    """What must be asked."""
    return {
        "TimePeriod": PERIOD,
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [
            {"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"},
            {"Type": "DIMENSION", "Key": dimension},
        ],
        "Filter": condition,
        **more,
    }


def answer(groups: list[tuple[str, str, str, str]], token: str | None = None) -> dict[str, Any]:
    """An answer: day, account, name, amount in USD."""
    results = [
        {
            "TimePeriod": {"Start": day, "End": day},
            "Groups": [
                {"Keys": [account, name], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
            ],
            "Estimated": False,
        }
        for day, account, name, amount in groups
    ]
    return {"ResultsByTime": results, **({"NextPageToken": token} if token else {})}


def test_all_pages_of_both_questions_become_lines(explorer: Any) -> None:
    with Stubber(explorer) as stub:
        usage = [("2026-10-01", "1" * 12, "Amazon S3", "10.5"), ("2026-09-30", "2" * 12, "AWS Glue", "2")]
        no_usage = {"Not": KINDS}
        stub.add_response("get_cost_and_usage", answer(usage[:1], "p2"), question("SERVICE", no_usage))
        stub.add_response(
            "get_cost_and_usage", answer(usage[1:]), question("SERVICE", no_usage, NextPageToken="p2")
        )
        corrections = [("2026-10-02", "1" * 12, "Credit", "-4"), ("2026-10-02", "1" * 12, "Tax", "0")]
        stub.add_response("get_cost_and_usage", answer(corrections), question("RECORD_TYPE", KINDS))
        lines = read_lines(explorer, OCTOBER)
        stub.assert_no_pending_responses()
    bill = Bill(OCTOBER, "b", lines)
    assert bill.total("USD") == Decimal("6.5")
    assert bill.total("USD", "credit") == -4
    assert bill.total("USD", month=OCTOBER.previous) == 2
    assert len(lines) == 3, "an amount of nothing is no line"


def test_only_the_accounts_that_were_named_are_asked_for(explorer: Any) -> None:
    mine = {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": ["3" * 12]}}
    with Stubber(explorer) as stub:
        stub.add_response(
            "get_cost_and_usage", answer([]), question("SERVICE", {"And": [{"Not": KINDS}, mine]})
        )
        stub.add_response("get_cost_and_usage", answer([]), question("RECORD_TYPE", {"And": [KINDS, mine]}))
        assert read_lines(explorer, OCTOBER, ["3" * 12]) == []


def test_a_refusal_is_an_error_with_its_code(explorer: Any) -> None:
    with Stubber(explorer) as stub:
        stub.add_client_error("get_cost_and_usage", "AccessDeniedException")
        with pytest.raises(CostExplorerError, match="AccessDeniedException"):
            read_lines(explorer, OCTOBER)


def test_the_rest_of_the_running_month_is_forecast(explorer: Any) -> None:
    with Stubber(explorer) as stub:
        stub.add_response(
            "get_cost_forecast",
            {"Total": {"Amount": "123.45", "Unit": "USD"}},
            {
                "TimePeriod": {"Start": "2026-11-03", "End": "2026-12-01"},
                "Metric": "UNBLENDED_COST",
                "Granularity": "MONTHLY",
                "Filter": {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": ["3" * 12]}},
            },
        )
        forecast = read_forecast(explorer, date(2026, 11, 3), ["3" * 12])
    assert (forecast.month.name, forecast.amount, forecast.unit) == ("2026-11", Decimal("123.45"), "USD")


def test_an_account_too_young_for_a_forecast_still_gets_its_bill(explorer: Any) -> None:
    with Stubber(explorer) as stub:
        stub.add_client_error("get_cost_forecast", "DataUnavailableException")
        assert "DataUnavailableException" in read_forecast(explorer, date(2026, 11, 3)).reason
