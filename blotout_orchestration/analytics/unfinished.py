"""Models of the embedded warehouse that a dbt run has begun and not brought to a good end.

Belongs here: the note of them in the warehouse's own file, what it forbids, and how they are kept out of the
published copy. A model is unfinished from before dbt begins until it was built and all its tests passed, in that
run or in a later one that makes it: a run that failed, was cancelled or was killed leaves it so. Does not belong
here: when a copy is published.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake.reads import quote

UNIFIED_LAYER = "events_unified_view"
"""Its tables stand on each other, so that they are published together or not at all."""

_NOTE = '"builds"."unfinished"'


class UnfinishedInputError(BlotoutError):
    """A dbt run would build on a table whose own last build did not end well."""


def begin(
    connection: Any, layer: str, project: Mapping[str, Iterable[str]], models: Collection[str]
) -> tuple[str, ...]:
    """Note that dbt is about to build some models of a layer; `project` gives the inputs of each of the layer.

    Returns the unfinished models of the same layer that these stand on: they are to be built first, since what
    asked for them before may never ask again. Raises UnfinishedInputError when an input of another layer is
    unfinished.
    """
    connection.execute("create schema if not exists builds")
    connection.execute(f"create table if not exists {_NOTE} (model varchar primary key, layer varchar)")
    for gone in {name for name, of in unfinished(connection).items() if of == layer} - set(project):
        connection.execute(f"delete from {_NOTE} where model = ?", [gone])
    left = unfinished(connection)
    inputs = _inputs(project, models) - set(models)
    refused = sorted(name for name in inputs if left.get(name, layer) != layer)
    if refused:
        layers = sorted({left[name] for name in refused})
        raise UnfinishedInputError(
            f"the last build of {', '.join(refused)} did not end well (a model or a blocking test failed, or the "
            f"run was cut off); nothing is built on that. Mend it and run {' and '.join(layers)} first"
        )
    for model in sorted(models):
        connection.execute(f"insert or replace into {_NOTE} values (?, ?)", [model, layer])
    return tuple(sorted(name for name in inputs if name in left))


def _inputs(project: Mapping[str, Iterable[str]], models: Iterable[str]) -> set[str]:
    """What models stand on, the nearest inputs of other layers included."""
    found: set[str] = set()
    waiting = [name for model in models for name in project[model]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += project.get(name, ())
    return found


def end(connection: Any, models: Iterable[str]) -> None:
    """Note that these models were built and that their tests passed."""
    if _has_note(connection):
        for model in models:
            connection.execute(f"delete from {_NOTE} where model = ?", [model])


def unfinished(connection: Any) -> dict[str, str]:
    """Unfinished models, each with its layer."""
    if not _has_note(connection):
        return {}
    return dict(connection.execute(f"select model, layer from {_NOTE}").fetchall())


def _has_note(connection: Any) -> bool:
    found = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'builds' and table_name = 'unfinished'"
        " and table_catalog = current_catalog()"
    )
    return found.fetchone() is not None


def passed_models(target: Path, manifest: Path) -> set[str]:
    """Models of a dbt run that were built, whose tests all passed, and that stand on no other.

    `target` is the run's target folder. Empty when dbt did not come as far as to write its results.
    """
    results = target / "run_results.json"
    if not results.is_file():
        return set()
    states = {row["unique_id"]: row["status"] for row in json.loads(results.read_text())["results"]}
    project = json.loads(manifest.read_text())
    bad = {name for name, state in states.items() if state not in ("success", "pass", "warn")}
    waiting = bad | {model for name in bad for model in _tested(project, name)}
    tainted: set[str] = set()
    while waiting:
        name = waiting.pop()
        tainted.add(name)
        waiting |= set(project["child_map"].get(name, ())) - tainted
    built = {name for name, state in states.items() if name.startswith("model.") and state == "success"}
    return {name.rsplit(".", 1)[-1] for name in built - tainted}


def _tested(project: Mapping[str, Any], test: str) -> list[str]:
    """The model whose asset check a test is; every model that it reads when it does not say."""
    node = project["nodes"].get(test, {})
    parents: list[str] = [] if test.startswith("model.") else project["parent_map"].get(test, [])
    named = node.get("meta", {}).get("dagster", {}).get("ref", {}).get("name")
    own = node.get("attached_node") or next((name for name in parents if name.endswith(f".{named}")), None)
    return [own] if own else parents


def keep_published(part: Path, published: Path, schema: str, models: Collection[str]) -> None:
    """Replace tables and views in a copy of the warehouse by what readers see of them now.

    What was never published is taken out. Rows of a view are kept as a table, since its inputs are newer.
    """
    import duckdb

    with duckdb.connect(str(part)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        kinds = _kinds(connection, schema)
        old: dict[str, str] = {}
        if published.exists():
            connection.execute(f"attach {quote(str(published))} as published_before (read_only)")
            old = _kinds(connection, schema, "published_before")
        for name in sorted(models):
            table = f'"{schema}"."{name}"'
            if name in kinds:
                connection.execute(f"drop {kinds[name]} {table}")
            if name in old:
                connection.execute(f"create table {table} as from published_before.{table}")
        connection.execute("checkpoint")


def _kinds(connection: Any, schema: str, catalog: str | None = None) -> dict[str, str]:
    rows = connection.execute(
        "select table_name, if(table_type = 'VIEW', 'view', 'table') from information_schema.tables"
        " where table_schema = ? and table_catalog = coalesce(?, current_catalog())",
        [schema, catalog],
    ).fetchall()
    return dict(rows)
