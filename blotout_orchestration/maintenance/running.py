"""What all maintenance jobs share in Dagster: the options of a run, the audit log, the report in the UI.

Belongs here: Dagster around plan.py and execution.py. The jobs themselves are in jobs.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dagster import AssetMaterialization, Config, MetadataValue, OpExecutionContext
from pydantic import Field

from blotout_orchestration.maintenance.execution import (
    Action,
    Outcome,
    Report,
    carry_out,
    raise_for_failures,
)
from blotout_orchestration.maintenance.plan import Plan, PlanItem
from blotout_orchestration.platform.database import audit
from blotout_orchestration.settings import Settings

LARGEST_JSON = 100_000
"""A plan whose JSON is longer is shown as a table only; the event log keeps every event for ever."""
SHOWN_FAILURES = 20


class MaintenanceConfig(Config):
    """Options that every maintenance job has."""

    dry_run: bool = Field(
        default=True,
        description="On: only report what would be done. The schedule of the job switches this off; a run that is "
        "started by hand does nothing until it is switched off here.",
    )
    maximum_failures: int = Field(
        default=0,
        ge=0,
        description="The run is red when more items than this fail. All items are tried in any case.",
    )


def actor_of(tags: Mapping[str, str]) -> str:
    """Who started a run: a person, a schedule, a sensor, or whoever may start runs by hand."""
    for tag, kind in (
        ("user", "user"),
        ("dagster/schedule_name", "schedule"),
        ("dagster/sensor_name", "sensor"),
    ):
        if tags.get(tag):
            return f"{kind}:{tags[tag]}"
    return "by hand"


def run_plan(
    context: OpExecutionContext,
    settings: Settings,
    plan: Plan,
    action: Action,
    config: MaintenanceConfig,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Carry the plan out, with every action in the audit log; the caller shows the report and then raises.

    `progress` takes the lines that say what is going on; the log of the run by default.
    """
    actor = actor_of(context.run.tags)

    def to_log(item: PlanItem, outcome: Outcome, details: Mapping[str, Any]) -> None:
        audit.record(
            settings,
            actor=actor,
            action=f"{plan.job}.{item.kind}",
            target=item.target,
            outcome=outcome,
            run_id=context.run_id,
            details=details,
        )

    return carry_out(
        plan,
        action,
        dry_run=config.dry_run,
        maximum_failures=config.maximum_failures,
        audit=to_log,
        progress=progress or context.log.info,
    )


def report_metadata(report: Report) -> dict[str, Any]:
    """Counts, the plan as a table, failures; numbers become plots over time on the page of the report."""
    metadata: dict[str, Any] = {
        "dry_run": report.dry_run,
        "planned_items": len(report.plan.items),
        "planned_bytes": report.plan.bytes,
        **report.counts(),
        "plan": MetadataValue.md(report.plan.markdown()),
        "plan_digest": report.plan.digest,
    }
    text = report.plan.to_json()
    if len(text) <= LARGEST_JSON:
        metadata["plan_json"] = MetadataValue.json({"plan": text})
    problems = [result for result in report.results if result.outcome in ("failed", "skipped")]
    if problems:
        lines = ["| outcome | what | reason |", "|---|---|---|"]
        lines += [
            f"| {result.outcome} | {result.item.kind} `{result.item.target}` | {_cell(result.reason)} |"
            for result in problems[:SHOWN_FAILURES]
        ]
        metadata["not_done"] = MetadataValue.md("\n".join(lines))
    return metadata


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:500]


def show_and_judge(
    context: OpExecutionContext,
    report_key: str,
    report: Report,
    config: MaintenanceConfig,
    metadata: Mapping[str, Any],
) -> None:
    """Put the report on its page in the UI, then fail the run if it must be red.

    Raises MaintenanceFailedError.
    """
    description = "dry run" if report.dry_run else "done"
    context.log_event(
        AssetMaterialization(
            report_key, description=description, metadata={**report_metadata(report), **metadata}
        )
    )
    raise_for_failures(report, config.maximum_failures)
