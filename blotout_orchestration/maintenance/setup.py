"""The job `one_time_setup`: its plan, the action on one item, and the record that it succeeded.

Belongs here: what is common to all steps. The steps are in setup_steps.py, whether the setup is done is asked
through platform/setup.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from blotout_orchestration.maintenance.execution import Report, VerificationError
from blotout_orchestration.maintenance.plan import Plan, PlanItem
from blotout_orchestration.maintenance.setup_steps import Step
from blotout_orchestration.platform.setup import COMPLETE, SETUP_JOB, record_step
from blotout_orchestration.settings import Settings


def plan_setup(steps: Sequence[Step]) -> tuple[Plan, dict[str, list[str]]]:
    """What is missing, in order, and by step what is there already.

    Something that cannot be looked at because what it lies in is missing too counts as missing.
    """
    items: list[PlanItem] = []
    existed: dict[str, list[str]] = defaultdict(list)
    for step in steps:
        for target in step.targets():
            if step.exists(target):
                existed[step.name].append(target)
            else:
                items.append(PlanItem(step.name, target, "missing"))
    return Plan(SETUP_JOB, datetime.now(UTC), tuple(items)), dict(existed)


class SetUp:
    """Making one missing thing."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = {step.name: step for step in steps}

    def recheck(self, item: PlanItem) -> str | None:
        """Skip what somebody else made in the meantime, or what an earlier item brought with it."""
        return "it is there now" if self._steps[item.kind].exists(item.target) else None

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """Make it."""
        self._steps[item.kind].make(item.target)
        return {"made": 1}

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Raises VerificationError when it is still not there."""
        if not self._steps[item.kind].exists(item.target):
            raise VerificationError("it was made and is not there")


def overview(
    steps: Sequence[Step], existed: Mapping[str, Sequence[str]], report: Report
) -> dict[str, dict[str, Any]]:
    """By step: what was there, what was made, what could not be, and why a step had nothing to do."""
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        results = [result for result in report.results if result.item.kind == step.name]
        missing = [item.target for item in report.plan.items if item.kind == step.name]
        found[step.name] = {
            "existed": list(existed.get(step.name, [])),
            # Skipped is what an earlier item brought with it, such as the database with the audit log.
            "made": [result.item.target for result in results if result.outcome in ("done", "skipped")],
            "missing": missing
            if report.dry_run
            else [r.item.target for r in results if r.outcome == "failed"],
            "skipped": step.skipped,
        }
    return found


def in_words(entry: Mapping[str, Any]) -> str:
    """One step of the overview as a line of a log."""
    if entry["skipped"]:
        return f"nothing to do, {entry['skipped']}"
    return (
        ", ".join(
            f"{len(entry[key])} {words}"
            for key, words in (("existed", "were there"), ("made", "made"), ("missing", "missing"))
            if entry[key]
        )
        or "nothing to do"
    )


def as_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The overview as Markdown."""
    lines = ["| step | was there | made | missing | remark |", "|---|---|---|---|---|"]
    for name, entry in found.items():
        counts = " | ".join(_names(entry[key]) for key in ("existed", "made", "missing"))
        lines.append(f"| {name} | {counts} | {entry['skipped']} |")
    return "\n".join(lines)


def _names(targets: Sequence[str]) -> str:
    if len(targets) <= 3:
        return ", ".join(f"`{target}`" for target in targets)
    return f"{len(targets)}: `{targets[0]}` ... `{targets[-1]}`"


def record(settings: Settings, found: Mapping[str, Mapping[str, Any]], report: Report, run_id: str) -> bool:
    """Write the steps that succeeded down, and the whole when all did; returns whether the setup is complete."""
    if report.dry_run:
        return False
    for name, entry in found.items():
        if not entry["missing"]:
            record_step(settings, name, run_id, entry)
    complete = all(result.outcome in ("done", "skipped") for result in report.results)
    complete = complete and len(report.results) == len(report.plan.items)
    if complete:
        record_step(settings, COMPLETE, run_id, {"steps": list(found)})
    return complete
