"""ELT in the graph: an asset for each kind of source, partitioned by pipeline, and the contract tables they feed.

Belongs here: thin definitions over run.py, and what a run tells the UI. Partitions and runs are requested by
the registry's sensor. Streams are reported as assets of their own at run time: a new one needs no reload.
"""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    Config,
    DynamicPartitionsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    define_asset_job,
    multi_asset,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.elt.sources import KINDS, kind_of
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.assets import OWNERS, table_metadata
from blotout_orchestration.platform.registry import PIPELINE_PARTITIONS, live_pipelines

GROUP = "elt"
JOB = "elt_pipelines"
TABLES = (ID_MAPPINGS, OFFLINE_EVENTS, CRM_PROFILES, AD_SPEND)
SOURCES = {kind: AssetKey([GROUP, kind]) for kind in KINDS}


class LoadConfig(Config):
    """Options of a run of `elt_pipelines`."""

    full_refresh: bool = Field(
        default=False, description="Read everything anew and replace the tables, whatever was loaded before."
    )
    backfill_from: str | None = Field(
        default=None,
        description="Read incremental streams again from here on: a date, a moment (ISO 8601, UTC) or a number.",
    )
    streams: list[str] = Field(default_factory=list, description="Only these streams; empty for all.")


def elt_assets(lake: Lake) -> list[AssetsDefinition | AssetSpec]:
    """The sources' assets, made by one op, and the contract tables in the lineage behind them."""
    return [_load_asset(lake), *(_contract_table(lake, spec) for spec in TABLES)]


def _contract_table(lake: Lake, spec: Any) -> AssetSpec:
    return AssetSpec(
        spec.name,
        deps=[AssetDep(key) for key in SOURCES.values()],
        description=spec.description,
        group_name=GROUP,
        kinds={"iceberg"},
        owners=OWNERS,
        metadata=table_metadata(lake, spec),
    )


def _load_asset(lake: Lake) -> AssetsDefinition:
    specs = [
        AssetSpec(
            key,
            description=f"Tables of every pipeline whose source is `{kind}`, a partition a pipeline: "
            f"`{{source_name}}_{lake.settings.environment}.{{stream}}` in the stg layer.",
            group_name=GROUP,
            kinds={"dlt", "iceberg"},
            owners=OWNERS,
            skippable=True,
        )
        for kind, key in SOURCES.items()
    ]

    @multi_asset(
        name="load_pipeline",
        specs=specs,
        partitions_def=DynamicPartitionsDefinition(name=PIPELINE_PARTITIONS),
        description="Load the streams of one pipeline; of the assets, the one of its kind is materialized.",
    )
    def load_pipeline_asset(
        context: AssetExecutionContext, config: LoadConfig
    ) -> Iterator[MaterializeResult[None]]:
        from blotout_orchestration.elt.run import LoadError, load_pipeline, parse_backfill
        from blotout_orchestration.platform.registry.sensors import check_only_run

        name = context.partition_key
        check_only_run(context.instance, context.job_name, context.run_id, name)
        pipelines = live_pipelines(lake.settings)
        if name not in pipelines:
            raise Failure(f"pipeline {name} is not in the registry; it was removed, or never added")
        pipeline = pipelines[name]
        try:
            report = load_pipeline(
                lake.settings,
                lake,
                pipeline,
                context.run_id,
                context.log.info,
                full_refresh=config.full_refresh,
                backfill_from=parse_backfill(config.backfill_from),
                only=config.streams,
            )
        except LoadError as error:
            _report(context, pipeline.source_type, error.report)
            raise Failure(
                str(error), metadata={"streams": MetadataValue.md(error.report.table())}, allow_retries=False
            ) from None
        _report(context, pipeline.source_type, report)
        yield MaterializeResult(asset_key=SOURCES[kind_of(pipeline.source_type)], metadata=summary(report))

    return load_pipeline_asset


def summary(report: Any) -> dict[str, Any]:
    """The figures of a run over all streams, and the streams as a table."""
    loaded = [stream for stream in report.streams if stream.committed]
    metadata: dict[str, Any] = {
        "dagster/row_count": sum(stream.rows_in_table for stream in loaded),
        "rows_read": sum(stream.rows_read for stream in loaded),
        "rows_added": sum(stream.rows_added for stream in loaded),
        "rows_deleted": sum(stream.rows_deleted for stream in loaded),
        "bytes": sum(stream.bytes for stream in loaded),
        "seconds": round(sum(stream.seconds for stream in loaded), 2),
        "streams": MetadataValue.md(report.table()),
    }
    columns = [f"{stream.table}.{name}" for stream in loaded for name in stream.new_columns]
    metadata["new_columns"] = ", ".join(columns) or "none"
    return metadata


def _report(context: AssetExecutionContext, source_type: str, report: Any) -> None:
    """Each stream as an asset of its own, and every contract table that this run changed."""
    for stream in report.streams:
        if stream.committed:
            metadata = {
                **stream.metadata(),
                "dagster/table_name": f"{report.schema}.{stream.table}",
                "pipeline": report.pipeline,
                "made_by": MetadataValue.asset(SOURCES[kind_of(source_type)]),
            }
            context.log_event(AssetMaterialization([GROUP, report.schema, stream.table], metadata=metadata))
    for table, rows in report.feeds.items():
        context.log_event(
            AssetMaterialization(table, metadata={"rows_of_source": rows, "pipeline": report.pipeline})
        )


def elt_job() -> UnresolvedAssetJobDefinition:
    """The job of all ELT pipelines; a run is for one pipeline."""
    return define_asset_job(
        JOB,
        selection=AssetSelection.assets(*SOURCES.values()).without_checks(),
        partitions_def=DynamicPartitionsDefinition(name=PIPELINE_PARTITIONS),
        description="Load the streams of one ELT pipeline into the lake.",
        tags={"category": "ELT"},
    )


def without_pipelines(selection: AssetSelection) -> AssetSelection:
    """A selection without the sources: their partitions are pipelines, not hours."""
    sources = AssetSelection.assets(*SOURCES.values())
    return selection - sources - AssetSelection.checks_for_assets(*SOURCES.values())
