"""How Trino and Athena are asked, and what is said when they are busy, away, too slow or refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from blotout_orchestration.analytics.reports import ReportsError, open_reports
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.analytics.report_grounds import SCHEMA, on, served
from tests.analytics.services import AthenaService, TrinoService


@pytest.fixture
def trino(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lake, TrinoService]]:
    with served(lake, "trino", monkeypatch) as found:
        yield found


@pytest.fixture
def athena(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lake, AthenaService]]:
    with served(lake, "athena", monkeypatch) as found:
        yield found


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
    monkeypatch.setattr("blotout_orchestration.platform.warehouse_athena.MAXIMUM_SECONDS", 0.3)
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
