"""Activation in the graph: the tables that syncs write, partitioned by channel, and their statistics.

Belongs here: thin definitions over sync.py and stats.py. Partitions and runs are requested by the registry's
sensor, the schedule of the statistics is in automation.py.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetObservation,
    AssetsDefinition,
    AssetSpec,
    Config,
    DynamicPartitionsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)
from pydantic import Field

from blotout_orchestration.activation.contract import ACTIVATION_STATS, TABLES
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.assets import OWNERS, table_metadata
from blotout_orchestration.platform.plots import picture
from blotout_orchestration.platform.registry import CHANNEL_PARTITIONS, live_channels

if TYPE_CHECKING:
    from blotout_orchestration.activation.report import SyncReport

GROUP = "activation"
INPUTS = ("segment_membership", "view_users")
_FIGURES = (
    "withheld", "source_rows", "creates", "updates", "removals", "sent", "unchanged", "invalid", "unsent",
    "removed", "accepted", "rejected", "held", "batches", "recovered",
)  # fmt: skip


class SyncConfig(Config):
    """Options of a run of `activation_channels`."""

    dry_run: bool = Field(default=False, description="Only count and show a masked sample; send nothing.")
    confirm_large_change: bool = Field(
        default=False, description="A person's word that an empty audience or a large removal is right."
    )
    replay: bool = Field(default=False, description="Send unchanged rows too.")
    reset: bool = Field(
        default=False,
        description="Forget what the destination holds of us first; who has left by then is not removed there.",
    )


class StatsConfig(Config):
    """Options of a run of `activation_stats`."""

    days: int = Field(default=7, ge=1, le=3660, description="How many days back are reconciled anew.")


def activation_assets(lake: Lake) -> list[AssetsDefinition]:
    """The tables of the syncs, made by one op for one channel, and `activation_stats`."""
    return [_sync_asset(lake), _stats_asset(lake)]


def _sync_asset(lake: Lake) -> AssetsDefinition:
    specs = [
        AssetSpec(
            spec.name,
            deps=INPUTS,
            description=spec.description,
            group_name=GROUP,
            kinds={"python", "iceberg"},
            owners=OWNERS,
            metadata=table_metadata(lake, spec),
            skippable=True,
        )
        for spec in TABLES
    ]

    @multi_asset(
        name="sync_channel",
        specs=specs,
        partitions_def=DynamicPartitionsDefinition(name=CHANNEL_PARTITIONS),
        description="Deliver the audience of one channel: what changed since we last did, and no more.",
    )
    def sync_channel_asset(
        context: AssetExecutionContext, config: SyncConfig
    ) -> Iterator[MaterializeResult[None]]:
        from blotout_orchestration.activation.sync import sync_channel
        from blotout_orchestration.platform.registry.sensors import check_only_run

        name = context.partition_key
        check_only_run(context.instance, context.job_name, context.run_id, name)
        channels = live_channels(lake.settings)
        if name not in channels:
            raise Failure(f"channel {name} is not in the registry; it was removed, or never added")
        report = sync_channel(
            lake.settings,
            lake,
            channels[name],
            context.run_id,
            config.dry_run,
            confirm_large_change=config.confirm_large_change,
            reset=config.reset,
            replay=config.replay,
            progress=context.log.info,
        )
        metadata = sync_metadata(report)
        if config.dry_run:
            context.log_event(AssetObservation(TABLES[0].name, partition=name, metadata=metadata))
            return
        for spec in TABLES:
            yield MaterializeResult(asset_key=spec.name, metadata=metadata)

    return sync_channel_asset


def sync_metadata(report: "SyncReport") -> dict[str, Any]:
    """A sync's figures, its reasons as a table, and of a dry run a masked sample. No personal data."""
    metadata: dict[str, Any] = {name: getattr(report, name) for name in _FIGURES}
    metadata |= {"channel_type": report.channel_type, "mode": report.mode, "state": report.state}
    if report.matched is not None:
        metadata |= {"matched": report.matched, "drift": report.matched - report.held}
    reasons = [("invalid", *one) for one in report.invalid_reasons.items()]
    reasons += [("rejected", *one) for one in report.rejected_reasons.items()]
    lines = [f"| {what} | {reason.replace('|', '/')} | {count} |" for what, reason, count in reasons]
    if lines:
        metadata["reasons"] = MetadataValue.md(
            "\n".join(["| outcome | reason | rows |", "|---|---|---|", *lines])
        )
    if report.sample:
        metadata["sample"] = MetadataValue.json([dict(row) for row in report.sample])
    return metadata


def _stats_asset(lake: Lake) -> AssetsDefinition:
    spec = AssetSpec(
        ACTIVATION_STATS.name,
        deps=[table.name for table in TABLES],
        description=ACTIVATION_STATS.description,
        group_name=GROUP,
        kinds={"python", "iceberg"},
        owners=OWNERS,
        metadata=table_metadata(lake, ACTIVATION_STATS),
    )

    # The job has the asset's name, so the op has another.
    @multi_asset(name="reconcile_channels", specs=[spec], description="Sum the syncs by channel and day.")
    def reconcile_channels(
        context: AssetExecutionContext, config: StatsConfig
    ) -> Iterator[MaterializeResult[None]]:
        from blotout_orchestration.activation.plots import stats_picture
        from blotout_orchestration.activation.stats import newest_by_channel, reconcile

        rows = reconcile(lake, days=config.days, run_id=context.run_id)
        metadata: dict[str, Any] = {
            "dagster/row_count": rows.num_rows,
            "channels": MetadataValue.md(newest_by_channel(rows)),
            "rows_by_outcome": picture(stats_picture(rows), "rows by outcome, channel and day"),
        }
        yield MaterializeResult(asset_key=ACTIVATION_STATS.name, metadata=metadata)

    return reconcile_channels
