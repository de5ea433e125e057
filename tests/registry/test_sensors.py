"""The sensors on a real Dagster instance: partitions appear, runs start, history stays."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from dagster import (
    AssetExecutionContext,
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    DynamicPartitionsDefinition,
    JobDefinition,
    SensorEvaluationContext,
    asset,
    define_asset_job,
)
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.storage.tags import PARTITION_NAME_TAG

from blotout_orchestration.platform.database import platform_database
from blotout_orchestration.platform.registry import (
    PIPELINE_PARTITIONS,
    PIPELINES,
    add_pipelines,
    pause,
    remove,
    resume,
)
from blotout_orchestration.platform.registry.sensors import (
    SecondRunError,
    check_only_run,
    registry_sensors,
)
from blotout_orchestration.settings import Settings
from tests.registry.databases import with_database
from tests.registry.examples import pipeline

JOB = "load_pipelines"
FAILING = "broken_source"


@asset(partitions_def=DynamicPartitionsDefinition(name=PIPELINE_PARTITIONS))
def loaded(context: AssetExecutionContext) -> None:
    if context.partition_key == FAILING:
        raise RuntimeError("the source is down")


@pytest.fixture
def instance(tmp_path: Any) -> Iterator[DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        yield made


class Deployment:
    """The sensor with its job and its instance; `tick` does what the daemon does with a result."""

    def __init__(self, settings: Settings, instance: DagsterInstance) -> None:
        self.settings, self.instance, self.cursor = settings, instance, None
        (self.sensor,) = registry_sensors(settings, pipeline_job=JOB, channel_job=None)
        job = define_asset_job(JOB, selection=[loaded])
        self.definitions = Definitions([loaded], jobs=[job], sensors=[self.sensor])

    @property
    def job(self) -> JobDefinition:
        return self.definitions.resolve_job_def(JOB)

    def evaluate(self) -> SensorExecutionData:
        """As the code server does it for the daemon, which checks the partition keys of the requests too."""
        context = SensorEvaluationContext(
            instance_ref=self.instance.get_ref(),
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=self.cursor,
            repository_name=None,
            instance=self.instance,
            repository_def=self.definitions.get_repository_def(),
            sensor_name=self.sensor.name,
        )
        return self.sensor.evaluate_tick(context)

    def tick(self, *, run: bool = True) -> dict[str, bool]:
        """The runs of a tick by key, and whether each succeeded."""
        result = self.evaluate()
        for request in result.dynamic_partitions_requests or []:
            if type(request).__name__.startswith("Add"):
                self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
            else:
                for key in request.partition_keys:
                    self.instance.delete_dynamic_partition(request.partitions_def_name, key)
        self.cursor = result.cursor
        if not run:
            return {}
        return {
            request.partition_key: self.job.execute_in_process(
                instance=self.instance,
                partition_key=request.partition_key,
                tags={**request.tags, "dagster/run_key": request.run_key},
                raise_on_error=False,
            ).success
            for request in result.run_requests or []
        }

    @property
    def partitions(self) -> set[str]:
        return set(self.instance.get_dynamic_partitions(PIPELINE_PARTITIONS))


@pytest.fixture
def deployment(registry_settings: Settings, instance: DagsterInstance) -> Deployment:
    return Deployment(registry_settings, instance)


def test_a_pipeline_appears_runs_and_goes_and_its_history_stays(deployment):
    assert deployment.tick() == {}
    add_pipelines(deployment.settings, [pipeline("orders"), pipeline("customers")])
    assert deployment.tick() == {"orders": True, "customers": True}
    assert deployment.partitions == {"orders", "customers"}
    assert deployment.tick() == {}
    remove(deployment.settings, PIPELINES, "orders")
    assert deployment.tick() == {}
    assert deployment.partitions == {"customers"}
    kept = deployment.instance.get_materialized_partitions(AssetKey("loaded"))
    assert kept == {"orders", "customers"}
    add_pipelines(deployment.settings, [pipeline("orders")])
    assert deployment.tick() == {"orders": True}


def test_a_key_that_fails_holds_up_no_other(deployment):
    add_pipelines(deployment.settings, [pipeline(name) for name in ("a", FAILING, "c")])
    assert deployment.tick() == {"a": True, FAILING: False, "c": True}
    assert deployment.tick() == {}


def test_a_paused_pipeline_has_a_partition_and_runs_once_when_resumed(deployment):
    add_pipelines(deployment.settings, [pipeline("orders", paused=True)])
    assert deployment.tick() == {}
    assert deployment.partitions == {"orders"}
    resume(deployment.settings, PIPELINES, "orders")
    assert deployment.tick() == {"orders": True}
    pause(deployment.settings, PIPELINES, "orders")
    assert deployment.tick() == {}


def test_a_key_whose_run_is_under_way_gets_no_second_one(deployment):
    add_pipelines(deployment.settings, [pipeline("orders"), pipeline("other")])
    deployment.tick(run=False)
    deployment.cursor = None
    started = deployment.instance.create_run_for_job(
        deployment.job, tags={PARTITION_NAME_TAG: "orders"}, status=DagsterRunStatus.STARTED
    )
    assert deployment.tick() == {"other": True}
    deployment.instance.report_run_failed(started)
    assert deployment.tick() == {"orders": True}


def test_a_key_whose_run_was_killed_is_free_at_once(deployment):
    add_pipelines(deployment.settings, [pipeline("orders")])
    deployment.tick(run=False)
    deployment.cursor = None
    started = deployment.instance.create_run_for_job(
        deployment.job, tags={PARTITION_NAME_TAG: "orders"}, status=DagsterRunStatus.STARTED
    )
    claim = (
        "import sys; from dagster import DagsterInstance; "
        "from blotout_orchestration.platform.registry.sensors import check_only_run; "
        "check_only_run(DagsterInstance.from_config(sys.argv[1]), sys.argv[2], sys.argv[3], 'orders')"
    )
    folder = deployment.instance.root_directory
    subprocess.run([sys.executable, "-c", claim, folder, JOB, started.run_id], check=True)
    assert deployment.tick() == {"orders": True}
    killed = deployment.instance.get_run_by_id(started.run_id)
    assert killed.status == DagsterRunStatus.FAILURE


def test_a_lost_cursor_asks_for_the_same_run_keys_so_that_dagster_skips_them(deployment):
    add_pipelines(deployment.settings, [pipeline("orders", interval_seconds=86_400)])
    first = deployment.evaluate()
    deployment.tick(run=False)
    deployment.cursor = None
    second = deployment.evaluate()
    assert [one.run_key for one in first.run_requests] == [one.run_key for one in second.run_requests]


def test_an_unreachable_registry_adds_removes_and_runs_nothing_and_says_so(settings, instance, tmp_path):
    deployment = Deployment(settings, instance)
    add_pipelines(settings, [pipeline("orders")])
    deployment.tick()
    down = with_database(settings, f"postgresql+psycopg2://u@localhost/db?host={tmp_path}")
    result = Deployment(down, instance).evaluate()
    assert "the registry cannot be read, so nothing is added, removed or run" in result.skip_message
    assert deployment.partitions == {"orders"}


def test_a_registry_that_is_suddenly_empty_removes_nothing_and_says_so(settings, instance):
    deployment = Deployment(settings, instance)
    add_pipelines(settings, [pipeline("orders")])
    deployment.tick()
    with platform_database(settings).begin() as connection:
        connection.execute(PIPELINES.table.delete())
    result = deployment.evaluate()
    assert "1 partition(s) are not removed: the registry is empty (orders)" in result.skip_message
    deployment.tick()
    assert deployment.partitions == {"orders"}


def test_of_two_runs_of_a_key_that_start_at_once_only_the_older_goes_on(deployment):
    older, newer = (
        deployment.instance.create_run_for_job(
            deployment.job, tags={PARTITION_NAME_TAG: "orders"}, status=DagsterRunStatus.STARTED
        )
        for _ in range(2)
    )
    other = deployment.instance.create_run_for_job(deployment.job, tags={PARTITION_NAME_TAG: "other"})
    check_only_run(deployment.instance, JOB, older.run_id, "orders")
    check_only_run(deployment.instance, JOB, other.run_id, "other")
    with pytest.raises(SecondRunError, match=older.run_id):
        check_only_run(deployment.instance, JOB, newer.run_id, "orders")


def test_a_tick_over_500_pipelines_asks_the_registry_once_and_starts_a_few_runs(deployment):
    add_pipelines(
        deployment.settings, [pipeline(f"p{number}", schedule="*/5 * * * *") for number in range(500)]
    )
    asked: list[str] = []
    engine = platform_database(deployment.settings)
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _cur, text, *_: asked.append(text))
    result = deployment.evaluate()
    assert [text.split()[0] for text in asked if text != "BEGIN"] == ["SELECT"]
    assert sum(len(one.partition_keys) for one in result.dynamic_partitions_requests) == 500
    assert len(result.run_requests) == deployment.settings.pipeline_runs_at_once
