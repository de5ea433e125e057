"""How assets follow each other, and how a schedule keeps to one run at a time.

Belongs here: the automation condition that all domains share and the skip-if-running rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagster import (
    AssetSelection,
    AutomationCondition,
    AutomationConditionSensorDefinition,
    DefaultSensorStatus,
)


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
