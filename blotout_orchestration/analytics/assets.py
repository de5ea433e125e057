"""The dbt project as Dagster assets, and the data-driven attribution models beside it.

Belongs here: thin assets; preparing, publishing and computing are in warehouse.py and data_driven.py. Jobs and
sensors are in automation.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Config,
    FreshnessPolicy,
    MaterializeResult,
    asset,
)
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from packaging.version import Version
from pydantic import Field

from blotout_orchestration.analytics import pictures
from blotout_orchestration.analytics.column_lineage import ProjectLineage
from blotout_orchestration.analytics.data_driven import ATTRIBUTION_DATA_DRIVEN
from blotout_orchestration.analytics.dbt_output import quietly
from blotout_orchestration.analytics.dbt_project import (
    JOB_SELECTORS,
    PROJECT_FOLDER,
    dbt_environment,
    dbt_executable,
    new_target_folder,
    run_dbt,
)
from blotout_orchestration.analytics.lineage_metadata import with_column_metadata
from blotout_orchestration.analytics.unfinished import UNIFIED_LAYER, passed_models
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.assets import OWNERS, table_metadata
from blotout_orchestration.platform.automation import FOLLOWING, follows_its_inputs, late_after
from blotout_orchestration.platform.runs import WORKER_TAG
from blotout_orchestration.settings import exported

WAREHOUSE_POOL = "dbt_warehouse"
UNIFIED = UNIFIED_LAYER
REPORTS = tuple(name for name in JOB_SELECTORS if name != UNIFIED)
REPORT_TESTS = "path:tests/reports"
WATCHED = ("sessions", "attribution_report", "campaign", "retention_report")
"""One table a job has a freshness policy: a late job is told once, not once a table."""
SHOWN = 5
LAKE_SOURCES = {"view_id_graph": "id_graph"}


class DbtConfig(Config):
    """Options of a dbt run."""

    full_refresh: bool = Field(
        default=False, description="Build every table anew from the whole lake instead of what changed."
    )


class Translator(DagsterDbtTranslator):
    """Names and groups of dbt models in the graph: a model's asset is named as its table."""

    def __init__(self, late: FreshnessPolicy | None = None) -> None:
        """`late` is the freshness policy of the models in WATCHED."""
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_code_references=True))
        self._late = late

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetSpec:
        """The asset of a model; those in WATCHED carry the freshness policy."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        watched = spec.key.path[-1] in WATCHED
        return spec.replace_attributes(freshness_policy=self._late) if watched else spec

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """The name of the table; a source is the asset that writes it."""
        name = dbt_resource_props["name"]
        if dbt_resource_props["resource_type"] == "source":
            return AssetKey(LAKE_SOURCES.get(name, name))
        return AssetKey(name)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer or report that the model is tagged with."""
        tags = dbt_resource_props.get("tags", [])
        return next((tag for tag in (UNIFIED, *REPORTS) if tag in tags), UNIFIED)

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> Any:
        """A model is made again when what it reads has changed."""
        return follows_its_inputs()

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The owners of every asset of the project."""
        return OWNERS


class Dbt(DbtCliResource):
    """dbt without a second adapter in this process: opening one costs 6 s and the warehouse's only lock.

    Its version is that of the installed package, since it is this environment's dbt: asking costs a process.
    """

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


def dbt_layers(lake: Lake, manifest: Path) -> list[AssetsDefinition]:
    """Two dbt invocations: the unified layer, and the reports on it."""
    reports = " ".join(JOB_SELECTORS[name] for name in REPORTS)
    unified = _dbt_layer(
        lake, manifest, name="build_unified_view", select=JOB_SELECTORS[UNIFIED], exclude=REPORT_TESTS
    )
    return [
        _always_whole(unified),
        _dbt_layer(lake, manifest, name="build_reports", select=reports, exclude=""),
    ]


def _always_whole(layer: AssetsDefinition) -> AssetsDefinition:
    """The same, but nobody can run a part of it: not a person, not automation.

    Its models hand on what one build takes in (`changed_hours` to `processed_hours`): a part would mark hours as
    taken in that the rest has not seen. dbt_assets has no option for that.
    """
    return AssetsDefinition.dagster_internal_init(**{**layer.get_attributes_dict(), "can_subset": False})


def _dbt_layer(lake: Lake, manifest: Path, *, name: str, select: str, exclude: str) -> AssetsDefinition:
    late = late_after(lake.settings.events_incremental_schedule_interval, behind=FOLLOWING)
    is_unified = select == JOB_SELECTORS[UNIFIED]

    @dbt_assets(
        manifest=manifest,
        select=select,
        exclude=exclude,
        name=name,
        project=DbtProject(PROJECT_FOLDER, target_path=manifest.parent),
        dagster_dbt_translator=Translator(late),
        pool=WAREHOUSE_POOL,
    )
    def layer(context: AssetExecutionContext, config: DbtConfig) -> Iterator[Any]:
        from blotout_orchestration.analytics.sources import ensure_sources
        from blotout_orchestration.analytics.warehouse import prepare_sources

        full_refresh, embedded = config.full_refresh, lake.settings.warehouse == "duckdb"
        if embedded:
            prepared = prepare_sources(lake, full_refresh=config.full_refresh)
            full_refresh |= is_unified and prepared.full_refresh
        else:
            ensure_sources(lake)
        target = new_target_folder(lake.settings, context.run_id, name, manifest)
        layer_name = UNIFIED if is_unified else "reports"
        published = (
            _published(context, lake, layer_name, layer, target, manifest) if embedded else nullcontext()
        )
        with published, exported(dbt_environment(lake.settings)):
            dbt = Dbt(
                project_dir=str(PROJECT_FOLDER),
                profiles_dir=str(PROJECT_FOLDER),
                dbt_executable=dbt_executable(),
                target=lake.settings.warehouse,
            )
            arguments = ["build", *(["--full-refresh"] if full_refresh else [])]
            events: Any = dbt.cli(arguments, manifest=manifest, context=context, target_path=target).stream()
            if WORKER_TAG in context.run.tags and lake.settings.log_level != "DEBUG":
                events = quietly(events, context.log.info)
            lineage = ProjectLineage(manifest, target)
            yield from with_column_metadata(events, lineage, Translator().get_asset_key)

    return layer


@contextmanager
def _published(
    context: AssetExecutionContext,
    lake: Lake,
    layer: str,
    definition: AssetsDefinition,
    target: Path,
    manifest: Path,
) -> Iterator[None]:
    """Publish what dbt builds meanwhile; of a build that fails, only the tables that passed, and only reports.

    Tables that it stands on and that an earlier run left unfinished are built first.
    """
    from blotout_orchestration.analytics.warehouse import begin_build, publish

    made = {key.path[-1] for key in context.selected_asset_keys}
    inputs, groups = definition.asset_deps, definition.group_names_by_key
    project = {key.path[-1]: [dep.path[-1] for dep in deps] for key, deps in inputs.items()}
    jobs = {key.path[-1]: group for key, group in groups.items()}
    mended = begin_build(lake.settings, layer, project, made, jobs)
    if mended:
        context.log.info(f"built first, since an earlier run left them unfinished: {', '.join(mended)}")
        run_dbt("build", lake.settings, select=mended, target_path=target.with_name(f"{target.name}-first"))
    try:
        yield
    except Exception:
        with suppress(BlotoutError):
            built = passed_models(target, manifest) & made
            _tell_kept(context, publish(lake.settings, built=built | set(mended)))
        raise
    _tell_kept(context, publish(lake.settings, built=made | set(mended)))


def _tell_kept(context: AssetExecutionContext, kept: Sequence[str]) -> None:
    if kept:
        names = ", ".join(kept[:SHOWN]) + (f" and {len(kept) - SHOWN} more" if len(kept) > SHOWN else "")
        context.log.warning(
            f"readers keep the last good state of {names}: not built, or a blocking test failed"
        )


def python_assets(lake: Lake) -> list[AssetsDefinition]:
    """Markov and Shapley attribution, and the cohort charts."""

    @asset(
        name=ATTRIBUTION_DATA_DRIVEN.name,
        deps=["conversion_paths", "attribution_report"],
        group_name="attribution",
        description=ATTRIBUTION_DATA_DRIVEN.description,
        kinds={"python", "iceberg"},
        owners=OWNERS,
        metadata=table_metadata(lake, ATTRIBUTION_DATA_DRIVEN),
        automation_condition=follows_its_inputs(),
    )
    def attribution_data_driven(context: AssetExecutionContext) -> MaterializeResult[None]:
        from blotout_orchestration.analytics.data_driven import compute

        result = compute(lake, run_id=context.run_id)
        return MaterializeResult(metadata=pictures.attribution_metadata(lake, result))

    @asset(
        name="retention_chart",
        deps=["retention_report"],
        group_name="retention",
        description="The two cohort charts, new users only and everyone, by week.",
        kinds={"python"},
        owners=OWNERS,
        automation_condition=follows_its_inputs(),
    )
    def retention_chart() -> MaterializeResult[None]:
        return MaterializeResult(metadata=pictures.retention_metadata(lake))

    return [attribution_data_driven, retention_chart]
