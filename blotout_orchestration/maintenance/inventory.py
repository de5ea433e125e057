"""The tables of the lake as maintenance sees them: all that are in the catalog, whoever made them.

Belongs here: listing tables, the order that a table's rows want, and the contracts that the package declares.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from pyiceberg.exceptions import NoSuchIcebergTableError, NoSuchTableError
from pyiceberg.table import Table

import blotout_orchestration
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.expiry import bare
from blotout_orchestration.lake.layers import LAYERS
from blotout_orchestration.lake.tables import TableSpec

SORT_PROPERTY: Final = "blotout.sort-by"
"""Table property that names the sort columns of a compacted file, with commas between them."""

SORT_ORDERS: Final = {
    "core_events": ("arrival_hour", "received_at"),
    "bad_events": ("arrival_hour",),
    "id_edges": ("batch",),
    "offline_events": ("event_datetime",),
    "crm_profiles": ("profile_id",),
    "ad_spend": ("date",),
}
"""Orders of our own tables: by what they are replaced or filtered by, so that file statistics prune well."""


@dataclass(frozen=True)
class LakeTable:
    """A table by its full name, or why it cannot be opened."""

    identifier: str
    table: Table | None
    problem: str = ""


def patterns(text: str) -> tuple[str, ...]:
    """The patterns of a setting, lower case; empty parts are left out."""
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def matches(name: str, wanted: tuple[str, ...]) -> bool:
    """Whether a name is meant by one of the patterns, without regard to case."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in wanted)


def is_ours(lake: Lake, location: str) -> bool:
    """Whether files lie in a layer of this deployment: a Glue catalog is shared by all of an account."""
    place = bare(location).rstrip("/") + "/"
    return any(place.startswith(bare(lake.layer(layer)).rstrip("/") + "/") for layer in LAYERS)


def is_our_schema(lake: Lake, schema: str) -> bool:
    """Whether a schema is named as this deployment names its own: `{org}_{env}`, or a source's `{source}_{env}`."""
    return schema == lake.namespace or schema.endswith(f"_{lake.settings.environment}")


def lake_tables(lake: Lake, wanted: tuple[str, ...] = ("*",)) -> Iterator[LakeTable]:
    """Every Iceberg table of this deployment whose name or full name matches, by name.

    A table whose files lie elsewhere is somebody else's and is left out, whatever its name.
    """
    for namespace in sorted(lake.catalog.list_namespaces()):
        for identifier in sorted(lake.catalog.list_tables(namespace)):
            name = ".".join(identifier)
            if not (matches(identifier[-1], wanted) or matches(name, wanted)):
                continue
            try:
                table = lake.catalog.load_table(identifier)
                if is_ours(lake, table.location()):
                    yield LakeTable(name, table)
            except (NoSuchTableError, NoSuchIcebergTableError):
                continue  # dropped since it was listed, or a table of another format beside ours
            except Exception as error:
                if is_our_schema(lake, ".".join(namespace)):
                    yield LakeTable(name, None, f"cannot be opened ({type(error).__name__}): {error}")


def sort_columns(table: Table) -> tuple[str, ...]:
    """The order that the table wants: its property, its Iceberg sort order, or that of our own tables.

    Empty when it wants none; columns that cannot be ordered or are gone end the list.
    """
    known = {field.name for field in table.schema().fields if field.field_type.is_primitive}
    named = table.properties.get(SORT_PROPERTY)
    if named is not None:
        wanted = tuple(part.strip() for part in named.split(",") if part.strip())
    elif table.sort_order().fields:
        wanted = tuple(
            table.schema().find_column_name(item.source_id) or "" for item in table.sort_order().fields
        )
    else:
        wanted = SORT_ORDERS.get(table.name()[-1], ())
    usable = []
    for column in wanted:
        if column not in known:
            break
        usable.append(column)
    return tuple(usable)


def declared_tables() -> dict[str, TableSpec]:
    """Every table that a `contract` module of the package declares, by name."""
    found: dict[str, TableSpec] = {}
    for module in pkgutil.walk_packages(blotout_orchestration.__path__, "blotout_orchestration."):
        if module.name.rpartition(".")[2] == "contract" and module.name.count(".") == 2:
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, TableSpec):
                    found[value.name] = value
    return dict(sorted(found.items()))
