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
    """Materialize once after any input was updated, when neither it nor an input is being made.

    Unlike the eager condition it does not wait for every hourly partition to exist, and an update that
    arrives while a run is under way is not lost: it is handled after that run.
    """
    # Updates by a run that makes this asset too do not count as updates (Dagster excludes them).
    updates = AutomationCondition.any_deps_updated()
    updated = updates.since(AutomationCondition.newly_requested() & ~updates)
    waiting = ~AutomationCondition.any_deps_in_progress() & ~AutomationCondition.in_progress()
    return (updated & waiting).with_label("follows_its_inputs")


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
