"""Running a job from the command line, to its end, in the instance that the UI shows.

Belongs here: what `blotout run` does. Which jobs there are is in definitions.py.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dagster import (
    AssetKey,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    Definitions,
    DynamicPartitionsDefinition,
    JobDefinition,
    OpDefinition,
)

from blotout_orchestration.errors import INTERRUPTED_QUERY, UsageError
from blotout_orchestration.platform.home import open_instance
from blotout_orchestration.platform.progress import PROGRESS_LOGGER
from blotout_orchestration.platform.runs import (
    fail_killed_runs,
    partition_key,
    range_tags,
    stretches,
    worker_tags,
)
from blotout_orchestration.platform.setup import SETUP_JOB, setup_done
from blotout_orchestration.platform.step_errors import first_error
from blotout_orchestration.settings import Settings

MAXIMUM_GAP = timedelta(days=7)
"""A longer pause between pending hours begins a run of its own."""


class UnknownJobError(UsageError):
    """A job was asked for that is not there."""


def run_job(
    name: str,
    *,
    settings: Settings,
    hours: tuple[datetime, datetime] | None = None,
    partition: str | None = None,
    dry_run: bool | None = None,
    echo: Callable[[str], None] = print,
) -> bool:
    """Run a job to its end in this process, in the instance that the UI shows; True when it succeeded.

    `hours` (first and last, both included) narrows a job with hourly partitions; without it all hours that
    are not done yet are run. `partition` names the pipeline or channel of a job over a registry. `dry_run` sets
    the option of that name of jobs that have it; None leaves their default. On ground that is not set up yet, `one_time_setup` runs first. Raises UnknownJobError, and
    UsageError for hours or an option that the job does not have.
    """
    definitions = _definitions(settings)
    job = _resolve(name, definitions)
    registered = _registered(job, partition, settings)
    if hours is not None:
        _check_hours(job, hours)
    config = None if dry_run is None else _dry_run_config(job, dry_run)
    with open_instance(settings) as instance:
        killed = fail_killed_runs(instance)
        if killed:
            echo(f"{killed} run(s) whose process had been killed are now marked as failed")
        if not _set_up_first(name, definitions, instance, settings, echo):
            return False
        if registered is not None:
            instance.add_dynamic_partitions(registered, [str(partition)])
            return _execute(job, instance, echo, run_config=config, partition=partition)
        if job.partitions_def is None:
            return _execute(job, instance, echo, run_config=config)
        return _run_hours(job, instance, settings, hours, echo)


def plan_job(
    name: str,
    *,
    settings: Settings,
    hours: tuple[datetime, datetime] | None = None,
    partition: str | None = None,
) -> list[str]:
    """What `run_job` would do, a line each. Raises as `run_job` does, but a missing `partition` is asked for."""
    job = _resolve(name, _definitions(settings))
    if partition is not None:
        _registered(job, partition, settings)
    if hours is not None:
        _check_hours(job, hours)
    partitioned, others = _by_partitions(job)
    lines = []
    if isinstance(job.partitions_def, DynamicPartitionsDefinition):
        which = f"one of {job.partitions_def.name}, which --partition names"
        lines.append(which if partition is None else f"{partition} of {job.partitions_def.name}")
    elif partitioned:
        found = [hours] if hours is not None else _pending_stretches(settings)
        lines += [_stretch_text(first, last) for first, last in found] or [_nothing_pending(settings)]
    names = sorted(key.to_user_string() for key in [*partitioned, *others])
    if not names:
        return [*lines, f"steps: {', '.join(sorted(job.graph.node_dict))}"]
    return [*lines, f"assets: {', '.join(names)}"]


def _definitions(settings: Settings) -> Definitions:
    logging.getLogger("dagster").propagate = False
    warnings.filterwarnings("ignore", message=".*currently in (beta|preview)")
    from blotout_orchestration.definitions import build_defs

    return build_defs(settings)


def _dry_run_config(job: JobDefinition, dry_run: bool) -> dict[str, Any]:
    """Run config that sets `dry_run` on every step that has it. Raises UsageError when none has."""
    steps = [name for name, node in job.graph.node_dict.items() if _has_dry_run(node.definition)]
    if not steps:
        raise UsageError(f"{job.name} has no dry run: leave the option out")
    return {"ops": {name: {"config": {"dry_run": dry_run}} for name in steps}}


def _has_dry_run(definition: object) -> bool:
    schema = definition.config_schema.config_type if isinstance(definition, OpDefinition) else None
    return "dry_run" in getattr(schema, "fields", {})


def _set_up_first(
    name: str,
    definitions: Definitions,
    instance: DagsterInstance,
    settings: Settings,
    echo: Callable[[str], None],
) -> bool:
    """Run `one_time_setup` unless it has succeeded before or is what was asked for; whether all is set up."""
    if name == SETUP_JOB or setup_done(settings):
        return True
    if SETUP_JOB not in {job.name for job in definitions.resolve_all_job_defs()}:
        return True
    setup = definitions.resolve_job_def(SETUP_JOB)
    return _execute(setup, instance, echo, run_config=_dry_run_config(setup, False))


def _resolve(name: str, definitions: Definitions) -> JobDefinition:
    names = sorted(job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__"))
    if name not in names:
        raise UnknownJobError(f"there is no job {name!r}; the jobs are: {', '.join(names)}")
    return definitions.resolve_job_def(name)


def _registered(job: JobDefinition, partition: str | None, settings: Settings) -> str | None:
    """The name of the partitions of a job over registered pipelines or channels; None for other jobs.

    Such a job runs one of them at a time. Raises UsageError when `partition` is missing, or names none.
    """
    from blotout_orchestration.platform.registry import CHANNEL_PARTITIONS, live_channels, live_pipelines

    partitions = job.partitions_def
    if not isinstance(partitions, DynamicPartitionsDefinition):
        if partition is not None:
            raise UsageError(f"{job.name} runs no single pipeline or channel: leave --partition out")
        return None
    live = live_channels if partitions.name == CHANNEL_PARTITIONS else live_pipelines
    names = sorted(live(settings))
    if partition not in names:
        wanted = (
            "name one with --partition" if partition is None else f"--partition {partition} is none of them"
        )
        raise UsageError(
            f"{job.name} runs one at a time: {wanted}; there are: {', '.join(names) or 'none yet'}"
        )
    return partitions.name


def _check_hours(job: JobDefinition, hours: tuple[datetime, datetime]) -> None:
    if job.partitions_def is None or isinstance(job.partitions_def, DynamicPartitionsDefinition):
        raise UsageError(f"{job.name} has no hours: run it without --hours")
    keys = job.partitions_def.get_partition_keys()
    if not keys:
        raise UsageError(
            f"--hours: {job.name} has no hours yet: nothing has landed, or EVENTS_START_HOUR is in the future"
        )
    for hour in hours:
        if partition_key(hour) not in keys:
            raise UsageError(
                f"--hours: {hour:%Y-%m-%dT%H} is not an hour of {job.name}; its hours are {_hour_text(keys[0])} to {_hour_text(keys[-1])}"
                " (the first landed hour of the last ten years, or EVENTS_START_HOUR, to the current one)"
            )


def _hour_text(key: str) -> str:
    """A partition key as `--hours` takes it."""
    return f"{key[:10]}T{key[11:13]}"


def _by_partitions(job: JobDefinition) -> tuple[list[AssetKey], list[AssetKey]]:
    """Assets of a job with hourly partitions, and without."""
    layer = job.asset_layer
    keys = sorted(layer.executable_asset_keys)
    partitioned = [key for key in keys if layer.get(key).is_partitioned]
    return partitioned, [key for key in keys if key not in partitioned]


def _stretch_text(first: datetime, last: datetime) -> str:
    return f"hours {first:%Y-%m-%d %H:00} to {last:%Y-%m-%d %H:00} UTC"


def _run_hours(
    job: JobDefinition,
    instance: DagsterInstance,
    settings: Settings,
    hours: tuple[datetime, datetime] | None,
    echo: Callable[[str], None],
) -> bool:
    """Run a job with hours: each stretch of pending hours, what has no hours together with the last one."""
    from blotout_orchestration.events.assets import FLATTEN_OP

    partitioned, others = _by_partitions(job)
    found = [hours] if hours is not None else _pending_stretches(settings)
    if not found:
        echo(_nothing_pending(settings))
        return _execute(job, instance, echo, selection=others) if others else True
    config = {"ops": {FLATTEN_OP: {"config": {"only_pending": hours is None}}}}
    for index, (first, last) in enumerate(found, start=1):
        echo(_stretch_text(first, last))
        selection = None if index == len(found) else partitioned
        if not _execute(job, instance, echo, range_tags(first, last), config, selection):
            return False
    return True


def _nothing_pending(settings: Settings) -> str:
    from blotout_orchestration.events.arrival import left_out
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.lake.layers import list_landed

    landing = Lake(settings).layer("landing")
    landed = list_landed(landing)
    if not landed:
        return f"nothing has landed in {landing} yet: `blotout land PATH...` brings requests in"
    return "; ".join(left_out(settings, landed)) or "every landed hour is done"


def _pending_stretches(settings: Settings) -> list[tuple[datetime, datetime]]:
    from blotout_orchestration.events.processing import pending_hours
    from blotout_orchestration.lake import Lake

    return stretches(pending_hours(Lake(settings)), MAXIMUM_GAP)


def _execute(
    job: JobDefinition,
    instance: DagsterInstance,
    echo: Callable[[str], None],
    tags: Mapping[str, str] | None = None,
    run_config: Mapping[str, Any] | None = None,
    selection: Sequence[AssetKey] | None = None,
    partition: str | None = None,
) -> bool:
    started = time.monotonic()
    echo(f"{job.name}: started")
    try:
        result = job.execute_in_process(
            instance=instance,
            partition_key=partition,
            tags={**worker_tags(), **(tags or {})},
            run_config={**(run_config or {}), "loggers": {PROGRESS_LOGGER: {"config": {}}}},
            asset_selection=selection,
            raise_on_error=False,
        )
    except DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            told = first_error(event.step_failure_data.error)
            if told == f"RuntimeError: {INTERRUPTED_QUERY}":
                raise KeyboardInterrupt
            echo(f"{event.step_key}: {told}")
    state = "succeeded" if result.success else "FAILED"
    echo(f"{job.name}: {state} after {time.monotonic() - started:.1f} s (run {result.run_id})")
    return bool(result.success)
