"""The models in the dialect of Trino: every statement that dbt would run is one that Trino's grammar accepts.

What it proves: the dispatch macros choose the Trino forms, and sqlglot's Trino parser reads the result, with no
function left that only DuckDB knows. It does not prove that a Trino server accepts types and privileges.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlglot

from blotout_orchestration.analytics.dbt_project import dbt_arguments, dbt_environment
from blotout_orchestration.settings import Settings

from . import shop

DUCKDB_ONLY = ("epoch(", "list(", "sha256('", "regexp_matches", "json_extract_string", " ilike ", "qualify")


class _Offline:
    """Answers of a Trino catalog in which every asked-for relation exists (or none does)."""

    def __init__(self, adapter_type: Any, exists: bool) -> None:
        self.adapter_type, self.exists = adapter_type, exists

    def get_relation(self, adapter: Any, database: str, schema: str, identifier: str, **_: Any) -> Any:
        if not self.exists:
            return None
        return adapter.Relation.create(
            database=database, schema=schema, identifier=identifier, type=adapter.Relation.Table
        )


def _compiled(folder: Path, monkeypatch: pytest.MonkeyPatch, *, incremental: bool) -> dict[str, str]:
    """The SQL of every model of the unified layer, rendered by dbt itself for Trino, without a server."""
    from dbt.adapters.trino import TrinoAdapter
    from dbt.cli.main import dbtRunner

    offline = _Offline(TrinoAdapter, incremental)
    monkeypatch.setattr(
        TrinoAdapter, "get_relation", lambda self, *a, **k: offline.get_relation(self, *a, **k)
    )
    monkeypatch.setattr(TrinoAdapter, "set_relations_cache", lambda *a, **k: None)
    monkeypatch.setattr(TrinoAdapter, "create_schema", lambda *a, **k: None)
    settings = Settings(
        _env_file=None, blotout_home=folder, organisation="shop", environment="test", warehouse="trino"
    )
    arguments = dbt_arguments("compile", settings, select=["tag:events_unified_view,resource_type:model"])
    with shop.environment(dbt_environment(settings)):
        finished = dbtRunner().invoke(["--quiet", *arguments, "--no-introspect"])
    assert finished.success, finished.exception
    return {result.node.name: result.node.compiled_code for result in finished.result.results}


@pytest.mark.parametrize("incremental", [False, True])
def test_every_model_is_read_by_the_trino_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, incremental: bool
) -> None:
    compiled = _compiled(tmp_path, monkeypatch, incremental=incremental)
    assert len(compiled) >= 25
    for name, sql in compiled.items():
        statements = sqlglot.parse(sql, read="trino", error_level=sqlglot.ErrorLevel.RAISE)
        assert len([statement for statement in statements if statement]) == 1, name
        assert not [word for word in DUCKDB_ONLY if word in sql.lower()], name
        assert "None" not in sql, name
    assert ("touched_events" in compiled["unique_events"].split("from", 1)[1]) == incremental
    assert "to_unixtime" in compiled["session_events"]
