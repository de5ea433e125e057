"""Reports on tables that no run has made yet: refused before dbt, by the names of table and job."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from dagster import materialize

from blotout_orchestration.analytics.assets import dbt_layers
from blotout_orchestration.analytics.dbt_project import dbt_folder, ensure_manifest
from blotout_orchestration.analytics.inputs import MissingInputError, check_inputs
from blotout_orchestration.analytics.unfinished import unfinished
from blotout_orchestration.lake import Lake

PROJECT = {"paths": ["sessions", "core_events"], "campaign": ["sessions", "paths"], "cohorts": ["users"]}
JOBS = {"paths": "attribution", "campaign": "campaign", "cohorts": "retention"}


@pytest.fixture
def connection() -> Any:
    with duckdb.connect() as made:
        made.execute("create schema shop; create table shop.sessions as select 1 as id")
        yield made


def check(connection: Any, *models: str) -> None:
    check_inputs(connection, "shop", PROJECT, models, given={"core_events"}, jobs=JOBS)


def test_models_whose_inputs_are_there_or_made_in_the_same_run_are_built(connection: Any) -> None:
    check(connection, "paths")
    check(connection, "paths", "campaign")


def test_a_missing_table_is_named_with_the_job_that_makes_it(connection: Any) -> None:
    with pytest.raises(MissingInputError, match=r"no table users yet: run events_unified_view first$"):
        check(connection, "cohorts")
    with pytest.raises(MissingInputError, match=r"no table paths yet: run attribution first$"):
        check(connection, "campaign")
    with pytest.raises(MissingInputError, match="run attribution and events_unified_view first"):
        check(connection, "campaign", "cohorts")


def test_a_report_on_a_new_home_is_refused_before_dbt_starts_and_leaves_no_note(lake: Lake) -> None:
    layers = dbt_layers(lake, ensure_manifest(lake.settings))
    reports = next(layer for layer in layers if layer.op.name == "build_reports")
    with pytest.raises(MissingInputError, match=r"sessions.* run events_unified_view first"):
        materialize([reports])
    assert list(dbt_folder(lake.settings).rglob("run_results.json")) == []
    with duckdb.connect(str(lake.settings.warehouse_path)) as warehouse:
        assert unfinished(warehouse) == {}
