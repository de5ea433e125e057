"""How dbt is called, and the manifest that is parsed only when it must be."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path

import pytest

from blotout_orchestration.analytics import dbt_project
from blotout_orchestration.analytics.dbt_project import (
    JOB_SELECTORS,
    KEPT_RUNS,
    PROJECT_FOLDER,
    DbtError,
    dbt_arguments,
    dbt_environment,
    dbt_folder,
    ensure_manifest,
    new_target_folder,
    project_fingerprint,
    run_dbt,
)
from blotout_orchestration.settings import Settings


def _options(arguments: list[str]) -> dict[str, str]:
    return dict(pairwise(arguments))


def test_dbt_reads_the_project_and_writes_below_the_home(settings: Settings) -> None:
    options = _options(dbt_arguments("build", settings, select=["tag:attribution"]))
    home = str(settings.blotout_home.absolute())
    assert options["--project-dir"] == options["--profiles-dir"] == str(PROJECT_FOLDER)
    assert options["--target-path"].startswith(home)
    assert options["--log-path"].startswith(home)
    assert options["--target"] == "duckdb"
    assert options["--select"] == "tag:attribution"


def test_a_full_refresh_and_variables_are_passed_on(settings: Settings) -> None:
    arguments = dbt_arguments("run", settings, full_refresh=True, variables={"session_timeout_minutes": 45})
    assert "--full-refresh" in arguments
    assert json.loads(_options(arguments)["--vars"]) == {"session_timeout_minutes": 45}
    assert "--full-refresh" not in dbt_arguments("run", settings)


def test_dbt_gets_its_own_environment_and_reports_no_usage(settings: Settings) -> None:
    values = dbt_environment(settings)
    assert values["BLOTOUT_DBT_SCHEMA"] == "shop_test"
    assert values["BLOTOUT_DBT_WAREHOUSE"] == str(settings.warehouse_path)
    assert values["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert Path(values["PATH"].split(":")[0], "dbt").exists()


def test_every_variable_of_the_profile_is_one_the_orchestrator_sets(settings: Settings) -> None:
    asked = set(re.findall(r"env_var\('(\w+)'", (PROJECT_FOLDER / "profiles.yml").read_text()))
    unset = asked - set(dbt_environment(settings))
    assert unset == set()


def test_the_trino_server_comes_from_one_setting(settings: Settings) -> None:
    uri = "https://dbt@trino.example.com:8443/iceberg"
    values = dbt_environment(settings.model_copy(update={"warehouse": "trino", "trino_uri": uri}))
    found = [values[f"BLOTOUT_DBT_TRINO_{part}"] for part in ("SCHEME", "USER", "HOST", "PORT")]
    assert found == ["https", "dbt", "trino.example.com", "8443"]
    assert values["BLOTOUT_DBT_CATALOG"] == "iceberg"


def test_the_manifest_is_parsed_once_and_again_when_the_settings_change(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = ensure_manifest(settings)
    nodes = json.loads(manifest.read_text())["nodes"]
    assert "model.blotout.unified_events" in nodes
    assert {f"tag:{tag}" for node in nodes.values() for tag in node["tags"]} >= set(JOB_SELECTORS.values())

    def refuse(*_: object, **__: object) -> str:
        raise AssertionError("parsed again")

    monkeypatch.setattr(dbt_project, "run_dbt", refuse)
    assert ensure_manifest(settings) == manifest
    other = settings.model_copy(update={"organisation": "other"})
    assert project_fingerprint(other) != project_fingerprint(settings)
    with pytest.raises(AssertionError, match="parsed again"):
        ensure_manifest(other)
    assert not list(manifest.parent.parent.glob(".parsing-*"))


def test_what_dbt_says_is_in_the_error(settings: Settings) -> None:
    with pytest.raises(
        DbtError, match=r"dbt run failed \(exit code 2\)[\s\S]*'nonsense' is not a valid method"
    ):
        run_dbt("run", settings, select=["nonsense:unified_events"])


def test_the_folders_of_the_newest_runs_are_kept(settings: Settings, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    runs = dbt_folder(settings) / "runs"
    for number in range(KEPT_RUNS + 3):
        folder = new_target_folder(settings, f"run-{number:02}", "build_reports", manifest)
        os.utime(folder.parent, (number, number))
    left = sorted(path.name for path in runs.iterdir())
    assert left == [f"run-{number:02}" for number in range(3, KEPT_RUNS + 3)]
    # A second step of a run that is still under way removes nothing of it.
    again = new_target_folder(settings, "run-03", "build_unified_view", manifest)
    assert sorted(path.name for path in again.parent.iterdir()) == ["build_reports", "build_unified_view"]


def test_unit_tests_run_on_the_embedded_warehouse_only(settings: Settings) -> None:
    listed = {
        warehouse: run_dbt("list", settings.model_copy(update={"warehouse": warehouse}))
        for warehouse in ("duckdb", "trino")
    }
    assert "unit_test:" in listed["duckdb"]
    assert "unit_test:" not in listed["trino"]
    assert "blotout.unified.sessions" in listed["trino"]
