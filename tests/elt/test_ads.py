"""Reports of the ad platforms: declared, paged, restated, and summed to a day and campaign for the reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from blotout_orchestration.elt.contract import AD_SPEND
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import Pipeline
from tests.elt.ads import Platforms, serving
from tests.elt.conftest import Load, only, pipeline, stream, table


@pytest.fixture
def platforms(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platforms]:
    for name, value in {"DEV": "dev", "SECRET": "s", "REFRESH": "refresh", "META": "meta"}.items():
        monkeypatch.setenv(name, value)
    with serving(Platforms(real_data)) as made:
        yield made


def google(platforms: Platforms) -> Pipeline:
    connection = {
        "customer_id": "2121450128",
        "developer_token": "env:DEV",
        "client_id": "c",
        "client_secret": "env:SECRET",
        "refresh_token": "env:REFRESH",
        "token_url": f"{platforms.address}token",
        "base_url": platforms.address,
    }
    return pipeline("google_ads", connection, stream("campaign_stats"))


def test_googles_report_comes_whole_in_the_types_of_its_table(
    platforms: Platforms, lake: Lake, load: Load
) -> None:
    report = only(load(google(platforms)))
    assert report.rows_read == len(platforms.google)
    assert platforms.tokens == 1
    columns = ("id", "date", "cost_micros", "impressions", "conversions", "device")
    found = table(lake, "campaign_stats", *columns)
    keys = {(row["id"], row["date"], row["device"], row["ad_network_type"]) for row in platforms.google}
    assert len(found) == len(keys)
    assert all(isinstance(row[1], date) and isinstance(row[3], int) for row in found)
    micros = sum(int(row["cost_micros"]) for row in platforms.google)
    assert sum(row[2] or 0 for row in found) == micros
    spend = lake.read(AD_SPEND).to_pylist()
    assert sum(row["spend"] or 0 for row in spend) == Decimal(micros) / 1_000_000
    assert len(spend) == len({(row["id"], row["date"]) for row in platforms.google})
    assert {(row["ad_platform"], row["currency"], row["account_time_zone"]) for row in spend} == {
        ("google", "USD", "America/New_York")
    }


def test_a_restated_day_replaces_the_old_figures_within_the_lag(
    platforms: Platforms, lake: Lake, load: Load
) -> None:
    load(google(platforms))
    newest = max(platforms.google, key=lambda row: row["date"])
    newest["cost_micros"] = "5000000"
    report = only(load(google(platforms)))
    start = date.fromisoformat(newest["date"]) - timedelta(days=30)
    assert f"segments.date >= '{start.isoformat()}'" in platforms.queries[-1]
    assert (report.rows_added, report.rows_replaced) == (1, 1)
    micros = sum(int(row["cost_micros"]) for row in platforms.google)
    assert sum(row["spend"] or 0 for row in lake.read(AD_SPEND).to_pylist()) == Decimal(micros) / 1_000_000


def test_metas_insights_are_paged_by_links_and_their_actions_are_a_table(
    platforms: Platforms, lake: Lake, load: Load
) -> None:
    platforms.meta = [
        row | {"date": f"2026-01-{1 + index % 28:02d}", "ad_id": str(1000 + index)}
        for index, row in enumerate(platforms.meta)
    ]
    connection = {"account_id": "1700252260223815", "access_token": "env:META", "base_url": platforms.address}
    made = pipeline("facebook_ads", connection, stream("basic_ad"), stream("basic_ad_actions"))
    report = load(made)
    assert [one.rows_in_table for one in report.streams] == [len(platforms.meta), 2 * len(platforms.meta)]
    assert platforms.ranges[0]["since"] == "2023-01-01"
    spend = lake.read(AD_SPEND).to_pylist()
    assert sum(row["spend"] for row in spend) == sum(Decimal(row["spend"]) for row in platforms.meta)
    assert sum(row["platform_conversions"] for row in spend) == 2 * len(platforms.meta)
    assert len(spend) == len({row["date"] for row in platforms.meta})
    kinds = {row[0] for row in table(lake, "basic_ad_actions", "action_type", "value")}
    assert kinds == {"link_click", "purchase"}
