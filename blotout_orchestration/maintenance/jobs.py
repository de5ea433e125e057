"""The maintenance jobs in Dagster: thin ops over the plans and actions of this room.

Belongs here: configs, ops, jobs, and the reports that they leave in the UI. Schedules and the sensor are in
automation.py.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dagster import AssetSpec, JobDefinition, OpExecutionContext, job, op
from pydantic import Field

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.running import MaintenanceConfig, run_plan, show_and_judge
from blotout_orchestration.platform.assets import OWNERS
from blotout_orchestration.platform.plots import picture

GROUP = "maintenance"
POOL = "maintenance"
COMPRESSION, COMPACT_OP, COMPRESSION_REPORT = "compression", "compact_lake", "compression_report"
TAGS = {"category": "Misc", "team": "data-platform"}


def maintenance_reports() -> list[AssetSpec]:
    """The reports of the jobs: a page each, with the figures of every run as plots."""
    texts = {
        COMPRESSION_REPORT: "Files, bytes and rows of what `compression` replaced, and what it expired and swept.",
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


def maintenance_jobs(lake: Lake) -> Sequence[JobDefinition]:
    """All jobs of this file."""
    return [compression_job(lake)]
