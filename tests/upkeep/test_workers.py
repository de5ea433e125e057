"""Runs whose process is gone, found out by real processes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from dagster import DagsterInstance, DagsterRunStatus, job
from dagster._core.events import EngineEventData
from dagster._grpc import impl

from blotout_orchestration.maintenance.upkeep.workers import (
    Worker,
    fail_dead_runs,
    is_alive,
    worker_of,
)
from blotout_orchestration.platform.runs import (
    WORKER_START_TAG,
    WORKER_TAG,
    fail_orphaned_runs,
    process_started_at,
    worker_tags,
)
from tests.alerts.conftest import instance

__all__ = ["instance"]


@job
def nothing() -> None:
    """A job."""


def started(instance: DagsterInstance, pid: int | None, **tags: str) -> str:
    """A run that is under way, in this process as Dagster's launcher reports it."""
    run = instance.create_run_for_job(nothing, tags=tags, status=DagsterRunStatus.STARTED)
    if pid is not None:
        message = f"Started process for run (pid: {pid})."
        instance.report_engine_event(message, run, EngineEventData.in_process(pid))
    return run.run_id


def ended_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def status(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    """How a run stands."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_dagster_names_the_process_of_a_run_as_we_read_it() -> None:
    assert 'f"Started process for run (pid: {pid})."' in inspect.getsource(impl)


def test_a_run_is_failed_when_its_process_is_gone_and_left_alone_while_it_lives(
    instance: DagsterInstance,
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        living = started(instance, process.pid)
        dead = started(instance, ended_process())
        unknown = started(instance, None)
        assert fail_dead_runs(instance) == [dead]
        process.kill()
    assert status(instance, dead) == DagsterRunStatus.FAILURE
    assert status(instance, unknown) == DagsterRunStatus.STARTED
    assert fail_dead_runs(instance) == [living]
    assert fail_dead_runs(instance) == []


def test_a_run_of_the_command_line_is_told_by_its_tag(instance: DagsterInstance) -> None:
    import socket

    dead = started(instance, None, **{WORKER_TAG: f"{socket.gethostname()}:{ended_process()}"})
    elsewhere = started(instance, None, **{WORKER_TAG: f"another-host:{ended_process()}"})
    assert fail_dead_runs(instance) == [dead]
    assert status(instance, elsewhere) == DagsterRunStatus.STARTED


def test_a_number_that_belongs_to_another_process_by_now_is_no_sign_of_life(
    instance: DagsterInstance,
) -> None:
    import os
    import socket

    mine = f"{socket.gethostname()}:{os.getpid()}"
    before_the_reboot = started(instance, None, **{WORKER_TAG: mine, WORKER_START_TAG: "1000000000"})
    living = started(instance, None, **worker_tags())
    assert fail_dead_runs(instance) == [before_the_reboot]
    assert status(instance, living) == DagsterRunStatus.STARTED


def test_a_container_that_was_replaced_leaves_no_run_under_way(instance: DagsterInstance) -> None:
    elsewhere = started(instance, None, **{WORKER_TAG: "the-container-before:17"})
    living = started(instance, None, **worker_tags())
    assert fail_orphaned_runs(instance) == 1
    assert status(instance, elsewhere) == DagsterRunStatus.FAILURE
    assert status(instance, living) == DagsterRunStatus.STARTED


def test_the_slots_of_a_dead_run_are_freed(instance: DagsterInstance) -> None:
    storage = instance.event_log_storage
    storage.set_concurrency_slots("dbt_warehouse", 1)
    dead = started(instance, ended_process())
    assert storage.claim_concurrency_slot("dbt_warehouse", dead, "step").is_claimed
    fail_dead_runs(instance)
    assert storage.get_concurrency_info("dbt_warehouse").active_slot_count == 0


def test_another_process_with_the_same_number_is_not_the_worker() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start = process_started_at(process.pid)
        assert start is not None
        assert is_alive(Worker(process.pid, datetime.now(UTC)))
        assert not is_alive(Worker(process.pid, start - timedelta(hours=1)))
        process.kill()


def test_a_run_of_another_launcher_has_no_worker_here(instance: DagsterInstance) -> None:
    run_id = started(instance, None)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert worker_of(instance, run) is None
