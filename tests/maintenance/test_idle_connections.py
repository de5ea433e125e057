"""Idle connections on a real Postgres: a table of cases, of which only the right ones are closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from dagster import AssetKey, DagsterInstance

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance import idle_connections as idle
from blotout_orchestration.maintenance.execution import Report, carry_out
from blotout_orchestration.maintenance.idle_connections import IdleRules, ServerUnavailableError
from blotout_orchestration.maintenance.jobs import IDLE_OP, IDLE_REPORT, idle_connections_job
from blotout_orchestration.maintenance.plan import Plan
from blotout_orchestration.settings import Settings
from tests.maintenance.servers import Server, running_server

RULES = IdleRules(
    timedelta(0),
    timedelta(0),
    ("superset*", "tableau", ""),
    ("report", "billing", "root_named"),
    ("sales", "post*"),
)
CLOSED = {
    "idle in the reports tool",
    "idle without a name",
    "idle, name in capitals",
    "idle in another database that is meant",
    "idle, another user that is meant",
    "idle in a transaction beyond its own limit",
    "idle in a broken transaction beyond its own limit",
    "idle superuser that is named",
}
KEPT = {
    "used a moment ago",
    "idle in a transaction below its own limit",
    "at work",
    "dagster",
    "dagster by its full name",
    "Dagster in capitals",
    "the platform itself",
    "superuser that is not named",
    "role that may replicate",
    "replication",
    "application that is not meant",
    "user that is not meant",
    "database that is not meant",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as started:
        yield started


def sleep_until_cancelled(connection: Any) -> None:
    with suppress(psycopg2.errors.QueryCanceled):
        connection.cursor().execute("select pg_sleep(60)")


@pytest.fixture
def busy(server: Server) -> Iterator[Server]:
    """The connections of CLOSED and KEPT; those that are to be young are opened last."""
    server.in_transaction("idle in a transaction beyond its own limit", application="superset")
    server.in_transaction(
        "idle in a broken transaction beyond its own limit", broken=True, application="superset"
    )
    time.sleep(0.05)
    server.idle("idle in the reports tool", application="superset")
    server.idle("idle without a name")
    server.idle("idle, name in capitals", application="Superset-Worker")
    server.idle("idle in another database that is meant", dbname="postgres", application="tableau")
    server.idle("idle, another user that is meant", user="billing", application="tableau")
    server.idle("idle superuser that is named", user="root_named", application="superset")
    server.idle("dagster", application="dagster")
    server.idle("dagster by its full name", application="dagster-webserver")
    server.idle("Dagster in capitals", application="DAGSTER_daemon")
    server.idle("the platform itself", application="blotout")
    server.idle("superuser that is not named", user="root_other", application="superset")
    server.idle("role that may replicate", user="copier", application="superset")
    server.idle("application that is not meant", application="nightly-batch")
    server.idle("user that is not meant", user="keeper", application="superset")
    server.idle("database that is not meant", dbname="secret", application="superset")
    server.connect(
        "replication",
        user="root_named",
        application="superset",
        connection_factory=psycopg2.extras.PhysicalReplicationConnection,
    ).cursor().execute("IDENTIFY_SYSTEM")
    server.in_transaction("idle in a transaction below its own limit", application="superset")
    time.sleep(0.05)
    server.idle("used a moment ago", application="superset")
    sleeping = server.connect("at work", application="superset")
    work = threading.Thread(target=sleep_until_cancelled, args=(sleeping,))
    work.start()
    yield server
    sleeping.cancel()
    work.join()
    server.close()


def rules_between(found: list[idle.Session], server: Server) -> IdleRules:
    """Limits that the old connections have just reached and the young ones have not, by the server's clock."""
    age = {session.pid: session.idle_for for session in found}
    long = min(age[server.pid(label)] for label in CLOSED if "transaction" in label)
    short = min(age[server.pid(label)] for label in CLOSED if "transaction" not in label)
    assert age[server.pid("used a moment ago")] < short < long
    return replace(RULES, idle=short, idle_in_transaction=long)


def close(connection, plan: Plan, rules: IdleRules) -> Report:
    return carry_out(
        plan,
        idle.CloseIdle(connection, rules),
        dry_run=False,
        maximum_failures=0,
        audit=lambda item, outcome, details: None,
        progress=lambda line: None,
    )


def test_of_twenty_one_connections_only_the_right_ones_are_closed(busy):
    assert len(CLOSED | KEPT) == len(busy.opened) == 21
    with idle.connected(busy.uri()) as connection:
        found = idle.sessions(connection)
        rules = rules_between(found, busy)
        report = close(connection, idle.plan_closing(found, rules), rules)
    assert report.counts() == {"done": len(CLOSED), "skipped": 0, "failed": 0, "refused": 0, "not_tried": 0}
    states = {label: busy.alive(label) for label in CLOSED | KEPT - {"at work", "replication"}}
    assert states == {label: label in KEPT for label in states}
    with idle.connected(busy.uri()) as connection:
        left = {session.pid for session in idle.sessions(connection)}
    assert {busy.pid("at work"), busy.pid("replication")} <= left


def test_this_job_and_the_servers_own_processes_are_never_closed(busy):
    with idle.connected(busy.uri()) as connection:
        found = idle.sessions(connection)
        everything = replace(RULES, applications=("*",), users=("*", "postgres"), databases=("*",))
        own = [session for session in found if session.is_self]
        servers = [session for session in found if session.backend_type != "client backend"]
        assert len(own) == 1
        assert servers
        assert not any(idle.verdict(session, everything)[0] for session in [*own, *servers])


def test_a_connection_that_goes_to_work_after_the_plan_is_left_alone(busy):
    with idle.connected(busy.uri()) as connection:
        found = idle.sessions(connection)
        rules = rules_between(found, busy)
        plan = idle.plan_closing(found, rules)
        assert busy.alive("idle without a name")
        report = close(connection, plan, rules)
    assert report.counts()["skipped"] == 1
    assert busy.alive("idle without a name")


def test_a_connection_that_went_away_after_the_plan_is_no_failure(busy):
    with idle.connected(busy.uri()) as connection:
        found = idle.sessions(connection)
        rules = rules_between(found, busy)
        plan = idle.plan_closing(found, rules)
        busy.opened.pop("idle without a name").close()
        assert close(connection, plan, rules).counts()["failed"] == 0


def test_an_account_that_does_not_see_others_is_told_so(busy):
    with idle.connected(busy.uri(user="billing")) as connection:
        plan = idle.plan_closing(idle.sessions(connection), RULES)
    assert [item.target for item in plan.refused] == ["pg_stat_activity"]
    assert "grant it pg_monitor and pg_signal_backend" in plan.refused[0].why


def test_an_account_without_the_right_to_close_superusers_closes_the_others_and_says_so(busy):
    with idle.connected(busy.uri(user="keeper")) as connection:
        found = idle.sessions(connection)
        rules = rules_between(found, busy)
        report = close(connection, idle.plan_closing(found, rules), rules)
    assert report.counts()["done"] == len(CLOSED) - 1
    (failed,) = [result for result in report.results if result.outcome == "failed"]
    assert "root_named" in failed.item.target
    assert busy.alive("idle superuser that is named")


def settings_for(settings: Settings, **values: object) -> Settings:
    return Settings(
        _env_file=None,
        blotout_home=settings.blotout_home,
        organisation="shop",
        environment="test",
        **values,
    )


def run(settings: Settings, instance: DagsterInstance, **config: object):
    job = idle_connections_job(Lake(settings))
    return job.execute_in_process(
        instance=instance, run_config={"ops": {IDLE_OP: {"config": config}}}, raise_on_error=False
    )


def report_of(instance: DagsterInstance) -> dict[str, object]:
    event = instance.get_latest_materialization_event(AssetKey(IDLE_REPORT))
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_without_a_server_the_job_says_so_and_succeeds(settings):
    with DagsterInstance.ephemeral() as instance:
        assert run(settings, instance, dry_run=False).success
        assert "no Postgres server is configured" in report_of(instance)["skipped"]


def test_the_job_reads_its_limits_from_the_settings_and_shows_why_who_stays(busy, settings):
    ours = settings_for(settings, idle_connections_server=busy.uri())
    with DagsterInstance.ephemeral() as instance:
        assert run(ours, instance, dry_run=False).success
        report = report_of(instance)
    assert report["closed"] == 0
    assert report["connections"] > len(KEPT)
    assert "data:image/png" in report["reasons"]
    assert all(busy.alive(label) for label in CLOSED)


def test_a_server_that_does_not_answer_is_named_without_its_password(settings):
    address = "postgresql+psycopg2://me:hunter2@localhost:1/x"
    with pytest.raises(ServerUnavailableError, match=r"\*{8}@localhost:1/x does not answer") as raised:
        idle.connected(address).__enter__()
    assert "hunter2" not in str(raised.value)


def test_the_limit_within_a_transaction_is_never_the_shorter_one(settings):
    rules = idle.rules_of(settings_for(settings, idle_connection_minutes=60, idle_transaction_minutes=5))
    assert rules.idle_in_transaction == rules.idle == timedelta(minutes=60)
