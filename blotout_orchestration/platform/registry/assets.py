"""The registries' tables of the lake in the asset graph, with the job and the sensor that keep them current.

Belongs here: thin definitions over mirror.py. The sensors of pipelines and channels are in sensors.py.
"""

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSelection,
    DefaultSensorStatus,
    MaterializeResult,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    asset,
    define_asset_job,
    sensor,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.assets import OWNERS, table_metadata
from blotout_orchestration.platform.database import DatabaseUnavailableError
from blotout_orchestration.platform.registry.mirror import (
    ACTIVATION_CHANNEL,
    CONNECTION_PIPELINE,
    MIRRORS,
    mirror,
)
from blotout_orchestration.platform.runs import live_runs

JOB = "registry_mirror"
_GROUPS = {CONNECTION_PIPELINE.name: "elt", ACTIVATION_CHANNEL.name: "activation"}


def registry_assets(lake: Lake) -> list[AssetsDefinition]:
    """`connection_pipeline` and `activation_channel` in the lake."""
    return [_mirror_asset(lake, name) for name in MIRRORS]


def _mirror_asset(lake: Lake, name: str) -> AssetsDefinition:
    spec = MIRRORS[name][1]

    @asset(
        name=name,
        description=f"{spec.description} A copy of the table in the platform's database.",
        group_name=_GROUPS[name],
        kinds={"iceberg"},
        owners=OWNERS,
        metadata=table_metadata(lake, spec),
    )
    def mirrored(context: AssetExecutionContext) -> MaterializeResult[None]:
        return MaterializeResult(metadata={"dagster/row_count": mirror(lake, name, context.run_id)})

    return mirrored


def registry_job() -> UnresolvedAssetJobDefinition:
    """Copies both registries into the lake."""
    return define_asset_job(
        JOB,
        selection=AssetSelection.assets(*MIRRORS),
        description="Copy the append logs of pipelines and channels into the lake.",
        tags={"category": "Misc"},
    )


def registry_mirror_sensor(lake: Lake, job: UnresolvedAssetJobDefinition) -> SensorDefinition:
    """Requests a copy when a registry has a row that the last copy did not have."""

    @sensor(
        name=f"{JOB}_sensor",
        job=job,
        minimum_interval_seconds=60,
        default_status=DefaultSensorStatus.RUNNING,
        description="Copies the registries into the lake whenever one of them has changed.",
    )
    def registry_changed(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        try:
            newest = ":".join(str(registry.last_id(lake.settings)) for registry, _ in MIRRORS.values())
        except DatabaseUnavailableError as error:
            return SkipReason(f"the registry cannot be read: {error}")
        if newest in (context.cursor, "0:0"):
            return SkipReason("nothing has changed")
        running = live_runs(context.instance, JOB)
        if running:
            return SkipReason(f"run {running[0].run_id} is under way")
        context.update_cursor(newest)
        return RunRequest(run_key=newest)

    return registry_changed
