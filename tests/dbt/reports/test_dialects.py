"""The reports in the dialect of Trino, and what dbt knows of them: descriptions, tags, deprecation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from blotout_orchestration.analytics.dbt_project import dbt_arguments, dbt_environment
from blotout_orchestration.settings import Settings

from .warehouse import PROJECT

FOLDERS = {
    "attribution": "attribution",
    "campaign": "campaign",
    "retention": "retention",
    "derived": "derived_views",
}
DUCKDB_ONLY = ("hash(", "array_to_string", "bit_xor", "group by all", "qualify ", " exclude ")


def _invoke(
    command: str, ground: str, home: Path, monkeypatch: pytest.MonkeyPatch, select: tuple[str, ...] = ()
) -> Any:
    from dbt.cli.main import dbtRunner

    settings = Settings(
        _env_file=None,
        blotout_home=home,
        organisation="shop",
        environment="test",
        warehouse=ground,  # type: ignore[arg-type]
    )
    for name, value in dbt_environment(settings).items():
        monkeypatch.setenv(name, value)
    extra = ["--no-introspect"] if command == "compile" else []
    finished = dbtRunner().invoke(["--quiet", *dbt_arguments(command, settings, select=select), *extra])
    assert finished.success, finished.exception
    return finished.result


@pytest.mark.parametrize("incremental", [False, True])
def test_every_report_is_read_by_the_trino_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, incremental: bool
) -> None:
    from dbt.adapters.trino import TrinoAdapter

    def relation(adapter: Any, database: str, schema: str, identifier: str) -> Any:
        known = adapter.Relation.create(
            database=database, schema=schema, identifier=identifier, type=adapter.Relation.Table
        )
        return known if incremental else None

    monkeypatch.setattr(TrinoAdapter, "get_relation", relation)
    monkeypatch.setattr(TrinoAdapter, "set_relations_cache", lambda *a, **k: None)
    monkeypatch.setattr(TrinoAdapter, "create_schema", lambda *a, **k: None)
    select = tuple(f"tag:{tag},resource_type:model" for tag in FOLDERS.values())
    results = _invoke("compile", "trino", tmp_path, monkeypatch, select).results
    compiled = {result.node.name: result.node.compiled_code for result in results}
    assert len(compiled) >= 25
    for name, sql in compiled.items():
        statements = sqlglot.parse(sql, read="trino", error_level=sqlglot.ErrorLevel.RAISE)
        assert len([statement for statement in statements if statement]) == 1, name
        assert not [word for word in DUCKDB_ONLY if word in sql.lower()], name
    assert "checksum(row(" in compiled["attribution_people"]
    assert ("as done" in compiled["attribution"]) == incremental


def test_every_report_column_is_described_and_every_folder_has_its_jobs_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = _invoke("parse", "duckdb", tmp_path, monkeypatch)
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
