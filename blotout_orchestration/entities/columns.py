"""The columns that conditions may name, with the kind of comparison that each takes.

Belongs here: from a warehouse's types to our five kinds. Does not belong here: SQL of conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from blotout_orchestration.entities.fields import DefinitionError

USERS = "view_users"
EVENTS = "unified_events"


class ColumnKind(StrEnum):
    """How values of a column are compared."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "true/false"
    DATE = "date"
    MOMENT = "moment"
    TEXTS = "list of texts"


def kind_of(warehouse_type: str) -> ColumnKind | None:
    """The kind of a type as information_schema names it, on DuckDB, Trino and Athena; None: no conditions."""
    name = warehouse_type.strip().lower()
    if name in {"varchar[]", "array(varchar)", "array<string>"}:
        return ColumnKind.TEXTS
    word = name.split("(")[0].split(" ")[0]
    if word in {"varchar", "char", "text", "string"} and not name.endswith("]"):
        return ColumnKind.TEXT
    if word in {
        "tinyint",
        "smallint",
        "integer",
        "int",
        "bigint",
        "hugeint",
        "decimal",
        "double",
        "float",
        "real",
    }:
        return None if name.endswith("]") else ColumnKind.NUMBER
    return {"boolean": ColumnKind.BOOLEAN, "date": ColumnKind.DATE, "timestamp": ColumnKind.MOMENT}.get(word)


@dataclass(frozen=True)
class Columns:
    """The columns of `view_users` and `unified_events`, and the schema that both lie in."""

    schema: str
    users: Mapping[str, ColumnKind | None]
    events: Mapping[str, ColumnKind | None]

    @classmethod
    def read(cls, schema: str, rows: Iterable[tuple[str, str, str]]) -> Columns:
        """From rows (table, column, type) of information_schema."""
        found: dict[str, dict[str, ColumnKind | None]] = {USERS: {}, EVENTS: {}}
        for table, column, kind in rows:
            if table in found:
                found[table][column] = kind_of(kind)
        return cls(schema, found[USERS], found[EVENTS])

    def kind(self, table: str, column: str) -> ColumnKind:
        """The kind of a column. Raises DefinitionError when the table has no such column."""
        known = self.users if table == USERS else self.events
        if column not in known:
            close = get_close_matches(column, list(known), 3)
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise DefinitionError(f"{table} has no column {column}{hint}")
        kind = known[column]
        if kind is None:
            raise DefinitionError(f"{table}.{column} has a type that conditions cannot compare")
        return kind
