"""The click stream as Dagster assets: `core_events` by hour of arrival, and what was refused.

Belongs here: thin assets over processing.py. Schedules and sensors are in automation.py, checks in checks.py.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetDep,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    Config,
    HourlyPartitionsDefinition,
    MaterializeResult,
    RetryPolicy,
    asset,
    multi_asset,
)
from pydantic import Field

from blotout_orchestration.events import report
from blotout_orchestration.events.arrival import first_hour
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, EVENT_HOURS, PROCESSOR_VERSION
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import list_first_hour
from blotout_orchestration.platform.assets import OWNERS, table_metadata
from blotout_orchestration.platform.automation import follows_its_inputs, late_after
from blotout_orchestration.platform.plots import picture
from blotout_orchestration.platform.runs import partition_key

GROUP = "events"
FLATTEN_OP = "flatten_events"
LANDING = AssetKey("landing")


class EventsConfig(Config):
    """Options of a run of `events_incremental`."""

    only_pending: bool = Field(
        default=False,
        description="Skip hours whose files have not changed since they were processed. "
        "Off: every hour of the run is replaced, which gives the same rows.",
    )


def hourly_partitions(lake: Lake) -> HourlyPartitionsDefinition:
    """Hours of arrival from the first landed hour (or EVENTS_START_HOUR) to the current one, UTC.

    Hours more than ten years back are none, unless EVENTS_START_HOUR says so: one odd folder would make hundreds
    of thousands. An empty lake begins CATCH_UP_HOURS ago, so that hours landed later are partitions without a reload.
    """
    first = first_hour(lake.settings)
    if not lake.settings.events_start_hour:
        first = list_first_hour(lake.layer("landing"), not_before=first) or datetime.now(UTC)
        first = min(first, datetime.now(UTC) - timedelta(hours=lake.settings.catch_up_hours))
    return HourlyPartitionsDefinition(
        start_date=first.replace(minute=0, second=0, microsecond=0, tzinfo=None), timezone="UTC", end_offset=1
    )


def events_assets(lake: Lake, partitions: HourlyPartitionsDefinition) -> list[AssetsDefinition | AssetSpec]:
    """The landing layer as the source, `core_events`, and the report on `bad_events`."""
    landing = AssetSpec(
        LANDING,
        description="Requests as the SDKs sent them: gzip JSON lines in folders of the hour of arrival.",
        group_name=GROUP,
        kinds={"json", "gzip"},
        owners=OWNERS,
    )
    ledger = AssetSpec(
        EVENT_HOURS.name,
        deps=[CORE_EVENTS.name],
        description=EVENT_HOURS.description + " Written together with `core_events`, last of all.",
        group_name=GROUP,
        kinds={"iceberg"},
        owners=OWNERS,
        metadata=table_metadata(lake, EVENT_HOURS),
    )
    return [landing, ledger, _core_events(lake, partitions), _bad_events(lake)]


def _core_events(lake: Lake, partitions: HourlyPartitionsDefinition) -> AssetsDefinition:
    engine = lake.settings.events_engine

    @multi_asset(
        name=FLATTEN_OP,
        description="Flatten the landed click stream of the run's hours; each hour is replaced atomically.",
        partitions_def=partitions,
        backfill_policy=BackfillPolicy.single_run(),
        retry_policy=RetryPolicy(max_retries=2, delay=5),
        specs=[
            AssetSpec(
                CORE_EVENTS.name,
                deps=[AssetDep(LANDING)],
                description=CORE_EVENTS.description,
                group_name=GROUP,
                kinds={engine, "iceberg"},
                owners=OWNERS,
                code_version=PROCESSOR_VERSION,
                metadata=table_metadata(lake, CORE_EVENTS),
                freshness_policy=late_after(lake.settings.events_incremental_schedule_interval),
            )
        ],
    )
    def flatten_events(
        context: AssetExecutionContext, config: EventsConfig
    ) -> Iterator[MaterializeResult[None]]:
        from blotout_orchestration.events.processing import flatten_hours, pending_hours

        started = time.monotonic()
        window = context.partition_time_window
        hours = [window.start + timedelta(hours=offset) for offset in range(len(context.partition_keys))]
        wanted = hours
        if config.only_pending:
            pending = set(pending_hours(lake))
            wanted = [hour for hour in hours if hour in pending]
            context.log.info(f"{len(wanted)} of {len(hours)} hours have new or changed files")
        flatten_hours(lake, wanted, engine=engine, run_id=context.run_id, progress=context.log.info)
        ledger = report.ledger_of(lake, hours)
        for hour, row in ledger.items():
            context.add_asset_metadata(
                report.hour_metadata(row), asset_key=CORE_EVENTS.name, partition_key=partition_key(hour)
            )
        yield MaterializeResult(
            asset_key=CORE_EVENTS.name,
            metadata=report.run_metadata(
                [ledger[hour] for hour in wanted if hour in ledger], time.monotonic() - started
            ),
        )

    return flatten_events


def _bad_events(lake: Lake) -> AssetsDefinition:
    @asset(
        name=BAD_EVENTS.name,
        deps=[CORE_EVENTS.name],
        description=BAD_EVENTS.description
        + " Written together with `core_events`; this asset counts it by reason.",
        group_name=GROUP,
        kinds={"iceberg"},
        owners=OWNERS,
        metadata=table_metadata(lake, BAD_EVENTS),
        automation_condition=follows_its_inputs(),
    )
    def bad_events() -> MaterializeResult[None]:
        reasons = report.bad_events_by_reason(lake)
        metadata = report.bad_events_metadata(reasons)
        volume = report.volume_plot(lake)
        if volume is not None:
            metadata["volume"] = picture(volume, "events by hour of arrival")
        return MaterializeResult(metadata=metadata)

    return bad_events
