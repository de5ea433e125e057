"""Every table of lake and warehouse as sorted rows, to hold two ways to the same end against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from blotout_orchestration.analytics.dbt_project import PROJECT_FOLDER
from blotout_orchestration.analytics.warehouse import connect_published
from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_BATCHES, ID_GRAPH_MERGES
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

OF_THE_RUN = {"run_id", "processed_at", "etl_run_date", "etl_run_datetime"}
"""Columns that tell which run wrote a row, and when."""

LEDGERS = {path.stem for path in (PROJECT_FOLDER / "models" / "changes").glob("*.sql")} - {"processed_hours"}
"""Tables of what the last build touched."""

Rows = list[str]


def lake_tables(settings: Settings) -> dict[str, Rows]:
    """All tables of the catalog. The id graph's note of which commit of a source it read is left out."""
    lake = Lake(settings)
    found = {
        identifier[-1]: lake.catalog.load_table(identifier).scan().to_arrow()
        for identifier in lake.catalog.list_tables(lake.namespace)
    }
    batches = found[ID_GRAPH_BATCHES.name]
    is_commit = pc.starts_with(batches["batch"], "#snapshot/")
    found[ID_GRAPH_BATCHES.name] = batches.filter(pc.invert(is_commit))
    return {name: sorted_rows(rows) for name, rows in found.items()}


def warehouse_tables(settings: Settings) -> dict[str, Rows]:
    """All published tables and views but the ledgers."""
    with connect_published(settings) as connection:
        found: Any = connection.execute(
            "select table_name from information_schema.tables where table_schema = ?", [settings.namespace]
        ).fetchall()
        names = sorted({name for (name,) in found} - LEDGERS)
        return {name: sorted_rows(connection.sql(f'from "{name}"').to_arrow_table()) for name in names}


def sorted_rows(rows: pa.Table) -> Rows:
    """Rows as text in a fixed order, without what only tells which run wrote them."""
    kept = rows.drop_columns([name for name in rows.column_names if name in OF_THE_RUN])
    return sorted(repr(sorted(row.items())) for row in kept.to_pylist())


def differences(expected: Mapping[str, Rows], found: Mapping[str, Rows]) -> dict[str, str]:
    """Tables that are not the same, each with how many rows are in one only, and the first of them."""
    told = dict.fromkeys(expected.keys() ^ found.keys(), "is in one only")
    for name in expected.keys() & found.keys():
        if expected[name] != found[name]:
            missing = sorted(set(expected[name]) - set(found[name]))
            surplus = sorted(set(found[name]) - set(expected[name]))
            told[name] = (
                f"{len(expected[name])} rows expected, {len(found[name])} found; "
                f"missing {len(missing)}: {missing[:1]}; surplus {len(surplus)}: {surplus[:1]}"
            )
    return told


def people_in_use(lake: Lake) -> set[str]:
    """Every global_user_id that the graph names now."""
    return set(lake.read(ID_GRAPH, columns=("global_user_id",))["global_user_id"].to_pylist())


def redirected(lake: Lake) -> set[str]:
    """Every global_user_id that is no longer in use and has a redirect; each has one only."""
    old = lake.read(ID_GRAPH_MERGES, columns=("old_global_user_id",))["old_global_user_id"].to_pylist()
    assert len(old) == len(set(old)), "a retired global_user_id is redirected twice"
    return set(old)


def redirects_that_lead_astray(lake: Lake) -> list[object]:
    """Redirects that do not point to the person who holds the oldest id of the old one."""
    holders = {
        (row["id_type"], row["provider"], row["id"]): row["global_user_id"]
        for row in lake.read(ID_GRAPH).to_pylist()
    }
    return [
        row
        for row in lake.read(ID_GRAPH_MERGES).to_pylist()
        if holders.get((row["old_id_type"], row["old_provider"], row["old_id"])) != row["new_global_user_id"]
    ]
