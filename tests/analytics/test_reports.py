"""The reports are read on every ground: the same figures from DuckDB, Trino and Athena, and clear refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import duckdb
import httpx
import pytest
from moto.server import ThreadedMotoServer

from blotout_orchestration.analytics import data_driven
from blotout_orchestration.analytics.checks import analytics_checks, collisions, credited
from blotout_orchestration.analytics.pictures import attribution_metadata, retention_metadata
from blotout_orchestration.analytics.reports import ReportsError, open_reports
from blotout_orchestration.analytics.warehouse import WarehouseError
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.analytics.services import AthenaService, Service, TrinoService, serving

SCHEMA = "shop_test"
NAMES = ["Email", "Spring, sale", 'say "hi"', "a > b", "Ünï", ""]
TABLES = (
    "create table conversion_paths (channel_path varchar[], campaign_path varchar[], touch_count bigint,"
    " is_converted boolean, revenue decimal(18, 4), currency varchar)",
    "create table attribution (model varchar, currency varchar, attributed_revenue decimal(18, 4))",
    "create table attribution_report (currency varchar, model varchar, channel varchar,"
    " attributed_revenue decimal(18, 4))",
    "create table retention_report (cohort_start date, period_number bigint, cohort_size bigint, rate double,"
    " is_complete boolean, granularity varchar, chart varchar, mode varchar, breakdown varchar)",
    "create table duplicate_events (event_id varchar, arrival_hour timestamptz, is_collision boolean)",
    "create table processed_hours (arrival_hour timestamptz)",
    "insert into processed_hours values ('2026-03-05 12:00+00'), ('2026-03-01 12:00+00')",
    "insert into duplicate_events values ('a', '2026-03-05 11:00+00', true), ('a', '2026-03-03 00:00+00', true),"
    " ('b', '2026-03-05 11:00+00', false)",
    "insert into attribution values ('last_touch', 'EUR', 106.9901), ('linear', 'EUR', 1), ('last_touch', null, 5)",
    "insert into attribution_report values ('EUR', 'linear', 'Email', 9), ('EUR', 'linear', 'Direct', 97.9901)",
    "insert into retention_report select date '2026-03-02', range, 10, 1 / (1 + range), range < 4, 'week',"
    " 'New users only', 'bounded', 'all' from range(5)",
)


def fill(path: Path) -> None:
    """A warehouse of a few rows: names that break careless text, two currencies, orders without a touch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f'create schema "{SCHEMA}"')
        connection.execute(f'set schema = "{SCHEMA}"')
        for statement in TABLES:
            connection.execute(statement)
        paths: list[tuple[list[str] | None, bool, str | None, str | None]] = [
            ([name, "Direct"], True, "15.2844", "EUR") for name in NAMES[:5]
        ]
        paths += [
            ([NAMES[5]], False, None, None),
            (["Email"], False, None, None),
            ([], False, None, None),
            (None, True, "30.5681", "EUR"),
            (["O'Neil", "Email"], True, "5", None),
        ]
        connection.executemany(
            "insert into conversion_paths values (?, ?, ?, ?, ?, ?)",
            [[names, names, len(names or ()), *rest] for names, *rest in paths],
        )


def on(lake: Lake, warehouse: str, address: str = "") -> Lake:
    """The lake with its reports on another ground."""
    changed: dict[str, Any] = {"warehouse": warehouse}
    if warehouse == "trino":
        changed["trino_uri"] = f"http://dbt@{address}/iceberg"
    return Lake(lake.settings.model_copy(update=changed))


@contextmanager
def _served(lake: Lake, ground: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lake, Any]]:
    """The lake on a ground, with the service that stands for it; the embedded one has none."""
    fill(lake.settings.published_path)
    if ground == "duckdb":
        yield lake, None
        return
    service: Service = {"trino": TrinoService, "athena": AthenaService}[ground](
        lake.settings.published_path, SCHEMA
    )
    with serving(service) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", f"http://{address}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        # Without published.duckdb nothing can be read past the service.
        lake.settings.published_path.rename(lake.settings.published_path.with_name("elsewhere.duckdb"))
        yield on(lake, ground, address), service


@pytest.fixture(params=["duckdb", "trino", "athena"])
def ground(request: pytest.FixtureRequest, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with _served(lake, request.param, monkeypatch) as (served, _):
        yield served


@pytest.fixture
def trino(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lake, TrinoService]]:
    with _served(lake, "trino", monkeypatch) as found:
        yield found


@pytest.fixture
def athena(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lake, AthenaService]]:
    with _served(lake, "athena", monkeypatch) as found:
        yield found


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
        pytest.raises(ReportsError, match=r"(?s)run events_unified_view and attribution.*sessions"),
    ):
        list(reports.rows("select * from sessions"))


def test_a_query_that_is_refused_is_told_in_the_words_of_the_service(ground: Lake) -> None:
    with open_reports(ground.settings) as reports, pytest.raises(ReportsError, match="could not answer"):
        list(reports.rows("select no_such_column from conversion_paths"))


def test_without_a_published_copy_the_error_says_so(settings: Settings) -> None:
    with pytest.raises(WarehouseError, match="run events_unified_view first"), open_reports(settings):
        pass


def test_trino_is_asked_as_the_user_in_the_catalog_and_schema_of_the_settings(trino: Any) -> None:
    lake, service = trino
    with open_reports(lake.settings) as reports:
        reports.row("select count(*) from attribution")
    (headers,) = service.requests
    assert {name: headers[f"X-Trino-{name}"] for name in ("User", "Catalog", "Schema", "Time-Zone")} == {
        "User": "dbt",
        "Catalog": "iceberg",
        "Schema": SCHEMA,
        "Time-Zone": "UTC",
    }


def test_a_busy_trino_is_asked_again(trino: Any) -> None:
    lake, service = trino
    service.busy = 1
    with open_reports(lake.settings) as reports:
        assert reports.row("select count(*) from attribution") == (3,)


def test_a_read_that_is_given_up_is_cancelled_on_trino(trino: Any) -> None:
    lake, service = trino
    with open_reports(lake.settings) as reports:
        rows = reports.rows("select range from range(3000)")
        assert next(rows) == (0,)
        rows.close()
    assert service.cancelled == ["q0"]


def test_a_trino_that_goes_away_or_was_never_there_is_named(trino: Any) -> None:
    lake, service = trino
    service.down = True
    with open_reports(lake.settings) as reports, pytest.raises(ReportsError, match="see TRINO_URI"):
        reports.row("select count(*) from attribution")
    nowhere = on(lake, "trino", "127.0.0.1:1")
    with (
        open_reports(nowhere.settings) as reports,
        pytest.raises(ReportsError, match=r"no answer from Trino at 127\.0\.0\.1:1"),
    ):
        reports.row("select 1")


def test_athena_is_asked_in_the_schema_and_its_results_go_to_their_layer(athena: Any) -> None:
    lake, service = athena
    settings = lake.settings.model_copy(update={"lake_location": "s3://"})
    with open_reports(settings) as reports:
        assert reports.row("select count(*) from attribution") == (3,)
    action, asked = service.requests[0]
    assert action == "StartQueryExecution"
    assert asked["QueryExecutionContext"] == {"Catalog": "awsdatacatalog", "Database": SCHEMA}
    assert asked["ResultConfiguration"] == {"OutputLocation": "s3://b-shop-test-athena-logs/"}


def test_an_athena_that_refuses_says_what_is_not_allowed(athena: Any) -> None:
    lake, service = athena
    service.denied = True
    with (
        open_reports(lake.settings) as reports,
        pytest.raises(ReportsError, match="not authorized: athena:StartQueryExecution"),
    ):
        reports.row("select 1")


def test_a_query_of_athena_that_takes_too_long_is_stopped_there(
    athena: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, service = athena
    service.endless = True
    monkeypatch.setattr("blotout_orchestration.analytics.reports_athena.MAXIMUM_SECONDS", 0.3)
    with open_reports(lake.settings) as reports, pytest.raises(ReportsError, match="did not answer query q0"):
        reports.row("select 1")
    assert service.cancelled == ["q0"]


def test_a_type_without_text_of_its_own_is_refused_on_athena(athena: Any) -> None:
    lake, _ = athena
    with open_reports(lake.settings) as reports, pytest.raises(ReportsError, match="select it as text"):
        list(reports.rows("select channel_path from conversion_paths"))


def test_another_makers_athena_is_read_as_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            monkeypatch.setenv(name, value)
        region = settings.aws_region
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="b-shop-test-athena-logs")
        values = [["name", "orders"], ["Email", "3"], ["", "4"]]
        result = {
            "rows": [{"Data": [{"VarCharValue": value} for value in row]} for row in values],
            "column_info": [{"Name": "name", "Type": "varchar"}, {"Name": "orders", "Type": "bigint"}],
        }
        queue = f"{address}/moto-api/static/athena/query-results"
        httpx.post(queue, json={"region": region, "results": [result]}).raise_for_status()
        there = settings.model_copy(update={"warehouse": "athena", "lake_location": "s3://"})
        with open_reports(there) as reports:
            assert list(reports.rows("select name, orders from x")) == [("Email", 3), ("", 4)]
    finally:
        httpx.post(f"{address}/moto-api/reset")
        server.stop()
