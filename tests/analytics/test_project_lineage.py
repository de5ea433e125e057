"""From which columns each column of the project's own models is made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetKey, Output

from blotout_orchestration.analytics import column_lineage
from blotout_orchestration.analytics.assets import Translator
from blotout_orchestration.analytics.column_lineage import ModelLineage, ProjectLineage
from blotout_orchestration.analytics.dbt_project import dbt_environment, ensure_manifest, run_dbt
from blotout_orchestration.analytics.lineage_metadata import COLUMN_LINEAGE, with_column_metadata
from blotout_orchestration.settings import Settings


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The manifest of the real project, and a target folder with all its models compiled against an empty warehouse."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test")
    manifest = ensure_manifest(settings)
    Path(dbt_environment(settings)["BLOTOUT_DBT_WAREHOUSE"]).parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.execute("create schema lake")
        for source in json.loads(manifest.read_text())["sources"].values():
            columns = ", ".join(
                f'"{name}" {column["data_type"]}' for name, column in source["columns"].items()
            )
            warehouse.execute(f"create table lake.{source['name']} ({columns})")
    run_dbt("compile", settings, target_path=home / "target")
    return manifest, home / "target"


@pytest.fixture
def manifest(project: tuple[Path, Path], tmp_path: Path) -> Path:
    """The manifest in a folder of its own, without a cache."""
    return Path(shutil.copy(project[0], tmp_path / "manifest.json"))


def _models(manifest: Path) -> dict[str, dict[str, Any]]:
    nodes = json.loads(manifest.read_text())["nodes"].values()
    models = (node for node in nodes if node["resource_type"] == "model")
    return {model["unique_id"]: model for model in models if model["config"]["materialized"] != "ephemeral"}


def _all(manifest: Path, target: Path) -> dict[str, ModelLineage | None]:
    lineage = ProjectLineage(manifest, target)
    found = {unique_id: lineage.of(unique_id) for unique_id in _models(manifest)}
    lineage.save()
    return found


def _origins(lineage: ProjectLineage, model: str, column: str) -> set[str]:
    traced = lineage.of(f"model.blotout.{model}")
    assert traced is not None
    return {f"{origin.table.rsplit('.', 1)[-1]}.{origin.column}" for origin in traced[column]}


def test_every_model_of_the_project_is_traced_and_has_the_columns_it_declares(
    project: tuple[Path, Path], manifest: Path
) -> None:
    found = _all(manifest, project[1])
    declared = {unique_id: set(model["columns"]) for unique_id, model in _models(manifest).items()}
    assert {unique_id: set(lineage or ()) for unique_id, lineage in found.items()} == declared


def test_origins_are_declared_columns_of_the_inputs_that_dagster_draws(
    project: tuple[Path, Path], manifest: Path
) -> None:
    content = json.loads(manifest.read_text())
    known = {**content["nodes"], **content["sources"]}
    for unique_id, lineage in _all(manifest, project[1]).items():
        origins = {origin for column in (lineage or {}).values() for origin in column}
        assert all(column in known[table]["columns"] for table, column in origins)
        assert unique_id not in {table for table, _ in origins}


def test_revenue_of_a_session_comes_from_conversions_and_theirs_from_the_unified_events(
    project: tuple[Path, Path], manifest: Path
) -> None:
    lineage = ProjectLineage(manifest, project[1])
    # The currency decides which revenue it is.
    assert {"conversions.revenue", "conversions.currency"} <= _origins(lineage, "sessions", "revenue")
    assert {origin.split(".")[0] for origin in _origins(lineage, "sessions", "revenue")} == {"conversions"}
    assert "unified_events.revenue" in _origins(lineage, "conversions", "revenue")
    assert "session_events.seconds_since_previous" in _origins(lineage, "sessions", "engaged_seconds")


def test_sources_are_reached_through_ephemeral_models(project: tuple[Path, Path], manifest: Path) -> None:
    lineage = ProjectLineage(manifest, project[1])
    assert "offline_events.event_id" in _origins(lineage, "stg_offline_events", "event_id")
    assert _origins(lineage, "stg_core_events", "event_id") == {"core_events.event_id"}


def test_every_column_of_attribution_has_an_origin_but_the_name_of_the_model(
    project: tuple[Path, Path], manifest: Path
) -> None:
    traced = ProjectLineage(manifest, project[1]).of("model.blotout.attribution")
    assert traced is not None
    assert {column for column, origins in traced.items() if not origins} == {"model"}


def test_the_cache_gives_what_was_traced_without_tracing_again(
    project: tuple[Path, Path], manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = _all(manifest, project[1])

    def refuse(*_: object) -> ModelLineage:
        raise AssertionError("traced again")

    monkeypatch.setattr(column_lineage, "trace_columns", refuse)
    assert _all(manifest, project[1]) == traced


def test_a_source_is_the_asset_that_the_translator_names(project: tuple[Path, Path], manifest: Path) -> None:
    lineage = ProjectLineage(manifest, project[1])
    event = Output(None, "known_ids", metadata={"unique_id": "model.blotout.known_ids"})
    [passed] = with_column_metadata([event], lineage, Translator().get_asset_key)
    deps = passed.metadata[COLUMN_LINEAGE].value.deps_by_column
    assert AssetKey("id_graph") in {dep.asset_key for column in deps.values() for dep in column}
