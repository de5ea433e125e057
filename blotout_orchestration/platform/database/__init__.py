"""The platform's own database: registries, audit log, undelivered alerts. SQLite by default, else Postgres.

Belongs here: the connection, and bringing the schema up to date. Does not belong here: events and reports,
which are tables of the lake, and Dagster's own storage.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.setting_fields import without_credentials

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from blotout_orchestration.settings import Settings

APPLICATION_NAME = "blotout"
"""How our connections show in pg_stat_activity, so that the release of idle ones can leave them alone."""
CONNECT_SECONDS = 10
"""A server that does not answer is given up after this: the tick of a sensor has a minute."""
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_KEY = 0x626C6F74
"""Key of the Postgres advisory lock under which one process migrates; the bytes of `blot`."""
_WRITES = "blotout_writes"
"""Execution option of a transaction that will write: SQLite then waits for other writers when it begins."""


class DatabaseUnavailableError(BlotoutError):
    """The platform's database cannot be reached or migrated; the message names it without its credentials."""


@lru_cache(maxsize=8)
def _engine(uri: str) -> Engine:
    from sqlalchemy import create_engine, event

    if uri.startswith("sqlite"):
        engine = create_engine(uri, connect_args={"timeout": 30})

        @event.listens_for(engine, "connect")
        def connected(connection: Any, _record: object) -> None:
            # The driver begins no transaction before DDL by itself: a killed migration would stay half done.
            connection.isolation_level = None
            # Where two turn the journal of a new file into WAL at once, SQLite fails the later one without waiting.
            with _file_lock(engine):
                connection.execute("PRAGMA journal_mode=WAL")

        @event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            writes = connection.get_execution_options().get(_WRITES, False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine
    arguments = {"application_name": APPLICATION_NAME, "connect_timeout": CONNECT_SECONDS}
    return create_engine(uri, pool_pre_ping=True, pool_size=2, connect_args=arguments)


@lru_cache(maxsize=8)
def _migrated(uri: str) -> Engine:
    engine = _engine(uri)
    migrate(engine)
    return engine


@contextmanager
def _named(uri: str) -> Iterator[None]:
    """Whatever goes wrong with the database is told with its name, without its credentials."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseUnavailableError(
            f"PLATFORM_DATABASE {without_credentials(uri)}: {type(error).__name__}; is it up, and may we write there?"
        ) from None


def revisions_of(settings: Settings) -> tuple[str | None, str]:
    """As `revisions`, of a database that is there; nothing is migrated. Raises DatabaseUnavailableError."""
    uri = settings.platform_database_uri
    with _named(uri):
        return revisions(_engine(uri))


def platform_database(settings: Settings) -> Engine:
    """The engine of the database, whose schema is up to date. Raises DatabaseUnavailableError."""
    uri = settings.platform_database_uri
    if uri.startswith("sqlite:///"):
        path = Path(uri.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _migrated.cache_clear()
    with _named(uri):
        return _migrated(uri)


@contextmanager
def writing(settings: Settings) -> Iterator[Connection]:
    """A transaction that writes, whatever it reads before. Raises DatabaseUnavailableError when nobody is there.

    In SQLite a transaction that has read cannot write any more once another process has written: it would fail
    without waiting. This one waits for other writers when it begins.
    """
    with platform_database(settings).execution_options(**{_WRITES: True}).begin() as connection:
        yield connection


def revisions(engine: Engine) -> tuple[str | None, str]:
    """The revision that the schema has (None: empty) and the newest one."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), newest


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Bring the schema to the newest revision, once, whoever else tries; the revision before and after."""
    from alembic import command
    from alembic.config import Config

    before, newest = revisions(engine)
    if before == newest:
        return before, newest
    with _alone(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return before, newest


@contextmanager
def _alone(engine: Engine) -> Iterator[Any]:
    """A transaction during which no other process migrates."""
    from sqlalchemy import text

    with engine.execution_options(**{_WRITES: True}).connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
                yield connection
            return
        # Connected before: connecting takes the same lock.
        with _file_lock(engine), connection.begin():
            yield connection


@contextmanager
def _file_lock(engine: Engine) -> Iterator[None]:
    """Held while a process changes the journal or the schema of an SQLite file."""
    with Path(f"{engine.url.database}.migration").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
