"""The first launch: what is made, what was there, that again changes nothing, and that everything waits for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    RunRequest,
    build_schedule_context,
    build_sensor_context,
    job,
    op,
    schedule,
    sensor,
)

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import LAYERS
from blotout_orchestration.maintenance import setup_steps
from blotout_orchestration.maintenance.automation import first_launch_sensor
from blotout_orchestration.maintenance.inventory import declared_tables
from blotout_orchestration.maintenance.jobs import SETUP_OP, SETUP_REPORT, setup_job
from blotout_orchestration.platform import setup as setup_record
from blotout_orchestration.platform.registry import PIPELINE_PARTITIONS
from blotout_orchestration.platform.setup import COMPLETE, after_setup, setup_done, steps, waiting_reason


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def run(lake: Lake, instance: DagsterInstance, *, dry_run: bool = False):
    config = {"ops": {SETUP_OP: {"config": {"dry_run": dry_run}}}}
    return setup_job(lake).execute_in_process(instance=instance, run_config=config, raise_on_error=False)


def report(instance: DagsterInstance) -> dict[str, object]:
    event = instance.get_latest_materialization_event(AssetKey(SETUP_REPORT))
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_a_first_run_makes_layers_database_catalog_and_every_declared_table(lake, instance):
    assert run(lake, instance).success
    assert all(Path(lake.layer(name)).is_dir() for name in LAYERS)
    assert {name for _, name in lake.catalog.list_tables(lake.namespace)} == set(declared_tables())
    found = report(instance)
    assert found["complete"] is True
    assert found["existed"] == 2, "two sets of partitions without a key"
    assert found["made"] == len(LAYERS) + len(declared_tables()) + 2
    assert setup_done(lake.settings)
    assert steps(lake.settings)["tables"]["details"]["made"] == list(declared_tables())


def test_a_second_run_finds_everything_there_and_makes_nothing(lake, instance):
    run(lake, instance)
    before = {path: path.read_bytes() for path in Path(lake.layer("processed")).rglob("*") if path.is_file()}
    assert run(lake, instance).success
    after = {path: path.read_bytes() for path in Path(lake.layer("processed")).rglob("*") if path.is_file()}
    assert (report(instance)["made"], report(instance)["planned_items"]) == (0, 0)
    assert before == after


def test_a_dry_run_tells_what_is_missing_and_does_not_count_as_setup(lake, instance):
    assert run(lake, instance, dry_run=True).success
    found = report(instance)
    assert found["planned_items"] > len(declared_tables())
    assert "| tables |" in found["steps"]
    assert not Path(lake.layer("landing")).exists()
    assert not setup_done(lake.settings)


def test_what_is_missing_is_made_again_and_nothing_else(lake, instance):
    run(lake, instance)
    lake.catalog.drop_table(f"{lake.namespace}.core_events")
    run(lake, instance)
    assert report(instance)["made"] == 1
    assert lake.exists("core_events")


def test_a_run_that_failed_halfway_leaves_the_platform_waiting_and_the_next_one_goes_on(
    lake, instance, monkeypatch
):
    broken = next(iter(declared_tables()))
    ensure = Lake.ensure

    def refuse(self, spec, namespace=None):
        if spec.name == broken:
            raise OSError("no space left")
        return ensure(self, spec, namespace)

    monkeypatch.setattr(Lake, "ensure", refuse)
    assert not run(lake, instance).success
    assert not setup_done(lake.settings)
    assert "layers" in steps(lake.settings)
    assert "tables" not in steps(lake.settings)
    monkeypatch.undo()
    assert run(lake, instance).success
    assert report(instance)["made"] == 1
    assert setup_done(lake.settings)


def test_steps_without_anything_to_do_say_why(lake, instance):
    run(lake, instance)
    found = report(instance)["steps"]
    assert "MAIL_TRANSPORT is none: only SES has identities" in found
    assert "SUPERSET_URL and SUPERSET_PASSWORD are not both set" in found


def test_the_partition_sets_get_the_pipelines_of_the_registry(lake, instance, monkeypatch):
    names = {f"shop_{number}": object() for number in range(1200)}
    monkeypatch.setattr(setup_steps, "live_pipelines", lambda settings: names)
    assert run(lake, instance).success
    assert set(instance.get_dynamic_partitions(PIPELINE_PARTITIONS)) == set(names)


def test_asking_whether_the_setup_is_done_makes_nothing(settings):
    assert not setup_done(settings)
    assert not settings.blotout_home.exists()
    assert waiting_reason(settings).startswith("waiting for one_time_setup")


def test_once_done_the_database_is_not_asked_again_unless_it_is_gone(lake, instance, monkeypatch):
    run(lake, instance)
    assert setup_done(lake.settings)
    monkeypatch.setattr(setup_record, "steps", lambda settings: pytest.fail("asked again"))
    assert setup_done(lake.settings)
    monkeypatch.undo()
    for path in lake.settings.blotout_home.glob("platform.sqlite*"):
        path.unlink()
    assert not setup_done(lake.settings)


def test_another_namespace_on_the_same_database_is_set_up_on_its_own(lake, instance, settings):
    run(lake, instance)
    other = type(settings)(
        _env_file=None, blotout_home=settings.blotout_home, organisation="other", environment="test"
    )
    assert COMPLETE in steps(lake.settings)
    assert not setup_done(other)


@op
def nothing() -> None:
    """Does nothing."""


@job
def work() -> None:
    nothing()


@schedule(job=work, cron_schedule="@hourly")
def hourly(context):
    return RunRequest(run_key=f"{context.scheduled_execution_time:%H}")


@sensor(job=work)
def eager(context):
    return RunRequest()


@sensor()
def listens(context):
    return None


def test_schedules_and_sensors_skip_with_the_reason_until_the_setup_is_done(lake, instance):
    gated_schedule, gated_sensor, alone = after_setup(lake.settings, [hourly, eager, listens])
    assert alone is listens
    with build_schedule_context(instance, datetime(2026, 3, 5, 17, tzinfo=UTC)) as context:
        assert "waiting for one_time_setup" in gated_schedule.evaluate_tick(context).skip_message
    with build_sensor_context(instance) as context:
        assert "blotout run one_time_setup --no-dry-run" in gated_sensor.evaluate_tick(context).skip_message
    run(lake, instance)
    with build_schedule_context(instance, datetime(2026, 3, 5, 17, tzinfo=UTC)) as context:
        assert [request.run_key for request in gated_schedule.evaluate_tick(context).run_requests] == ["17"]
    with build_sensor_context(instance) as context:
        assert len(gated_sensor.evaluate_tick(context).run_requests) == 1
    assert hourly.evaluate_tick is not None
    assert (gated_schedule.name, gated_schedule.cron_schedule) == (hourly.name, hourly.cron_schedule)


def test_the_sensor_of_the_first_launch_runs_the_setup_once(lake, instance):
    made = setup_job(lake)
    launch = first_launch_sensor(lake, made)
    with build_sensor_context(instance) as context:
        (request,) = launch.evaluate_tick(context).run_requests
        assert made.execute_in_process(instance=instance, run_config=request.run_config).success
        assert launch.evaluate_tick(context).skip_message == "the platform is set up"


def test_a_database_that_cannot_be_read_keeps_everything_waiting_and_says_so(settings, instance, lake):
    settings.blotout_home.mkdir(parents=True)
    sqlite3.connect(settings.blotout_home / "x").close()
    (settings.blotout_home / "platform.sqlite").write_bytes(b"this is no database at all" * 100)
    assert "cannot be read" in waiting_reason(settings)
    with build_sensor_context(instance) as context:
        assert (
            "cannot be read" in first_launch_sensor(lake, setup_job(lake)).evaluate_tick(context).skip_message
        )
