"""The sensors that keep partitions and runs in step with the registries.

Belongs here: asking Dagster and the registry, and handing over what ticks.py decides. Does not belong here:
the decisions, and the jobs, which belong to the domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagster import (
    AddDynamicPartitionsRequest,
    DagsterInstance,
    DefaultSensorStatus,
    DeleteDynamicPartitionsRequest,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)
from dagster._core.storage.tags import PARTITION_NAME_TAG

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.database import DatabaseUnavailableError
from blotout_orchestration.platform.registry import (
    CHANNEL_PARTITIONS,
    CHANNELS,
    PIPELINE_PARTITIONS,
    PIPELINES,
    Registry,
)
from blotout_orchestration.platform.registry.ticks import Tick, plan_tick
from blotout_orchestration.platform.runs import ALIVE, live_runs, worker_tags

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

SECONDS_BETWEEN_TICKS = 20


class SecondRunError(BlotoutError):
    """Another run of the same key is under way."""


def registry_sensors(
    settings: Settings, *, pipeline_job: str | None, channel_job: str | None
) -> list[SensorDefinition]:
    """A sensor for each registry whose job there is; the job has the registry's dynamic partitions."""
    found = []
    if pipeline_job is not None:
        found.append(_sensor(settings, PIPELINES, PIPELINE_PARTITIONS, pipeline_job))
    if channel_job is not None:
        found.append(_sensor(settings, CHANNELS, CHANNEL_PARTITIONS, channel_job))
    return found


def _sensor(settings: Settings, registry: Registry[Any], partitions: str, job: str) -> SensorDefinition:
    @sensor(
        name=f"{partitions}_sensor",
        job_name=job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=DefaultSensorStatus.RUNNING,
        description=f"Keeps the partitions {partitions} in step with {registry.table_name}, and runs each "
        "key at its own time (UTC), one run a key at a time. It removes no partition unless the registry says "
        "that the key was removed.",
    )
    def evaluate(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        try:
            contents = registry.contents(settings)
        except DatabaseUnavailableError as error:
            return SkipReason(f"the registry cannot be read, so nothing is added, removed or run: {error}")
        runs = live_runs(context.instance, job)
        tick = plan_tick(
            datetime.now(UTC),
            contents,
            partitions=context.instance.get_dynamic_partitions(partitions),
            running=[run.tags[PARTITION_NAME_TAG] for run in runs if PARTITION_NAME_TAG in run.tags],
            cursor=context.cursor,
            slots=settings.pipeline_runs_at_once - len(runs),
        )
        for note in tick.notes:
            context.log.warning(note)
        return _result(tick, partitions, job)

    return evaluate


def _result(tick: Tick, partitions: str, job: str) -> SensorResult:
    requests: list[AddDynamicPartitionsRequest | DeleteDynamicPartitionsRequest] = []
    if tick.add:
        requests.append(AddDynamicPartitionsRequest(partitions, list(tick.add)))
    if tick.remove:
        requests.append(DeleteDynamicPartitionsRequest(partitions, list(tick.remove)))
    runs = [
        RunRequest(run_key=f"{job}:{key}:{due.isoformat()}", partition_key=key)
        for key, due in tick.runs.items()
    ]
    return SensorResult(
        run_requests=runs,
        dynamic_partitions_requests=requests,
        cursor=tick.cursor,
        skip_reason=None if runs else tick.reason,
    )


def check_only_run(instance: DagsterInstance, job_name: str, run_id: str, key: str) -> None:
    """Raises SecondRunError when an older run of the key is alive; of two that start at once, one goes on.

    The sensor requests no second run; people and backfills can. The run is marked with its process, so that
    the sensor sees it when that is killed, and the key does not wait for the run's maximum time.
    """
    older = _older_runs(instance, job_name, run_id, key)
    if older:
        raise SecondRunError(
            f"run {older[0]} of {key} is under way; a key has one run at a time, so this one did nothing"
        )
    instance.add_run_tags(run_id, worker_tags())


def _older_runs(instance: DagsterInstance, job_name: str, run_id: str, key: str) -> Sequence[str]:
    from dagster import RunsFilter

    records = instance.get_run_records(
        RunsFilter(job_name=job_name, statuses=list(ALIVE), tags={PARTITION_NAME_TAG: key}), ascending=True
    )
    alive = {run.run_id for run in live_runs(instance, job_name)}
    order = [record.dagster_run.run_id for record in records if record.dagster_run.run_id in alive]
    return order[: order.index(run_id)] if run_id in order else order
