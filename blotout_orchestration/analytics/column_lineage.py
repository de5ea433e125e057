"""From which columns of which tables each column of a dbt model is made, read from the model's compiled SQL.

Belongs here: tracing one query, the columns that the manifest declares, and the cache of what was traced.
Knows nothing of Dagster (lineage_metadata.py does) and opens no warehouse. Followed are the expressions that
make a value; what only filters, joins or groups rows is not the origin of a value.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sqlglot.lineage import Node
    from sqlglot.schema import MappingSchema

logger = logging.getLogger(__name__)

CACHE_FILE = "column_lineage.json"
_FORMAT = 1
_KEPT_QUERIES = 4
"""Compiled queries remembered of a model: it has one for a full refresh and one for an incremental run."""


class ColumnOrigin(NamedTuple):
    """A column of an upstream table: `table` is a dbt unique id or a `schema.table`, as the function says."""

    table: str
    column: str


ModelLineage = dict[str, list[ColumnOrigin]]
"""Each column of a model, with what its values are made of, sorted; empty for literals and `count(*)`."""


def declared_schema(tables: Mapping[str, Collection[str]], dialect: str) -> MappingSchema:
    """The columns of each table, by the table's name as SQL of the dialect has it, for `trace_columns`."""
    from sqlglot import to_table
    from sqlglot.schema import MappingSchema

    schema = MappingSchema(dialect=dialect)
    for name, columns in tables.items():
        if columns:
            types = dict.fromkeys(columns, "unknown")
            schema.add_table(to_table(name, dialect=dialect), types, dialect=dialect)
    return schema


def trace_columns(sql: str, schema: MappingSchema, dialect: str) -> ModelLineage:
    """Trace each column that the query returns to tables, named `schema.table` in lower case.

    Raises sqlglot.errors.SqlglotError when the SQL does not parse, names a column that no table of the schema
    has, leaves a column without a name, or asks for `*` of a table that the schema does not know.
    """
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import lineage

    traced = lineage(None, sql, schema, dialect=dialect, trim_selects=False, validate_qualify_columns=True)
    if "*" in traced:
        raise SqlglotError("The columns of * are not known, because its table is not declared.")
    return {name.lower(): sorted(set(_origins(node))) for name, node in traced.items()}


def _origins(root: Node) -> Iterator[ColumnOrigin]:
    """The table columns where the tracing of one column ends. Nodes are shared, so each is visited once."""
    from sqlglot import exp

    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        table = node.expression
        if isinstance(table, exp.Table) and not node.downstream:
            yield ColumnOrigin(_short_name(table.db, table.name), exp.to_column(node.name).name.lower())
        for below in node.downstream:
            if id(below) not in seen:
                seen.add(id(below))
                waiting.append(below)


def _short_name(schema: str, table: str) -> str:
    """Without the database: on DuckDB the project's relations go without it."""
    return f"{schema}.{table}".lower()


class ProjectLineage:
    """Column lineage of the models of one dbt invocation, each traced when asked for.

    `manifest` is the parsed project, beside which the cache lies; `target_folder` is where the invocation
    writes its compiled SQL. dbt writes a model's SQL before it runs the model.
    """

    def __init__(self, manifest: Path, target_folder: Path) -> None:
        self._manifest = manifest
        self._target_folder = target_folder
        self._new: dict[str, dict[str, ModelLineage]] = {}

    def of(self, unique_id: str) -> ModelLineage | None:
        """Columns of the model with their origins, whose `table` is a dbt unique id of a model or source.

        Only what dbt knows as the model's inputs counts: a model may also read its own table, or one that
        comes later in the graph, as an earlier run left it. None, and a line in the log, when the SQL is
        missing or cannot be resolved; None when the node is not a model.
        """
        try:
            node = self.properties(unique_id)
            if node["resource_type"] != "model":
                return None
            sql = self._compiled_path(node).read_text(encoding="utf-8")
            key = self._cache_key(sql)
            known = self._known(unique_id, key)
            if known is not None:
                return known
            return self._new.setdefault(unique_id, {}).setdefault(key, self._trace(node, sql))
        except Exception as error:  # a picture of the lineage is never worth a failed run
            said = (str(error).splitlines() or [""])[0]
            logger.warning("No column lineage of %s: %s: %s", unique_id, type(error).__name__, said)
            return None

    def properties(self, unique_id: str) -> Mapping[str, Any]:
        """The manifest's entry of a model or source. Raises KeyError when the manifest has none."""
        found: Mapping[str, Any] = self._nodes[unique_id]
        return found

    def save(self) -> None:
        """Add what was traced to the cache. When two processes save at once one addition may be lost, no more."""
        if not self._new:
            return
        path = self._manifest.with_name(CACHE_FILE)
        merged: dict[str, Any] = _read_cache(path)
        for unique_id, queries in self._new.items():
            newest = list({**merged.get(unique_id, {}), **queries}.items())[-_KEPT_QUERIES:]
            merged[unique_id] = dict(newest)
        try:
            _write_whole(path, json.dumps(merged, separators=(",", ":")))
        except OSError as error:
            logger.warning("Column lineage is not kept for the next run: %s", error)
        self._new.clear()

    def _trace(self, node: Mapping[str, Any], sql: str) -> ModelLineage:
        """Trace a model's SQL, and name tables by their dbt unique ids."""
        inputs = {
            _short_name(parent["schema"], parent.get("identifier") or parent["alias"]): parent["unique_id"]
            for parent in self._inputs(node)
        }
        return {
            column: [ColumnOrigin(inputs[table], name) for table, name in origins if table in inputs]
            for column, origins in trace_columns(sql, self._schema, self._dialect).items()
        }

    def _inputs(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Models and sources that the SQL of a model reads; an ephemeral model is part of that SQL."""
        for unique_id in node["depends_on"]["nodes"]:
            parent = self.properties(unique_id)
            if parent.get("config", {}).get("materialized") == "ephemeral":
                yield from self._inputs(parent)
            else:
                yield parent

    def _compiled_path(self, node: Mapping[str, Any]) -> Path:
        return self._target_folder.joinpath("compiled", node["package_name"], node["original_file_path"])

    def _cache_key(self, sql: str) -> str:
        return hashlib.sha256(f"{self._circumstances}\0{sql}".encode()).hexdigest()

    @cached_property
    def _content(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = json.loads(self._manifest.read_bytes())
        return content

    @cached_property
    def _nodes(self) -> dict[str, Any]:
        return {**self._content["nodes"], **self._content["sources"]}

    @property
    def _dialect(self) -> str:
        return str(self._content["metadata"]["adapter_type"])

    @cached_property
    def _tables(self) -> dict[str, list[str]]:
        return {
            node["relation_name"]: list(node["columns"]) for node in self._nodes.values() if node["columns"]
        }

    @cached_property
    def _schema(self) -> MappingSchema:
        return declared_schema(self._tables, self._dialect)

    @cached_property
    def _circumstances(self) -> str:
        """What the lineage of a query depends on besides the query."""
        return json.dumps([_FORMAT, version("sqlglot"), self._dialect, self._tables], sort_keys=True)

    @cached_property
    def _cached(self) -> dict[str, Any]:
        return _read_cache(self._manifest.with_name(CACHE_FILE))

    def _known(self, unique_id: str, key: str) -> ModelLineage | None:
        """What this or an earlier invocation traced of the same SQL."""
        queries = {**self._cached.get(unique_id, {}), **self._new.get(unique_id, {})}
        if key not in queries:
            return None
        return {column: [ColumnOrigin(*origin) for origin in queries[key][column]] for column in queries[key]}


def _read_cache(path: Path) -> dict[str, Any]:
    """What earlier runs traced; nothing when there is no file or it is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("Column lineage is traced anew, because its cache cannot be read: %s", error)
        return {}
    return content if isinstance(content, dict) else {}


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a killed writer, never leaves half of it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
