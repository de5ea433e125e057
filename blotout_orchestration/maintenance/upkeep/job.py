"""The job `dagster_upkeep`, the sensor that fails dead runs, and the heartbeat.

Belongs here: the Dagster objects, thin. Does not belong here: what they do.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetsDefinition,
    AssetSpec,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    JobDefinition,
    OpExecutionContext,
    ScheduleDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    job,
    op,
    sensor,
)

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.running import MaintenanceConfig, run_plan, show_and_judge
from blotout_orchestration.maintenance.upkeep.failed_partitions import failed_partitions, raise_for_failed
from blotout_orchestration.maintenance.upkeep.heartbeat import beat
from blotout_orchestration.maintenance.upkeep.history import JOB, Purge, plan_purge
from blotout_orchestration.maintenance.upkeep.workers import fail_dead_runs
from blotout_orchestration.platform.assets import OWNERS

PURGE_OP, PARTITIONS_OP = "purge_history", "look_for_failed_partitions"
REPORT = f"{JOB}_report"


class UpkeepConfig(MaintenanceConfig):
    """Options of a run of `dagster_upkeep`."""


def upkeep_reports() -> list[AssetSpec]:
    """The page of the job's reports."""
    text = "Runs and captured output that `dagster_upkeep` purged."
    return [AssetSpec(REPORT, description=text, group_name="maintenance", kinds={"python"}, owners=OWNERS)]


def upkeep_job(lake: Lake, assets: Sequence[AssetsDefinition]) -> JobDefinition:
    """Purges old history; and, whatever came of that, fails when a partition of `assets` is left failed."""

    @op(name=PURGE_OP, description="Purge runs older than RUN_RETENTION_DAYS that nothing needs any more.")
    def purge_history(context: OpExecutionContext, config: UpkeepConfig) -> None:
        settings = lake.settings
        plan = plan_purge(
            context.instance,
            datetime.now(UTC),
            timedelta(days=settings.run_retention_days),
            timedelta(days=settings.compute_log_retention_days),
        )
        report = run_plan(context, settings, plan, Purge(context.instance), config)
        figures = {"purged_runs": report.total("runs"), "removed_outputs": report.total("outputs")}
        show_and_judge(context, REPORT, report, config, figures)

    @op(
        name=PARTITIONS_OP,
        description="Red when the newest try of a partition failed and nobody made it since.",
    )
    def look_for_failed_partitions(context: OpExecutionContext) -> None:
        raise_for_failed(failed_partitions(context.instance, assets))

    @job(
        name=JOB,
        description="Purges old runs (never the newest materialization of a partition) and captured output; "
        "looks for partitions that are left failed.",
        tags={"category": "Misc", "owner": OWNERS[0]},
    )
    def dagster_upkeep() -> None:
        purge_history()
        look_for_failed_partitions()

    return dagster_upkeep


def upkeep_schedule(lake: Lake, upkeep: JobDefinition) -> ScheduleDefinition:
    """Purges for real; a hand-started run only reports."""
    return ScheduleDefinition(
        name=f"{JOB}_schedule",
        job=upkeep,
        cron_schedule=lake.settings.dagster_upkeep_schedule_interval,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        run_config={"ops": {PURGE_OP: {"config": {"dry_run": False}}}},
        description="DAGSTER_UPKEEP_SCHEDULE_INTERVAL: purge, and look for failed partitions.",
    )


def upkeep_sensors(lake: Lake) -> Sequence[SensorDefinition]:
    """The reaper of dead runs and the heartbeat."""

    @sensor(
        name="dead_runs",
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description="Fails runs whose process is gone, and frees their pool slots.",
    )
    def dead_runs(context: SensorEvaluationContext) -> SkipReason:
        dead = fail_dead_runs(context.instance)
        return SkipReason(f"failed {', '.join(dead)}" if dead else "every run under way has its process")

    @sensor(
        name="heartbeat",
        minimum_interval_seconds=300,
        default_status=DefaultSensorStatus.RUNNING,
        description="Writes BLOTOUT_HOME/heartbeat.json and requests HEARTBEAT_ADDRESS while the daemon is alive.",
    )
    def heartbeat(context: SensorEvaluationContext) -> SkipReason:
        return SkipReason(beat(lake.settings, datetime.now(UTC)))

    return [dead_runs, heartbeat]
