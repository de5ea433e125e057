"""Runs: which are alive, which were killed, and how hours become stretches."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test, instance_for_test
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.platform import runs

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with instance_for_test() as made:
        yield made


def started(instance: DagsterInstance, worker: str) -> str:
    run = create_run_for_test(
        instance,
        job_name="events_incremental",
        status=DagsterRunStatus.STARTED,
        tags={runs.WORKER_TAG: worker},
    )
    return run.run_id


def killed_worker() -> str:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.kill()
    process.wait()
    return runs.worker_of_this_process().rpartition(":")[0] + f":{process.pid}"


def test_a_run_of_a_living_process_is_alive(instance):
    run_id = started(instance, runs.worker_of_this_process())
    assert [run.run_id for run in runs.live_runs(instance, "events_incremental")] == [run_id]


def test_a_run_whose_process_was_killed_is_failed_and_does_not_block_the_next(instance):
    run_id = started(instance, killed_worker())
    assert runs.live_runs(instance, "events_incremental") == []
    assert instance.get_run_by_id(run_id).status == DagsterRunStatus.FAILURE


def test_a_run_on_another_host_is_left_alone(instance):
    started(instance, "another-host:1")
    assert runs.fail_killed_runs(instance) == 0
    assert len(runs.live_runs(instance, "events_incremental")) == 1


def test_runs_of_other_jobs_do_not_count(instance):
    started(instance, runs.worker_of_this_process())
    assert runs.live_runs(instance, "attribution") == []


def test_a_pause_longer_than_allowed_begins_a_new_stretch():
    hours = [START + timedelta(hours=offset) for offset in (0, 1, 2, 10, 11)]
    assert runs.stretches(hours, timedelta(hours=1)) == [(hours[0], hours[2]), (hours[3], hours[4])]


@given(st.sets(st.integers(0, 500)), st.integers(1, 48))
def test_stretches_cover_every_hour_once_and_are_apart(offsets, gap):
    hours = [START + timedelta(hours=offset) for offset in offsets]
    found = runs.stretches(hours, timedelta(hours=gap))
    assert all(sum(first <= hour <= last for first, last in found) == 1 for hour in hours)
    assert all(b[0] - a[1] > timedelta(hours=gap) for a, b in itertools.pairwise(found))


def test_runs_of_a_stopped_ui_are_failed_and_those_of_the_command_line_are_left(instance):
    orphan = create_run_for_test(instance, job_name="attribution", status=DagsterRunStatus.STARTED)
    alive = started(instance, runs.worker_of_this_process())
    assert runs.fail_orphaned_runs(instance) == 1
    assert instance.get_run_by_id(orphan.run_id).status == DagsterRunStatus.FAILURE
    assert instance.get_run_by_id(alive).status == DagsterRunStatus.STARTED


def test_a_process_is_alive_until_it_is_killed():
    assert runs.process_is_alive(runs.worker_of_this_process())
    assert not runs.process_is_alive(killed_worker())
    assert not runs.process_is_alive("")
