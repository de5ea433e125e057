"""The inventory: every asset, job, schedule, sensor and check of the platform.

Belongs here: one line a domain. What a line brings is found in the domain's folder.
"""

from __future__ import annotations

import warnings

from dagster import (
    AssetsDefinition,
    AssetSelection,
    BetaWarning,
    Definitions,
    define_asset_job,
    definitions,
    in_process_executor,
    with_source_code_references,
)

from blotout_orchestration.activation.assets import activation_assets
from blotout_orchestration.activation.automation import (
    CHANNEL_JOB,
    activation_jobs,
    activation_schedules,
    without_channels,
)
from blotout_orchestration.activation.checks import activation_checks
from blotout_orchestration.analytics.assets import dbt_layers, python_assets
from blotout_orchestration.analytics.automation import analytics_jobs, analytics_sensors
from blotout_orchestration.analytics.checks import analytics_checks
from blotout_orchestration.analytics.dbt_project import ensure_manifest
from blotout_orchestration.elt.assets import JOB as ELT_JOB
from blotout_orchestration.elt.assets import elt_assets, elt_job, without_pipelines
from blotout_orchestration.elt.checks import elt_checks, elt_freshness_job, elt_freshness_schedule
from blotout_orchestration.entities.assets import entities_assets
from blotout_orchestration.entities.automation import entities_jobs, entities_sensors
from blotout_orchestration.entities.checks import entities_checks
from blotout_orchestration.events.assets import events_assets, hourly_partitions
from blotout_orchestration.events.automation import (
    bad_events_sensor,
    events_gap_filler,
    events_job,
    events_schedule,
)
from blotout_orchestration.events.checks import events_checks
from blotout_orchestration.id_graph.assets import id_graph_assets, id_graph_job, id_graph_sensor
from blotout_orchestration.id_graph.checks import id_graph_checks
from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.automation import first_launch_sensor, maintenance_schedules
from blotout_orchestration.maintenance.billing.job import billing_job, billing_schedule
from blotout_orchestration.maintenance.jobs import maintenance_jobs, maintenance_reports
from blotout_orchestration.maintenance.upkeep.job import (
    upkeep_job,
    upkeep_reports,
    upkeep_schedule,
    upkeep_sensors,
)
from blotout_orchestration.platform.alerts.automation import alerts_sensor
from blotout_orchestration.platform.progress import PROGRESS_LOGGER, progress_logger
from blotout_orchestration.platform.registry.assets import (
    registry_assets,
    registry_job,
    registry_mirror_sensor,
)
from blotout_orchestration.platform.registry.sensors import registry_sensors
from blotout_orchestration.platform.setup import after_setup
from blotout_orchestration.settings import Settings, load_settings

MAIN_JOB = "clickstream_to_reports"


def build_defs(settings: Settings | None = None) -> Definitions:
    """All definitions on the ground that the settings name, those of this process by default."""
    ground = settings or load_settings()
    lake = Lake(ground)
    events = events_job()
    freshness = elt_freshness_job()
    bill = billing_job(lake)
    registries = registry_job()
    maintenance = maintenance_jobs(lake)
    main = define_asset_job(
        MAIN_JOB,
        selection=without_channels(without_pipelines(AssetSelection.all())),
        description="The whole way in one run: click stream, id graph, unified view and every report.",
    )
    assets = [
        *events_assets(lake, hourly_partitions(lake)),
        *elt_assets(lake),
        *registry_assets(lake),
        *id_graph_assets(lake),
        *dbt_layers(lake, ensure_manifest(ground)),
        *python_assets(lake),
        *entities_assets(lake),
        *activation_assets(lake),
        *upkeep_reports(),
        *maintenance_reports(),
    ]
    upkeep = upkeep_job(lake, [asset for asset in assets if isinstance(asset, AssetsDefinition)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)
        documented = with_source_code_references(assets)
    return Definitions(
        assets=documented,
        asset_checks=[
            *events_checks(lake),
            *id_graph_checks(lake),
            *elt_checks(lake),
            *analytics_checks(lake),
            *entities_checks(lake),
            *activation_checks(lake),
        ],
        jobs=[
            events,
            id_graph_job(),
            *analytics_jobs(),
            *entities_jobs(),
            *activation_jobs(),
            main,
            elt_job(),
            freshness,
            registries,
            bill,
            upkeep,
            *maintenance,
        ],
        schedules=after_setup(
            ground,
            [
                events_schedule(lake, events),
                elt_freshness_schedule(lake, freshness),
                *activation_schedules(lake),
                billing_schedule(lake, bill),
                upkeep_schedule(lake, upkeep),
                *maintenance_schedules(lake, maintenance),
            ],
        ),
        sensors=[
            first_launch_sensor(lake, maintenance[0]),
            alerts_sensor(ground),
            *upkeep_sensors(lake),
            *after_setup(
                ground,
                [
                    events_gap_filler(lake, events),
                    bad_events_sensor(),
                    id_graph_sensor(),
                    *analytics_sensors(),
                    *entities_sensors(lake),
                    *registry_sensors(ground, pipeline_job=ELT_JOB, channel_job=CHANNEL_JOB),
                    registry_mirror_sensor(lake, registries),
                ],
            ),
        ],
        executor=in_process_executor,
        loggers={PROGRESS_LOGGER: progress_logger()},
    )


@definitions
def defs() -> Definitions:
    """What `workspace.yaml` loads; nothing is built before the location is asked for it."""
    return build_defs()
