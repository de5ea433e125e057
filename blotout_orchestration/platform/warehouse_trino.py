"""Asking Trino, by the client that dbt-trino brings.

Belongs here: the connection that TRINO_URI names, and Trino's errors in our words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from blotout_orchestration.platform.warehouse_reader import (
    BATCH,
    Answer,
    ReaderError,
    Row,
    WarehouseReader,
    refusal,
)
from blotout_orchestration.settings import Settings


class _Trino(WarehouseReader):
    """Trino fetches a page of rows at a time; a read that is given up is cancelled on the server."""

    def __init__(self, connection: Any, address: str) -> None:
        self._connection, self._address = connection, address

    def answer(self, sql: str, *, lenient: bool = False) -> Answer:
        cursor = self._connection.cursor()
        with self._told():
            cursor.execute(sql)
            columns = tuple((str(column[0]), str(column[1]).lower()) for column in cursor.description)
        return Answer(columns, self._fetch(cursor))

    def _fetch(self, cursor: Any) -> Iterator[Row]:
        try:
            with self._told():
                while batch := cursor.fetchmany(BATCH):
                    yield from map(tuple, batch)
        finally:
            with suppress(ReaderError), self._told():
                cursor.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The client's errors as ReaderError."""
        from requests.exceptions import RequestException
        from trino.exceptions import Error, HttpError, TrinoQueryError

        try:
            yield
        except TrinoQueryError as error:
            raise refusal("Trino", f"{error.error_name}: {error.message}") from error
        except (Error, HttpError, RequestException) as error:
            raise ReaderError(f"no answer from Trino at {self._address}: {error}; see TRINO_URI") from error


@contextmanager
def open_trino(settings: Settings) -> Iterator[WarehouseReader]:
    """A connection to the catalog and schema of the deployment. Raises ReaderError without the client."""
    try:
        from trino import dbapi
    except ImportError as error:
        raise ReaderError("WAREHOUSE=trino needs `pip install blotout-orchestration[trino]`") from error
    server = urlsplit(settings.trino_uri)
    connect: Any = dbapi.connect
    connection = connect(
        host=str(server.hostname),
        port=server.port,
        http_scheme=server.scheme,
        user=server.username,
        source="blotout",
        catalog=server.path[1:],
        schema=settings.namespace,
        timezone="UTC",
    )
    try:
        yield _Trino(connection, f"{server.hostname}:{server.port}")
    finally:
        connection.close()
