"""Carrying out a plan: re-check, act, verify, write down - item by item.

Belongs here: what all maintenance jobs do in the same way. Does not belong here: what an item means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.maintenance.plan import Plan, PlanItem

Outcome = Literal["planned", "done", "skipped", "refused", "failed"]
Auditor = Callable[[PlanItem, Outcome, Mapping[str, Any]], None]
STOP_AFTER = 10
"""So many failures one after another mean that something is wrong with more than the single items."""


class MaintenanceFailedError(BlotoutError):
    """More items failed than the run allows; the message names the first ones."""


class VerificationError(BlotoutError):
    """After the action the world is not what it must be; the message says what differs."""


class OvertakenError(Exception):
    """Somebody else changed the object first: the item is skipped, the next plan sees the object anew."""


class Action(Protocol):
    """What a job does with an item of its plan."""

    def recheck(self, item: PlanItem) -> str | None:
        """Why the item must not be done any more, looked up in the world as it is now; None to go on."""

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """Do it; figures of what was done. Doing it twice must do no harm."""

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Look whether it really happened. Raises VerificationError."""


@dataclass(frozen=True)
class ItemResult:
    """How one item went; `figures` are the action's, `reason` says why it was skipped or failed."""

    item: PlanItem
    outcome: Outcome
    reason: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """How a plan went."""

    plan: Plan
    dry_run: bool
    results: tuple[ItemResult, ...] = ()

    def counts(self) -> dict[str, int]:
        """Items by outcome; in a dry run all are `planned`."""
        if self.dry_run:
            return {"planned": len(self.plan.items), "refused": len(self.plan.refused)}
        found = Counter(str(result.outcome) for result in self.results)
        missing = len(self.plan.items) - len(self.results)
        figures = {name: found.get(name, 0) for name in ("done", "skipped", "failed")}
        return {**figures, "refused": len(self.plan.refused), "not_tried": missing}

    def total(self, figure: str) -> int:
        """Sum of one figure over all items that were done."""
        return sum(int(result.figures.get(figure, 0)) for result in self.results)


def carry_out(
    plan: Plan,
    action: Action,
    *,
    dry_run: bool,
    maximum_failures: int,
    audit: Auditor,
    progress: Callable[[str], None],
) -> Report:
    """Report the plan, then do its items unless `dry_run`; every action goes to `audit`.

    A failed item does not keep the others from being done. The caller raises what `raise_for_failures`
    raises after it has shown the report.
    """
    for line in plan.lines():
        progress(line)
    for item in plan.refused:
        audit(item, "refused", {"why": item.why})
    whole = PlanItem("plan", plan.job, f"{len(plan.items)} items", len(plan.items), plan.bytes)
    audit(whole, "planned", {"plan": plan.digest, "dry_run": dry_run, "bytes": plan.bytes, **plan.counts()})
    if dry_run:
        progress("dry run: nothing was done")
        return Report(plan, dry_run=True)
    results: list[ItemResult] = []
    in_a_row = 0
    for number, item in enumerate(plan.items, start=1):
        result = _do(item, action)
        audit(item, result.outcome, {"plan": plan.digest, "reason": result.reason, **result.figures})
        tail = f": {result.reason}" if result.reason else ""
        progress(f"[{number}/{len(plan.items)}] {result.outcome} {item.kind} {item.target}{tail}")
        results.append(result)
        in_a_row = in_a_row + 1 if result.outcome == "failed" else 0
        if in_a_row > max(STOP_AFTER, maximum_failures):
            progress(f"stopped after {in_a_row} failures in a row")
            break
    return Report(plan, dry_run=False, results=tuple(results))


def _do(item: PlanItem, action: Action) -> ItemResult:
    try:
        reason = action.recheck(item)
        if reason is not None:
            return ItemResult(item, "skipped", reason)
        figures = action.act(item)
        action.verify(item, figures)
    except OvertakenError as error:
        return ItemResult(item, "skipped", str(error))
    except Exception as error:
        return ItemResult(item, "failed", f"{type(error).__name__}: {error}")
    return ItemResult(item, "done", figures=figures)


def raise_for_failures(report: Report, maximum_failures: int) -> None:
    """Raises MaintenanceFailedError when more items failed than allowed, or when something was refused."""
    failed = [result for result in report.results if result.outcome == "failed"]
    problems = [f"{result.item.kind} {result.item.target}: {result.reason}" for result in failed]
    if len(failed) > maximum_failures:
        raise MaintenanceFailedError(
            f"{len(failed)} of {len(report.plan.items)} items failed, {maximum_failures} are allowed:"
            f" {'; '.join(problems[:5])}"
        )
    if report.plan.refused:
        reasons = "; ".join(f"{item.kind} {item.target}: {item.why}" for item in report.plan.refused[:5])
        raise MaintenanceFailedError(f"refused for safety: {reasons}")
