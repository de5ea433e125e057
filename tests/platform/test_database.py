"""The platform's database brings itself up to date: once, whoever else tries, and after any kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from blotout_orchestration.platform.database import (
    APPLICATION_NAME,
    DatabaseUnavailableError,
    migrate,
    platform_database,
    revisions,
    writing,
)
from blotout_orchestration.platform.database.audit import entries, record
from blotout_orchestration.platform.database.tables import metadata, setup_step
from blotout_orchestration.platform.setup import record_step, steps
from blotout_orchestration.settings import Settings
from tests.registry.databases import fresh_database, postgres_server, with_database

KILLED_IN_THE_MIDDLE = """
import sys, time
from pathlib import Path
from alembic import op
from blotout_orchestration.platform.database import platform_database
from blotout_orchestration.settings import Settings

create, made = op.create_table, []

def create_and_wait(*arguments, **options):
    create(*arguments, **options)
    made.append(arguments[0])
    if len(made) == 3:
        Path(sys.argv[3]).write_text(" ".join(made))
        time.sleep(600)

op.create_table = create_and_wait
platform_database(Settings(_env_file=None, blotout_home=sys.argv[1], platform_database=sys.argv[2] or None))
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings whose platform database is empty."""
    if request.param == "sqlite":
        return settings
    return with_database(settings, fresh_database(request.getfixturevalue("postgres")))


def tables_of(settings: Settings) -> set[str]:
    return set(sa.inspect(platform_database(settings)).get_table_names())


def test_an_empty_database_gets_every_table_exactly_as_declared(empty):
    engine = platform_database(empty)
    assert tables_of(empty) == {*metadata.tables, "alembic_version"}
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_database_that_is_up_to_date_is_left_alone(empty):
    engine = platform_database(empty)
    before, newest = revisions(engine)
    assert before == newest
    assert migrate(engine) == (newest, newest)


def _open(settings: Settings, barrier: Any, answers: Any) -> None:
    barrier.wait()
    answers.put(revisions(platform_database(settings)))


def test_processes_that_start_at_once_migrate_once_and_all_find_the_tables(empty):
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(6), context.Queue()
    processes = [context.Process(target=_open, args=(empty, barrier, answers)) for _ in range(6)]
    for process in processes:
        process.start()
    found = {answers.get(timeout=120) for _ in processes}
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    ((revision, newest),) = found
    assert revision == newest
    assert tables_of(empty) == {*metadata.tables, "alembic_version"}


def _count_up(settings: Settings, barrier: Any) -> None:
    barrier.wait()
    for _ in range(10):
        with writing(settings) as connection:
            count = connection.execute(sa.select(setup_step.c.details)).scalar_one()["count"]
            connection.execute(setup_step.update().values(details={"count": count + 1}))


def test_transactions_that_read_before_they_write_wait_for_each_other_on_sqlite(settings):
    record_step(settings, "counted", None, {"count": 0})
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [context.Process(target=_count_up, args=(settings, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0] * 4
    assert steps(settings)["counted"]["details"] == {"count": 40}


def test_a_migration_that_was_killed_in_the_middle_leaves_nothing_and_the_next_one_succeeds(empty, tmp_path):
    sign = tmp_path / "three_tables_made"
    uri = empty.platform_database.get_secret_value() if empty.platform_database else ""
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(empty.blotout_home), uri, str(sign)]
    process = subprocess.Popen(command, cwd=tmp_path)
    _wait_for(sign, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    raw = sa.create_engine(empty.platform_database_uri)
    # The server notices a dead client when it next speaks to it; until then its transaction is open.
    assert not set(sign.read_text().split()) & set(sa.inspect(raw).get_table_names())
    raw.dispose()
    assert tables_of(empty) == {*metadata.tables, "alembic_version"}


def _wait_for(sign: Path, process: subprocess.Popen[bytes]) -> None:
    while not sign.exists():
        try:
            process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail("the migration ended before it could be killed")


def test_a_file_that_was_deleted_is_made_anew(settings):
    platform_database(settings)
    for path in settings.blotout_home.glob("platform.sqlite*"):
        path.unlink()
    assert tables_of(settings) == {*metadata.tables, "alembic_version"}


def test_a_database_that_is_down_is_told_without_its_password(settings, tmp_path):
    down = with_database(settings, f"postgresql+psycopg2://u:hunter2@localhost/db?host={tmp_path}")
    with pytest.raises(DatabaseUnavailableError, match="OperationalError; is it up") as caught:
        platform_database(down)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_takes_the_call_and_never_answers_is_given_up(settings, monkeypatch):
    monkeypatch.setattr("blotout_orchestration.platform.database.CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        uri = f"postgresql+psycopg2://u:p@127.0.0.1:{deaf.getsockname()[1]}/silent"
        with pytest.raises(DatabaseUnavailableError, match="is it up"):
            platform_database(with_database(settings, uri))


def test_our_connections_carry_our_name(settings, postgres):
    engine = platform_database(with_database(settings, fresh_database(postgres)))
    with engine.connect() as connection:
        assert connection.execute(sa.text("show application_name")).scalar() == APPLICATION_NAME


def test_moments_come_back_in_utc_whatever_zone_they_were_given_in(empty):
    steps = metadata.tables["setup_step"]
    given = datetime(2026, 3, 29, 2, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with platform_database(empty).begin() as connection:
        connection.execute(steps.insert().values(name="a", done_at=given, details={}))
        found = connection.execute(sa.select(steps.c.done_at)).scalar_one()
    assert (found, found.tzinfo) == (given, UTC)


def test_a_moment_without_a_time_zone_is_refused(empty):
    steps = metadata.tables["setup_step"]
    with (
        pytest.raises(sa.exc.StatementError, match="without a time zone"),
        platform_database(empty).begin() as connection,
    ):
        connection.execute(steps.insert().values(name="a", done_at=datetime(2026, 1, 1), details={}))


def test_the_audit_log_keeps_who_did_what_newest_first(empty):
    record(empty, actor="ann", action="pipelines.add", target="orders", outcome="done", run_id="r1")
    record(
        empty, actor="bob", action="pipelines.pause", target="x" * 600, outcome="refused", details={"rows": 3}
    )
    newest, oldest = entries(empty)
    assert (newest["actor"], newest["details"], len(newest["target"])) == ("bob", {"rows": 3}, 512)
    assert (oldest["actor"], oldest["run_id"]) == ("ann", "r1")
    assert [one["actor"] for one in entries(empty, action="pipelines.add")] == ["ann"]
    assert [one["actor"] for one in entries(empty, run_id="r1")] == ["ann"]
    assert len(entries(empty, limit=1)) == 1
