"""The asset check of the sources: is every pipeline as fresh as its schedule promises?

Belongs here: the check, its job and its schedule. What late means is in freshness.py.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetRecordsFilter,
    AssetSelection,
    DagsterEventType,
    DagsterInstance,
    DefaultScheduleStatus,
    MetadataValue,
    ScheduleDefinition,
    define_asset_job,
    multi_asset_check,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from blotout_orchestration.elt.assets import SOURCES
from blotout_orchestration.elt.sources import kind_of
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import live_pipelines

CHECK = "pipelines_are_fresh"
JOB = "elt_freshness"


def elt_checks(lake: Lake) -> list[AssetChecksDefinition]:
    """One check a kind of source."""
    specs = [
        AssetCheckSpec(
            CHECK,
            asset=key,
            description="Every pipeline that is not paused was loaded since its schedule last asked for it.",
        )
        for key in SOURCES.values()
    ]

    @multi_asset_check(name="check_freshness", specs=specs)
    def check_freshness(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
        from blotout_orchestration.elt.freshness import freshness, freshness_table

        pipelines = live_pipelines(lake.settings)
        now = datetime.now(UTC)
        for kind, key in SOURCES.items():
            own = {name: one for name, one in pipelines.items() if kind_of(one.source_type) == kind}
            rows = freshness(now, own, last_loads(context.instance, kind, list(own)))
            late = sum(row.is_late for row in rows)
            yield AssetCheckResult(
                check_name=CHECK,
                asset_key=key,
                passed=late == 0,
                severity=AssetCheckSeverity.WARN,
                metadata={
                    "pipelines": len(rows),
                    "late": late,
                    "freshness": MetadataValue.md(freshness_table(rows)),
                },
            )

    return [check_freshness]


def last_loads(instance: DagsterInstance, kind: str, names: list[str]) -> dict[str, datetime]:
    """When each of some pipelines of a kind was loaded last, whatever became of the loads after it."""
    if not names:
        return {}
    newest = instance.get_latest_storage_id_by_partition(
        SOURCES[kind], DagsterEventType.ASSET_MATERIALIZATION, set(names)
    )
    wanted = list(newest.values())
    if not wanted:
        return {}
    records = instance.fetch_materializations(
        AssetRecordsFilter(asset_key=SOURCES[kind], storage_ids=wanted), limit=len(wanted)
    ).records
    return {str(record.partition_key): datetime.fromtimestamp(record.timestamp, UTC) for record in records}


def elt_freshness_job() -> UnresolvedAssetJobDefinition:
    """The job that evaluates the checks and loads nothing."""
    checks = AssetSelection.checks(*(AssetCheckKey(key, CHECK) for key in SOURCES.values()))
    return define_asset_job(
        JOB, selection=checks, description="Look for pipelines that are late.", tags={"category": "ELT"}
    )


def elt_freshness_schedule(lake: Lake, job: UnresolvedAssetJobDefinition) -> ScheduleDefinition:
    """When freshness is looked at."""
    return ScheduleDefinition(
        name=f"{JOB}_schedule",
        job=job,
        cron_schedule=lake.settings.elt_freshness_schedule_interval,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Warns of pipelines that were not loaded when they should have been.",
    )
