"""The command line in a working directory and an environment of its own, and something to query."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.utils.config import Config
from typer.testing import CliRunner

from blotout_orchestration.cli import app
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.settings import Settings, load_settings

EVENTS = TableSpec(
    "core_events",
    "A few events.",
    (
        Column("event_id", "string", "Id."),
        Column("received_at", "timestamp", "When."),
        Column("total", "money", "How much."),
        Column("tags", "strings", "Labels."),
        Column("added_later", "int", "Not in the older files."),
    ),
)
Invoke = Callable[..., Any]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.lower() in Settings.model_fields or name.upper().startswith("BLOTOUT_"):
            monkeypatch.delenv(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def blotout() -> Invoke:
    """Run `blotout` with these arguments, as a new process would; the result has exit_code, stdout, stderr."""

    def invoke(*arguments: str | Path) -> Any:
        load_settings.cache_clear()
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake with a few tables and a published warehouse, as the environment's ground."""
    monkeypatch.setenv("BLOTOUT_HOME", str(settings.blotout_home))
    monkeypatch.setenv("ORGANISATION", settings.organisation)
    monkeypatch.setenv("ENVIRONMENT", settings.environment)
    lake = Lake(settings)
    moment = datetime(2026, 3, 5, 17, 30, tzinfo=UTC)
    older = TableSpec(EVENTS.name, EVENTS.description, EVENTS.columns[:-1])
    rows = pa.table(
        [["a", "b"], [moment, None], [Decimal("12.5000"), None], [["x", "y"], None]],
        schema=older.arrow_schema,
    )
    lake.append(older, rows, {})
    lake.ensure(EVENTS)
    lake.append(
        TableSpec("orders", "Of the shop.", (Column("order_id", "string", "Id."),)),
        pa.table({"order_id": ["o1"]}),
        {},
        namespace="shopify_test",
    )
    lake.ensure(TableSpec("bad_events", "Empty.", (Column("raw", "string", "Line."),)))
    settings.published_path.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.published_path.parent / "warehouse.duckdb")) as connection:
        connection.execute("create schema shop_test; create schema lake")
        connection.execute("create view lake.id_graph as select 'partial' as id")
        connection.execute(
            "create table shop_test.sessions as select 1 as session, 9.99::decimal(18,4) as revenue"
        )
        connection.execute("create table shop_test.core_events as select 'from the warehouse' as event_id")
        connection.execute("create view shop_test.big as select * from warehouse.shop_test.sessions")
    settings.warehouse_path.rename(settings.published_path)
    return settings


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A local server that answers S3, Glue, STS and Secrets Manager as AWS does."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-west-2",
    }.items():
        monkeypatch.setenv(name, value)
    # pyiceberg reads its own variables when it is imported, which has happened by now.
    monkeypatch.setenv("PYICEBERG_CATALOG__BLOTOUT__S3__ENDPOINT", f"http://{host}:{port}")
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())
    yield
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST"))
    server.stop()
