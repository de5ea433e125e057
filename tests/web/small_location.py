"""A small code location for the door's tests: a job, assets, a schedule."""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.op
def add_one() -> int:
    return 1


@dg.job
def small_job():
    add_one()


@dg.asset
def small_asset() -> int:
    return 1


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["one", "two"]))
def small_parts() -> int:
    return 1


@dg.schedule(job=small_job, cron_schedule="0 0 * * *")
def small_schedule(context: dg.ScheduleEvaluationContext):
    """Leaves a trace in the home of the instance, so that a test sees whether its code ran."""
    (Path(context.instance.root_directory) / "small_schedule.log").write_text("ran")
    return dg.SkipReason("nothing to do")


defs = dg.Definitions(assets=[small_asset, small_parts], jobs=[small_job], schedules=[small_schedule])
