"""How assets follow each other and the schedules above them.

Belongs here: the automation condition that all domains share, and when what follows a schedule is late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from dagster import (
    AssetSelection,
    AutomationCondition,
    AutomationConditionSensorDefinition,
    DefaultSensorStatus,
    FreshnessPolicy,
)

SHORTEST_PAUSE: Final = timedelta(hours=1)
"""Of a schedule that runs more often than this, freshness asks no more: a long run is not late data."""
FOLLOWING: Final = timedelta(hours=1)
"""What follows a schedule may be this much later than the schedule's own asset, which is so told first."""
_LOOKED_AT: Final = 400
"""Ticks over which the longest pause is looked for: 16 days of an hourly schedule."""


def follows_its_inputs() -> AutomationCondition[Any]:
    """Materialize once after any input was updated, when neither it nor an input is being made or is refused.

    Unlike the eager condition it does not wait for every hourly partition to exist, and an update that
    arrives while a run is under way is not lost: it is handled after that run. Nor is one lost that a blocking
    check holds back: it is handled when the check has passed, in a later run of the input or by itself.
    """
    # Updates by a run that makes this asset too do not count as updates (Dagster excludes them).
    updates = AutomationCondition.any_deps_updated()
    updated = updates.since(AutomationCondition.newly_requested() & ~updates)
    waiting = ~AutomationCondition.any_deps_in_progress() & ~AutomationCondition.in_progress()
    return (updated & waiting & ~any_input_is_refused()).with_label("follows_its_inputs")


def any_input_is_refused() -> AutomationCondition[Any]:
    """True while a blocking check of an input has not passed for what the input holds now.

    It failed, could not run, is running, or ran for an older materialization only. Not so for an input that was
    never made, and not for one that is requested with this asset: its checks then block within that run.
    """
    # all_deps_blocking_checks_passed() differs in both, and is never true beside an input without partitions.
    not_passed = AutomationCondition.any_checks_match(~AutomationCondition.check_passed(), blocking_only=True)
    made = ~AutomationCondition.missing() & ~AutomationCondition.will_be_requested()
    return AutomationCondition.any_deps_match(not_passed & made).with_label("any_input_is_refused")


def automation_sensor(
    name: str, groups: Sequence[str], description: str
) -> AutomationConditionSensorDefinition:
    """The named, toggleable sensor that evaluates the conditions of some asset groups."""
    return AutomationConditionSensorDefinition(
        name,
        target=AssetSelection.groups(*groups),
        default_status=DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description=description,
    )


def late_after(cron: str, *, behind: timedelta = timedelta(0)) -> FreshnessPolicy:
    """The freshness of what a schedule makes: a warning after two of its longest pauses, a failure after three.

    `cron` is the schedule, in UTC; `behind` is added to both for what only follows it.
    """
    pause = max(longest_pause(cron), SHORTEST_PAUSE)
    return FreshnessPolicy.time_window(warn_window=2 * pause + behind, fail_window=3 * pause + behind)


def longest_pause(cron: str) -> timedelta:
    """The longest time between two ticks of a schedule: three days for one that rests at week-ends."""
    from croniter import croniter

    ticks = croniter(cron, datetime(2026, 1, 5))
    moments: list[datetime] = [ticks.get_next(datetime) for _ in range(_LOOKED_AT)]
    return max(later - earlier for earlier, later in pairwise(moments))
