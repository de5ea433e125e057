"""The sensor that finds troubles, puts them in the outbox and delivers what is due.

Belongs here: the one sensor, and what it remembers between ticks. Does not belong here: any of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dagster import (
    AssetKey,
    DagsterRun,
    DefaultSensorStatus,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)
from dagster._core.definitions.assets.job.asset_job import is_reserved_asset_job_name

from blotout_orchestration.platform.alerts import outbox
from blotout_orchestration.platform.alerts.delivery import deliver
from blotout_orchestration.platform.alerts.failed_checks import failed_checks, stale_assets
from blotout_orchestration.platform.alerts.failed_runs import failed_since, is_first_attempt, trouble_of
from blotout_orchestration.platform.alerts.troubles import Trouble
from blotout_orchestration.platform.variables import scrubbed
from blotout_orchestration.settings import Settings

FIRST_LOOK_BACK: Final = timedelta(hours=1)
"""Where a sensor that never ran begins: what failed long before is no news."""


def alerts_sensor(settings: Settings) -> SensorDefinition:
    """One sensor for failed runs, failed checks and late data; its cursor is the last failure seen."""

    @sensor(
        name="alerts",
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description="Tells owners of failed runs (first attempts), failed checks and late data, by mail and "
        "webhook; the same trouble once in ALERT_REPEAT_HOURS. Undelivered alerts are tried again.",
    )
    def alerts(context: SensorEvaluationContext) -> SensorResult:
        now = datetime.now(UTC)
        since = datetime.fromisoformat(context.cursor) if context.cursor else now - FIRST_LOOK_BACK
        found, reached = troubles_since(context, settings, since)
        made = outbox.enqueue(settings, found, now)
        done = deliver(settings, now)
        said = f"{len(found)} troubles stand, {made} alerts made, {done.sent} sent, {done.left} waiting"
        if done.reason:
            said = f"{said}; last refusal: {done.reason}"
        return SensorResult(skip_reason=SkipReason(said), cursor=reached.isoformat())

    return alerts


def troubles_since(
    context: SensorEvaluationContext, settings: Settings, since: datetime
) -> tuple[list[Trouble], datetime]:
    """Failed first attempts after a moment, checks and assets as they stand; and where to go on."""
    repository: Any = context.repository_def
    graph = repository.asset_graph

    def owners_of(keys: Sequence[AssetKey]) -> tuple[str, ...]:
        known = [graph.get(key).owners for key in keys if graph.has(key)]
        return tuple(dict.fromkeys(owner for owners in known for owner in owners or ()))

    runs, reached = failed_since(context.instance, since)
    found = [
        trouble_of(
            context.instance,
            run,
            _ended_at(context, run.run_id),
            owners_of(_assets_of(repository, run)),
            lambda text: scrubbed(settings, text),
            _job_of(repository, run),
        )
        for run in runs
        if is_first_attempt(run)
    ]
    with_policy = [
        key for key in graph.get_all_asset_keys() if graph.has(key) and graph.get(key).freshness_policy
    ]
    found += failed_checks(context.instance, sorted(graph.asset_check_keys), owners_of)
    found += stale_assets(
        context.instance, sorted(with_policy), owners_of, graph.get_ancestor_asset_keys, datetime.now(UTC)
    )
    return found, reached


def _assets_of(repository: Any, run: DagsterRun) -> list[AssetKey]:
    """The assets that a run was to make; a run of a whole job names none by itself."""
    if run.asset_selection:
        return sorted(run.asset_selection)
    if not repository.has_job(run.job_name):
        return []
    return sorted(repository.get_job(run.job_name).asset_layer.executable_asset_keys)


def _job_of(repository: Any, run: DagsterRun) -> str | None:
    """The smallest job that makes a run's assets; Dagster gives runs of single assets a hidden job."""
    if not is_reserved_asset_job_name(run.job_name):
        return run.job_name
    wanted = set(run.asset_selection or ())
    made = {
        name: repository.get_job(name).asset_layer.executable_asset_keys
        for name in repository.job_names
        if not is_reserved_asset_job_name(name)
    }
    fitting = [name for name, keys in made.items() if wanted and wanted <= keys]
    return min(fitting, key=lambda name: (len(made[name]), name), default=None)


def _ended_at(context: SensorEvaluationContext, run_id: str) -> datetime:
    record = context.instance.get_run_record_by_id(run_id)
    ended = record.end_time if record is not None else None
    return datetime.fromtimestamp(ended, UTC) if ended else datetime.now(UTC)
