"""Pictures of what maintenance found and did.

Belongs here: drawing. The figures come from plan.py and execution.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from blotout_orchestration.maintenance.execution import Report
from blotout_orchestration.platform.figures import PALETTE, new_figure, png, say_instead

SHOWN_TABLES = 15


def before_and_after(report: Report) -> bytes:
    """Files of every compacted table before and after, the most crowded ones; planned figures in a dry run."""
    before: dict[str, int] = defaultdict(int)
    after: dict[str, int] = defaultdict(int)
    if report.dry_run:
        for item in report.plan.items:
            if "bins" in item.details:
                before[str(item.details["table"])] += item.count
                after[str(item.details["table"])] += len(item.details["bins"])
    for result in report.results:
        if "files_after" in result.figures:
            before[str(result.item.details["table"])] += result.figures["files_before"]
            after[str(result.item.details["table"])] += result.figures["files_after"]
    tables = sorted(before, key=lambda name: before[name], reverse=True)[:SHOWN_TABLES][::-1]
    figure, axes = new_figure(8, 1.6 + 0.35 * len(tables))
    if not tables:
        say_instead(axes, "no partition is worth a rewrite")
        return png(figure)
    rows = range(len(tables))
    axes.barh(
        [row + 0.2 for row in rows], [before[name] for name in tables], 0.38, label="before", color=PALETTE[1]
    )
    axes.barh(
        [row - 0.2 for row in rows], [after[name] for name in tables], 0.38, label="after", color=PALETTE[0]
    )
    axes.set_yticks(list(rows), [name.rpartition(".")[2] for name in tables])
    axes.set_xlabel("files that were replaced, and those that replace them")
    axes.legend(loc="lower right")
    return png(figure)


def bars(values: Mapping[str, float], label: str, nothing: str) -> bytes:
    """One bar a name, the largest at the top."""
    names = sorted(values, key=lambda name: values[name])[-SHOWN_TABLES:]
    figure, axes = new_figure(8, 1.6 + 0.3 * len(names))
    if not names:
        say_instead(axes, nothing)
        return png(figure)
    axes.barh(names, [values[name] for name in names], color=PALETTE[0])
    axes.set_xlabel(label)
    return png(figure)
