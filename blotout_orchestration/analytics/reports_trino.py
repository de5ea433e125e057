"""Reading the reports from Trino, by the client that dbt-trino brings.

Belongs here: the connection that TRINO_URI names, and Trino's errors in our words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from blotout_orchestration.analytics.reports import BATCH, Reports, ReportsError, Row, refusal
from blotout_orchestration.settings import Settings


class _Trino(Reports):
    """Trino fetches a page of rows at a time; a read that is given up is cancelled on the server."""

    def __init__(self, connection: Any, address: str) -> None:
        self._connection, self._address = connection, address

    def rows(self, sql: str) -> Iterator[Row]:
        from requests.exceptions import RequestException
        from trino.exceptions import Error, HttpError, TrinoQueryError

        no_answer = (Error, HttpError, RequestException)
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql)
            while batch := cursor.fetchmany(BATCH):
                yield from map(tuple, batch)
        except TrinoQueryError as error:
            raise refusal("Trino", f"{error.error_name}: {error.message}") from error
        except no_answer as error:
            raise ReportsError(f"no answer from Trino at {self._address}: {error}; see TRINO_URI") from error
        finally:
            with suppress(*no_answer):
                cursor.close()


@contextmanager
def open_trino(settings: Settings) -> Iterator[Reports]:
    """A connection to the catalog and schema of the reports. Raises ReportsError without the client."""
    try:
        from trino import dbapi
    except ImportError as error:
        raise ReportsError("WAREHOUSE=trino needs `pip install blotout-orchestration[trino]`") from error
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
