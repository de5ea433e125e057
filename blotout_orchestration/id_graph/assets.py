"""The ID graph as Dagster assets.

Belongs here: thin assets over stitch.py, the job and its sensor. Rules are in rules.py, checks in checks.py.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    AutomationConditionSensorDefinition,
    Config,
    MaterializeResult,
    MetadataValue,
    define_asset_job,
    multi_asset,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.assets import OWNERS, table_metadata
from blotout_orchestration.platform.automation import (
    FOLLOWING,
    automation_sensor,
    follows_its_inputs,
    late_after,
)
from blotout_orchestration.platform.plots import picture

if TYPE_CHECKING:
    from blotout_orchestration.id_graph.stitch import StitchResult

GROUP = "id_graph"
JOB = "id_stitching_incremental"
POOL = "id_graph"
SHOWN = 20
INPUTS = ("core_events", "id_mappings", "crm_profiles", "offline_events")


class StitchConfig(Config):
    """Options of a run of `id_stitching_incremental`."""

    full_rebuild: bool = Field(
        default=False, description="Stitch everything anew instead of what changed; the result is the same."
    )
    dry_run: bool = Field(default=False, description="Only report which people would merge and split.")


def id_graph_assets(lake: Lake) -> list[AssetsDefinition]:
    """`id_graph`, `id_graph_merges` and `id_graph_quarantine`, made by one op."""
    late = late_after(lake.settings.events_incremental_schedule_interval, behind=FOLLOWING)
    specs = [
        AssetSpec(
            spec.name,
            deps=INPUTS,
            description=spec.description,
            group_name=GROUP,
            kinds={"python", "iceberg"},
            owners=OWNERS,
            metadata=table_metadata(lake, spec),
            automation_condition=follows_its_inputs(),
            freshness_policy=late if spec is ID_GRAPH else None,
        )
        for spec in (ID_GRAPH, ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE)
    ]

    @multi_asset(
        name="stitch_ids",
        specs=specs,
        pool=POOL,
        description="Stitch the ids of new events and sources to people; work follows what changed.",
    )
    def stitch_ids(context: AssetExecutionContext, config: StitchConfig) -> Iterator[MaterializeResult[None]]:
        from blotout_orchestration.id_graph.stitch import stitch

        result = stitch(
            lake,
            run_id=context.run_id,
            full=config.full_rebuild,
            dry_run=config.dry_run,
            progress=context.log.info,
        )
        yield MaterializeResult(asset_key=ID_GRAPH.name, metadata=graph_metadata(lake, result))
        yield MaterializeResult(
            asset_key=ID_GRAPH_MERGES.name, metadata={"dagster/row_count": result.redirects}
        )
        yield MaterializeResult(
            asset_key=ID_GRAPH_QUARANTINE.name, metadata={"dagster/row_count": result.quarantined}
        )

    return [stitch_ids]


def graph_metadata(lake: Lake, result: "StitchResult") -> dict[str, Any]:
    """Counts of a stitching run, component sizes as a plot, and the cluster diff by people, without PII."""
    from blotout_orchestration.id_graph.plots import component_sizes, size_histogram

    metadata: dict[str, Any] = {
        "dagster/row_count": result.ids,
        "ids": result.ids,
        "people": result.people,
        "new_ids": result.new_ids,
        "changed_batches": result.changed_batches,
        "touched_components": result.touched_components,
        "merges": result.merges,
        "splits": result.splits,
        "quarantined": result.quarantined,
        "giant_components": result.giants,
        "seconds": round(result.seconds, 2),
        "cluster_diff": MetadataValue.md(cluster_diff(result)),
    }
    metadata["component_sizes"] = picture(size_histogram(component_sizes(lake)), "ids a person")
    return metadata


def cluster_diff(result: "StitchResult") -> str:
    """The first merges and splits of a run as a Markdown table of people."""
    lines = ["| person | became |", "|---|---|"]
    lines += [f"| `{old}` | merged into `{new}` |" for old, new in list(result.merged.items())[:SHOWN]]
    lines += [f"| `{old}` | split into {parts} people |" for old, parts in list(result.split.items())[:SHOWN]]
    return "\n".join(lines) if len(lines) > 2 else "no person changed"


def id_graph_job() -> UnresolvedAssetJobDefinition:
    """The job under its DAG name."""
    return define_asset_job(
        JOB,
        selection=AssetSelection.groups(GROUP),
        description="Stitch ids between online and offline data, attach global_user_id.",
        tags={"category": "ID Graph"},
    )


def id_graph_sensor() -> AutomationConditionSensorDefinition:
    """The graph follows new events and new rows of the offline sources."""
    return automation_sensor(f"{JOB}_automation", [GROUP], "Stitches after new events or new offline rows.")
