"""The maintenance jobs in Dagster: thin ops over the plans and actions of this room.

Belongs here: configs, ops, jobs, and the reports that they leave in the UI. Schedules and the sensor are in
automation.py.
"""

from datetime import UTC, datetime
from typing import Any

from dagster import (
    AssetMaterialization,
    AssetSpec,
    JobDefinition,
    MetadataValue,
    OpExecutionContext,
    job,
    op,
)
from pydantic import Field

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.running import MaintenanceConfig, run_plan, show_and_judge
from blotout_orchestration.platform.assets import OWNERS
from blotout_orchestration.platform.plots import picture
from blotout_orchestration.platform.setup import SETUP_JOB

GROUP = "maintenance"
POOL = "maintenance"
COMPRESSION, COMPACT_OP, COMPRESSION_REPORT = "compression", "compact_lake", "compression_report"
CLEANUP, CLEANUP_OP, CLEANUP_REPORT = "cleanup_temp_tables", "remove_temporary", "cleanup_report"
IDLE, IDLE_OP, IDLE_REPORT = "delete_idle_db_connections", "close_idle_connections", "idle_connections_report"
SETUP_OP, SETUP_REPORT = "set_up", "setup_report"
WAREHOUSE_POOL = "dbt_warehouse"
"""Cleanup waits for dbt: while nobody builds, what is temporary in the warehouse is left over."""
TAGS = {"category": "Misc", "team": "data-platform"}


def maintenance_reports() -> list[AssetSpec]:
    """The reports of the jobs: a page each, with the figures of every run as plots."""
    texts = {
        COMPRESSION_REPORT: "Files, bytes and rows of what `compression` replaced, and what it expired and swept.",
        CLEANUP_REPORT: "Temporary tables, query results and build folders that `cleanup_temp_tables` removed.",
        IDLE_REPORT: "Connections of the Postgres server by why they stay or go, of `delete_idle_db_connections`.",
        SETUP_REPORT: "What `one_time_setup` found and what it made, step by step.",
    }
    return [
        AssetSpec(name, description=text, group_name=GROUP, kinds={"python"}, owners=OWNERS)
        for name, text in texts.items()
    ]


class CompressionConfig(MaintenanceConfig):
    """Options of a run of `compression`."""

    tables: str = Field(
        default="*",
        description="Names of the tables to look at, with `*` and `?`, with commas between them; `*` is all.",
    )


def compression_job(lake: Lake) -> JobDefinition:
    """Compact small files, expire old snapshots, sweep files that nobody needs."""

    @op(
        name=COMPACT_OP,
        pool=POOL,
        description="Replace small files by large ones with the same rows, sorted.",
    )
    def compact_lake(context: OpExecutionContext, config: CompressionConfig) -> None:
        from blotout_orchestration.maintenance.compression import CompressionAction, plan_compression
        from blotout_orchestration.maintenance.inventory import patterns
        from blotout_orchestration.maintenance.pictures import before_and_after

        now = datetime.now(UTC)
        plan = plan_compression(lake, now, patterns(config.tables))
        action = CompressionAction(lake, context.run_id, now)
        report = run_plan(context, lake.settings, plan, action, config)
        figures: dict[str, Any] = {
            name: report.total(name)
            for name in (
                "files_before",
                "files_after",
                "bytes_before",
                "bytes_after",
                "rows",
                "snapshots",
                "removed_files",
                "removed_bytes",
            )
        }
        figures["files"] = picture(before_and_after(report), "files before and after")
        show_and_judge(context, COMPRESSION_REPORT, report, config, figures)

    @job(
        name=COMPRESSION,
        description="Compact the small files of core_events and every other lake table above the thresholds; "
        "then expire old snapshots and remove files that no snapshot refers to.",
        tags=TAGS,
    )
    def compression() -> None:
        compact_lake()

    return compression


def cleanup_job(lake: Lake) -> JobDefinition:
    """Drop temporary tables and remove expired files."""

    @op(name=CLEANUP_OP, pool=WAREHOUSE_POOL, description="Drop temporary tables, remove expired files.")
    def remove_temporary(context: OpExecutionContext, config: MaintenanceConfig) -> None:
        from blotout_orchestration.maintenance.cleanup import CleanupAction, plan_cleanup
        from blotout_orchestration.maintenance.pictures import bars

        now = datetime.now(UTC)
        plan = plan_cleanup(lake, now)
        report = run_plan(context, lake.settings, plan, CleanupAction(lake, now), config)
        sizes: dict[str, float] = {}
        for item in plan.items:
            sizes[item.kind] = sizes.get(item.kind, 0) + item.count
        metadata = {
            "dropped": report.total("dropped"),
            "removed_files": report.total("removed_files"),
            "removed_bytes": report.total("removed_bytes"),
            "found": picture(
                bars(sizes, "tables, schemas and files", "nothing has expired"), "found by kind"
            ),
        }
        show_and_judge(context, CLEANUP_REPORT, report, config, metadata)

    @job(
        name=CLEANUP,
        description="Drop temporary tables and schemas, and remove query results, build folders and staging files "
        "whose time is over.",
        tags=TAGS,
    )
    def cleanup_temp_tables() -> None:
        remove_temporary()

    return cleanup_temp_tables


def idle_connections_job(lake: Lake) -> JobDefinition:
    """Close Postgres connections that have been idle for too long."""

    @op(
        name=IDLE_OP,
        pool=POOL,
        description="Close connections that are idle for longer than the settings allow.",
    )
    def close_idle_connections(context: OpExecutionContext, config: MaintenanceConfig) -> None:
        from blotout_orchestration.maintenance import idle_connections as idle
        from blotout_orchestration.maintenance.pictures import bars

        server = idle.server_of(lake.settings)
        if server is None:
            reason = (
                "no Postgres server is configured: IDLE_CONNECTIONS_SERVER and PLATFORM_DATABASE name none"
            )
            context.log.info(f"skipped: {reason}")
            context.log_event(
                AssetMaterialization(IDLE_REPORT, description="skipped", metadata={"skipped": reason})
            )
            return
        rules = idle.rules_of(lake.settings)
        with idle.connected(server) as connection:
            found = idle.sessions(connection)
            plan = idle.plan_closing(found, rules)
            report = run_plan(context, lake.settings, plan, idle.CloseIdle(connection, rules), config)
        reasons = idle.reasons(found, rules)
        metadata = {
            "connections": len(found),
            "closed": report.total("closed"),
            "reasons": picture(bars(reasons, "connections", "no connection"), "connections by verdict"),
        }
        show_and_judge(context, IDLE_REPORT, report, config, metadata)

    @job(
        name=IDLE,
        description="Release database connections that are idle for too long; never Dagster's own, never replication.",
        tags=TAGS,
    )
    def delete_idle_db_connections() -> None:
        close_idle_connections()

    return delete_idle_db_connections


def setup_job(lake: Lake) -> JobDefinition:
    """Make everything that the platform needs before anything else runs."""

    @op(
        name=SETUP_OP,
        pool=POOL,
        description="Make what is missing, step by step; what is there stays as it is.",
    )
    def set_up(context: OpExecutionContext, config: MaintenanceConfig) -> None:
        from blotout_orchestration.maintenance import setup
        from blotout_orchestration.maintenance.setup_steps import all_steps

        steps = all_steps(lake, context.instance)
        plan, existed = setup.plan_setup(steps)
        report = run_plan(context, lake.settings, plan, setup.SetUp(steps), config, context.log.debug)
        found = setup.overview(steps, existed, report)
        for name, entry in found.items():
            context.log.info(f"{name}: {setup.in_words(entry)}")
        complete = setup.record(lake.settings, found, report, context.run_id)
        metadata = {
            "complete": complete,
            "steps": MetadataValue.md(setup.as_table(found)),
            "existed": sum(len(entry["existed"]) for entry in found.values()),
            "made": sum(len(entry["made"]) for entry in found.values()),
        }
        show_and_judge(context, SETUP_REPORT, report, config, metadata)

    @job(
        name=SETUP_JOB,
        description="First launch: layers or buckets, database and registries, catalog, tables, partition sets, mail "
        "identity, Superset. Makes only what is missing; nothing else runs before it has succeeded.",
        tags={**TAGS, "category": "Analytics"},
    )
    def one_time_setup() -> None:
        set_up()

    return one_time_setup


def maintenance_jobs(lake: Lake) -> list[JobDefinition]:
    """All jobs of this file, the setup first."""
    return [setup_job(lake), compression_job(lake), cleanup_job(lake), idle_connections_job(lake)]
