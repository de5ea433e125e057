"""Jobs of segments and funnels, and what starts them.

Belongs here: selections, the sensor that waits for Shopify pipelines, the one that follows the unified layer.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dagster import (
    AssetSelection,
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    define_asset_job,
    sensor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from blotout_orchestration.entities.assets import DEFINITIONS, GROUP
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.automation import automation_sensor
from blotout_orchestration.platform.runs import live_runs

CREATION = "entity_creation"
COMPUTATION = "segments_and_funnels"


def entities_jobs() -> list[UnresolvedAssetJobDefinition]:
    """`entity_creation` under its DAG name, and the computation of everything that is defined."""
    definitions = AssetSelection.assets(DEFINITIONS)
    return [
        define_asset_job(
            CREATION,
            selection=definitions,
            description="Create the predefined segments and funnels once a Shopify pipeline is there.",
            tags={"category": "Misc"},
        ),
        define_asset_job(
            COMPUTATION,
            selection=AssetSelection.groups(GROUP) - definitions,
            description="Segment membership, funnel reports and drop-off lists.",
            tags={"category": "Entities"},
        ),
    ]


def entities_sensors(lake: Lake) -> list[SensorDefinition]:
    """Creation follows the pipeline registry; membership and funnels follow the unified layer and creation."""

    @sensor(
        name="entity_creation_sensor",
        job_name=CREATION,
        minimum_interval_seconds=30,
        default_status=DefaultSensorStatus.RUNNING,
        description="Runs entity_creation when a Shopify pipeline appears, and after an upgrade that brings newer "
        "predefined definitions. A removed pipeline starts nothing.",
    )
    def entity_creation_sensor(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        from blotout_orchestration.entities.predefined import pending, shops

        try:
            found = shops(lake.settings)
            waiting = pending(lake.settings) if found else []
        except BlotoutError as error:
            return SkipReason(f"the registry cannot be read, the next tick tries again: {error}")
        if not found:
            return SkipReason("there is no Shopify pipeline")
        if not waiting:
            return SkipReason("every predefined definition is in the registry")
        if live_runs(context.instance, CREATION):
            return SkipReason("a run is under way")
        # A run that fails is tried again in the next hour, not at the next tick.
        return RunRequest(run_key=f"{datetime.now(UTC):%Y-%m-%dT%H} {', '.join(waiting)}")

    return [
        entity_creation_sensor,
        automation_sensor(
            f"{COMPUTATION}_automation", [GROUP], "Computes segments and funnels after the unified layer."
        ),
    ]
