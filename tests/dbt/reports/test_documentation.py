"""What dbt knows of the reports: descriptions, tags, deprecation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.analytics.dbt_project import dbt_arguments, dbt_environment
from blotout_orchestration.settings import Settings

from .warehouse import PROJECT

FOLDERS = {
    "attribution": "attribution",
    "campaign": "campaign",
    "retention": "retention",
    "derived": "derived_views",
}


def _parsed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from dbt.cli.main import dbtRunner

    settings = Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test")
    for name, value in dbt_environment(settings).items():
        monkeypatch.setenv(name, value)
    finished = dbtRunner().invoke(["--quiet", *dbt_arguments("parse", settings)])
    assert finished.success, finished.exception
    return finished.result


def test_every_report_column_is_described_and_every_folder_has_its_jobs_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = _parsed(tmp_path, monkeypatch)
    nodes = json.loads(json.dumps(manifest.to_dict(), default=str))["nodes"].values()
    reports = [n for n in nodes if n["resource_type"] == "model" and n["fqn"][1] in FOLDERS]
    assert {node["name"] for node in reports} == {
        path.stem for folder in FOLDERS for path in (PROJECT / "models" / folder).glob("*.sql")
    }
    for node in reports:
        assert node["tags"] == [FOLDERS[node["fqn"][1]]], node["name"]
        assert node["description"], node["name"]
        assert node["columns"], node["name"]
        assert all(column["description"] for column in node["columns"].values()), node["name"]
        assert bool(node["config"]["meta"].get("deprecated")) == (node["fqn"][1] == "derived"), node["name"]
