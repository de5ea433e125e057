"""Lines and forecast from AWS Cost Explorer.

Belongs here: its requests and answers. Does not belong here: sums. Source: AWS Billing and Cost Management API
reference, GetCostAndUsage and GetCostForecast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.maintenance.billing.bill import Forecast, Line, LineKind, Month, month_of

ENDPOINT_REGION: Final = "us-east-1"
"""Cost Explorer has one endpoint for all regions."""
METRIC: Final = "UnblendedCost"
KINDS: Final[Mapping[str, LineKind]] = {"Credit": "credit", "Refund": "refund", "Tax": "tax"}
"""Record types that are not usage; every other one is."""


class CostExplorerError(BlotoutError):
    """Cost Explorer did not answer; the message says with which code."""


def client() -> Any:
    """A client of Cost Explorer."""
    import boto3

    return boto3.client("ce", region_name=ENDPOINT_REGION)


def read_lines(explorer: Any, month: Month, accounts: Sequence[str] = ()) -> list[Line]:
    """Daily lines of a month and the month before, of some accounts or of all. Raises CostExplorerError.

    Two questions, because an answer can be grouped by two things at most: usage by account and service, and
    credits, refunds and taxes by account and record type.
    """
    period = {"Start": month.previous.first.isoformat(), "End": month.next.first.isoformat()}
    kinds = {"Dimensions": {"Key": "RECORD_TYPE", "Values": sorted(KINDS)}}
    return [
        *_lines(explorer, period, "SERVICE", {"Not": kinds}, accounts),
        *_lines(explorer, period, "RECORD_TYPE", kinds, accounts),
    ]


def _lines(
    explorer: Any,
    period: Mapping[str, str],
    dimension: str,
    condition: Mapping[str, Any],
    accounts: Sequence[str],
) -> Iterator[Line]:
    limits: list[Mapping[str, Any]] = [condition]
    if accounts:
        limits.append({"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": list(accounts)}})
    question: dict[str, Any] = {
        "TimePeriod": period,
        "Granularity": "DAILY",
        "Metrics": [METRIC],
        "GroupBy": [
            {"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"},
            {"Type": "DIMENSION", "Key": dimension},
        ],
        "Filter": {"And": limits} if len(limits) > 1 else condition,
    }
    while True:
        answer = _ask(explorer.get_cost_and_usage, question)
        for day in answer["ResultsByTime"]:
            for group in day["Groups"]:
                account, name = group["Keys"]
                cost = group["Metrics"][METRIC]
                amount = Decimal(cost["Amount"])
                if amount:
                    kind: LineKind = KINDS.get(name, "usage") if dimension == "RECORD_TYPE" else "usage"
                    start = date.fromisoformat(day["TimePeriod"]["Start"])
                    yield Line(start, account, name, kind, amount, cost["Unit"])
        token = answer.get("NextPageToken")
        if not token:
            return
        question["NextPageToken"] = token


def read_forecast(explorer: Any, today: date, accounts: Sequence[str] = ()) -> Forecast:
    """What is left of the running month, of some accounts or of all.

    Cost Explorer refuses for young accounts, which is a reason here.
    """
    month = month_of(today)
    period = {"Start": today.isoformat(), "End": month.next.first.isoformat()}
    question: dict[str, Any] = {"TimePeriod": period, "Metric": "UNBLENDED_COST", "Granularity": "MONTHLY"}
    if accounts:
        question["Filter"] = {"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": list(accounts)}}
    try:
        total = _ask(explorer.get_cost_forecast, question)["Total"]
    except CostExplorerError as error:
        return Forecast(month, reason=str(error))
    return Forecast(month, Decimal(total["Amount"]), total["Unit"])


def _ask(call: Any, question: Mapping[str, Any]) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(**question)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "ClientError")
        raise CostExplorerError(f"Cost Explorer answered {code}") from None
    except BotoCoreError as error:
        raise CostExplorerError(f"Cost Explorer: {type(error).__name__}") from None
