"""The reports are read on every ground: the same figures from DuckDB, Trino and Athena, and clear refusals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest

from blotout_orchestration.analytics import data_driven, pictures
from blotout_orchestration.analytics.checks import analytics_checks, collisions, credited
from blotout_orchestration.analytics.pictures import attribution_metadata, retention_metadata
from blotout_orchestration.analytics.plots import ChannelCredit, attribution_bars
from blotout_orchestration.analytics.reports import ReportsError, open_reports
from blotout_orchestration.analytics.warehouse import WarehouseError
from blotout_orchestration.demo.summary import summarise
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.analytics.report_grounds import NAMES, SCHEMA, fill, on, served


@pytest.fixture(params=["duckdb", "trino", "athena"])
def ground(request: pytest.FixtureRequest, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with served(lake, request.param, monkeypatch) as (there, _):
        yield there


def test_the_data_driven_models_credit_the_same_on_every_ground_and_write_to_the_lake(ground: Lake) -> None:
    result = data_driven.compute(ground, run_id="r")
    assert (result.converted_journeys, result.open_journeys) == (7, 3)
    assert result.total("shapley", "channel", "EUR") == (pytest.approx(6), Decimal("106.9901"))
    assert result.total("markov", "campaign", "(not set)") == (pytest.approx(1), Decimal(5))
    rows = ground.read(data_driven.ATTRIBUTION_DATA_DRIVEN).to_pylist()
    assert {row["name"] for row in rows} == {*NAMES, "Direct", "O'Neil", "(no touch)"}
    by_name = {
        row["name"]: row["revenue"]
        for row in rows
        if (row["model"], row["dimension"]) == ("shapley", "channel")
    }
    assert by_name["a > b"] == by_name["Spring, sale"] == by_name['say "hi"'] == Decimal("7.6422")


def test_more_revenue_than_one_amount_holds_is_credited_into_the_table_of_an_older_version(
    lake: Lake,
) -> None:
    fill(lake.settings.published_path)
    with duckdb.connect(str(lake.settings.published_path)) as connection:
        connection.execute(
            f"update {SCHEMA}.conversion_paths set revenue = 99999999999999.9999 where is_converted"
        )
    new = data_driven.ATTRIBUTION_DATA_DRIVEN
    columns = tuple(replace(one, type="money") if one.name == "revenue" else one for one in new.columns)
    lake.ensure(replace(new, columns=columns))
    result = data_driven.compute(lake)
    assert result.total("markov", "channel", "EUR")[1] == 6 * Decimal("99999999999999.9999")
    rows = lake.read(new).to_pylist()
    credited_by_markov = [
        row["revenue"]
        for row in rows
        if (row["model"], row["dimension"], row["currency"]) == ("markov", "channel", "EUR")
    ]
    assert sum(credited_by_markov) == 6 * Decimal("99999999999999.9999")


def test_the_checks_and_pictures_read_the_same_on_every_ground(ground: Lake) -> None:
    result = data_driven.compute(ground)
    assert credited(ground) == {"EUR": {Decimal("106.9901")}, "(not set)": {Decimal(5)}}
    assert collisions(ground.settings) == {
        "events_collided": 2,
        "event_ids": 1,
        "events_collided_newest_day": 1,
    }
    retention = retention_metadata(ground)
    assert (retention["retention_new_users_cohorts"], retention["retention_everyone_cohorts"]) == (1, 0)
    assert attribution_metadata(ground, result)["converted_journeys"] == 7


def test_orders_that_name_no_currency_are_pictured_by_all_models(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake.settings.published_path)
    with duckdb.connect(str(lake.settings.published_path)) as connection:
        for table in ("conversion_paths", "attribution_report"):
            connection.execute(f"update {SCHEMA}.{table} set currency = null")
    drawn: list[tuple[set[str], str]] = []

    def bars(credits: list[ChannelCredit], title: str, currency: str) -> bytes:
        drawn.append(({one.model for one in credits}, currency))
        return attribution_bars(credits, title, currency)

    monkeypatch.setattr(pictures, "attribution_bars", bars)
    found = attribution_metadata(lake, data_driven.compute(lake))
    assert drawn == [({"linear", "markov", "shapley"}, "(not set)")]
    assert "| Spring, sale |" in found["removal_effects"].md_str


def test_the_figures_of_a_deployment_are_counted_on_every_ground(ground: Lake) -> None:
    figures = summarise(ground.settings)
    assert {name: figures[name] for name in ("sessions", "orders", "events_collided")} == {
        "sessions": 2,
        "orders": 2,
        "events_collided": 2,
    }
    assert (figures["revenue"], figures["attributed_revenue"]) == (111.9901, 111.9901)
    assert figures["revenue_without_touch"] == 5
    assert "seconds" not in figures
    assert summarise(ground.settings, datetime.now(UTC))["seconds"] >= 0


def test_the_checks_are_the_same_on_every_ground(lake: Lake) -> None:
    def names(there: Lake) -> set[str]:
        return {str(key) for check in analytics_checks(there) for key in check.check_keys}

    assert names(lake) == names(on(lake, "trino", "localhost:8080")) == names(on(lake, "athena"))


def test_a_warehouse_without_any_path_has_no_credit_and_counts_nothing(lake: Lake) -> None:
    fill(lake.settings.published_path)
    with duckdb.connect(str(lake.settings.published_path)) as connection:
        connection.execute(f"delete from {SCHEMA}.conversion_paths")
        connection.execute(f"delete from {SCHEMA}.duplicate_events")
    assert data_driven.compute(lake) == data_driven.DataDrivenResult((), 0, 0)
    assert collisions(lake.settings)["events_collided_newest_day"] == 0


def test_values_have_their_types_and_lists_come_as_json(ground: Lake) -> None:
    with open_reports(ground.settings) as reports:
        rows = list(
            reports.rows("select cohort_start, period_number, rate, is_complete from retention_report")
        )
        money = reports.row("select sum(revenue), max(currency), count(*) from conversion_paths")
        lists = list(reports.rows(f"select {reports.list_text('channel_path')} from conversion_paths"))
    assert sorted(rows)[-1] == (date(2026, 3, 2), 4, 0.2, False)
    assert len(rows) == 5
    assert [type(value) for value in sorted(rows)[0]] == [date, int, float, bool]
    assert money == (Decimal("111.9901"), "EUR", 10)
    assert (None,) in lists
    assert ('["Spring, sale","Direct"]',) in lists


def test_a_report_that_is_not_built_yet_is_named_with_what_to_do(ground: Lake) -> None:
    with (
        open_reports(ground.settings) as reports,
        pytest.raises(ReportsError, match=r"(?s)run events_unified_view and then its own job.*view_users"),
    ):
        list(reports.rows("select * from view_users"))


def test_a_query_that_is_refused_is_told_in_the_words_of_the_service(ground: Lake) -> None:
    with open_reports(ground.settings) as reports, pytest.raises(ReportsError, match="could not answer"):
        list(reports.rows("select no_such_column from conversion_paths"))


def test_without_a_published_copy_the_error_says_so(settings: Settings) -> None:
    with pytest.raises(WarehouseError, match="run events_unified_view first"), open_reports(settings):
        pass
