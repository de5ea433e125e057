"""When hours run: the schedule, the gap filler, and one run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    JobDefinition,
    RunRequest,
    SkipReason,
    build_schedule_context,
    build_sensor_context,
    job,
    op,
)
from dagster._core.test_utils import create_run_for_test, instance_for_test

from blotout_orchestration.events import automation
from blotout_orchestration.events.processing import flatten_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import hour_folder
from blotout_orchestration.platform.runs import RANGE_END_TAG, RANGE_START_TAG

BODY = b'{"meta":{"sdkv":"0.10.2"},"events":[{"mid":"%d","evn":"sdk_start","evt":1772730001418}]}\n'


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with instance_for_test() as persistent:
        yield persistent


@pytest.fixture
def events_job() -> JobDefinition:
    @op
    def nothing() -> None:
        return None

    @job(name=automation.JOB)
    def events_incremental() -> None:
        nothing()

    return events_incremental


def land(lake: Lake, hour: datetime, name: str = "part-0.jsonl", events: int = 1) -> None:
    folder = Path(lake.layer("landing")) / hour_folder(hour)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"".join(BODY % number for number in range(events)))


def newest_closed() -> datetime:
    return automation.last_closed_hour(datetime.now(UTC))


def evaluate(
    lake: Lake, instance: DagsterInstance, events_job: JobDefinition
) -> list[RunRequest] | SkipReason:
    return automation.events_gap_filler(lake, events_job)(build_sensor_context(instance=instance))


def test_six_hours_of_downtime_come_back_in_one_run_over_all_six(lake, instance, events_job):
    newest = newest_closed()
    for age in range(6):
        land(lake, newest - timedelta(hours=age))
    (request,) = evaluate(lake, instance, events_job)
    assert request.tags[RANGE_START_TAG] == f"{newest - timedelta(hours=5):%Y-%m-%d-%H:00}"
    assert request.tags[RANGE_END_TAG] == f"{newest:%Y-%m-%d-%H:00}"


def test_hours_that_are_done_are_not_requested_again(lake, instance, events_job):
    newest = newest_closed()
    hours = [newest - timedelta(hours=age) for age in range(3)]
    for hour in hours:
        land(lake, hour)
    flatten_hours(lake, hours, engine="duckdb", run_id="test")
    assert isinstance(evaluate(lake, instance, events_job), SkipReason)


def test_a_file_that_lands_late_in_a_done_hour_brings_the_hour_back(lake, instance, events_job):
    newest = newest_closed()
    land(lake, newest)
    flatten_hours(lake, [newest], engine="duckdb", run_id="test")
    land(lake, newest, "part-1.jsonl", events=2)
    (request,) = evaluate(lake, instance, events_job)
    assert request.tags[RANGE_START_TAG] == request.tags[RANGE_END_TAG] == f"{newest:%Y-%m-%d-%H:00}"


def test_the_current_hour_is_left_alone_because_it_can_still_get_files(lake, instance, events_job):
    land(lake, newest_closed() + timedelta(hours=1))
    assert isinstance(evaluate(lake, instance, events_job), SkipReason)


def test_hours_older_than_the_catch_up_window_are_left_to_a_person(lake, instance, events_job):
    land(lake, newest_closed() - timedelta(hours=lake.settings.catch_up_hours))
    assert isinstance(evaluate(lake, instance, events_job), SkipReason)


def test_nothing_is_requested_while_a_run_is_under_way(lake, instance, events_job):
    land(lake, newest_closed())
    create_run_for_test(instance, job_name=automation.JOB, status=DagsterRunStatus.STARTED)
    skipped = evaluate(lake, instance, events_job)
    assert isinstance(skipped, SkipReason)
    assert "under way" in str(skipped.skip_message)


def test_a_stretch_keeps_its_run_key_within_the_retry_pause_and_gets_a_new_one_after_it():
    now = datetime(2026, 3, 5, 12, 30, tzinfo=UTC)
    missing = {now.replace(minute=0) - timedelta(hours=2): "files"}
    first = automation.gap_requests(missing, now)[0].run_key
    assert automation.gap_requests(missing, now + timedelta(minutes=20))[0].run_key == first
    assert automation.gap_requests(missing, now + automation.RETRY_PAUSE)[0].run_key != first


def test_separate_gaps_are_separate_runs_that_name_their_own_hours():
    now = datetime(2026, 3, 5, 12, tzinfo=UTC)
    ages = (2, 3, 7)
    requests = automation.gap_requests({now - timedelta(hours=age): "files" for age in ages}, now)
    assert [(r.tags[RANGE_START_TAG], r.tags[RANGE_END_TAG]) for r in requests] == [
        ("2026-03-05-05:00", "2026-03-05-05:00"),
        ("2026-03-05-09:00", "2026-03-05-10:00"),
    ]


def test_the_schedule_requests_the_hour_that_has_just_closed(lake, instance, events_job):
    schedule = automation.events_schedule(lake, events_job)
    at = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
    request = schedule(build_schedule_context(instance=instance, scheduled_execution_time=at))
    assert request.partition_key == "2026-03-05-11:00"


def test_the_schedule_skips_while_a_run_is_under_way(lake, instance, events_job):
    create_run_for_test(instance, job_name=automation.JOB, status=DagsterRunStatus.STARTED)
    schedule = automation.events_schedule(lake, events_job)
    at = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
    skipped = schedule(build_schedule_context(instance=instance, scheduled_execution_time=at))
    assert isinstance(skipped, SkipReason)
