"""What dbt would send to a server of Trino or Athena, rendered by dbt itself without one.

Belongs here: the queries of models and their pre-hooks, as text. Athena's are rendered by Trino's adapter with
the macros of this project that are Athena's own: dbt-athena brings DDL around them, and no SQL into them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.analytics.dbt_project import dbt_arguments, dbt_environment
from blotout_orchestration.settings import Settings


@dataclass(frozen=True)
class Rendered:
    """By model: its query, and its pre-hooks that are not empty."""

    queries: Mapping[str, str]
    hooks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def statements(self) -> list[tuple[str, str]]:
        """Every statement with the name of its model."""
        hooks = [(name, hook) for name, hooks in self.hooks.items() for hook in hooks]
        return [*self.queries.items(), *hooks]


def rendered(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    select: Sequence[str],
    *,
    incremental: bool,
    dialect: str = "trino",
) -> Rendered:
    """The statements of models, and of tests on them, on an empty warehouse, or (`incremental`) on one where every table exists."""
    from dbt.adapters.trino import TrinoAdapter
    from dbt.cli.main import dbtRunner
    from dbt.clients.jinja import get_rendered
    from dbt.context.providers import BaseDatabaseWrapper, generate_runtime_model_context
    from dbt.task.compile import CompileRunner

    def relation(adapter: Any, database: str, schema: str, identifier: str, **_: Any) -> Any:
        known = adapter.Relation.create(
            database=database, schema=schema, identifier=identifier, type=adapter.Relation.Table
        )
        return known if incremental else None

    hooks: dict[str, list[str]] = {}
    compile_model = CompileRunner.compile

    def with_hooks(runner: Any, manifest: Any) -> Any:
        node = compile_model(runner, manifest)
        context = generate_runtime_model_context(node, runner.config, manifest)
        texts = [get_rendered(hook.sql, context).strip() for hook in getattr(node.config, "pre_hook", ())]
        hooks[node.name] = [text for text in texts if text]
        return node

    monkeypatch.setattr(TrinoAdapter, "get_relation", relation)
    monkeypatch.setattr(TrinoAdapter, "set_relations_cache", lambda *a, **k: None)
    monkeypatch.setattr(TrinoAdapter, "create_schema", lambda *a, **k: None)
    monkeypatch.setattr(CompileRunner, "compile", with_hooks)
    if dialect != "trino":
        prefixes = [dialect, "trino", "default"]
        monkeypatch.setattr(BaseDatabaseWrapper, "_get_adapter_macro_prefixes", lambda *_: prefixes)
    settings = Settings(
        _env_file=None, blotout_home=home, organisation="shop", environment="test", warehouse="trino"
    )
    for name, value in dbt_environment(settings).items():
        monkeypatch.setenv(name, value)
    finished = dbtRunner().invoke(
        ["--quiet", *dbt_arguments("compile", settings, select=select), "--no-introspect"]
    )
    assert finished.success, finished.exception
    queries = {result.node.name: str(result.node.compiled_code) for result in finished.result.results}
    return Rendered(queries, hooks)
