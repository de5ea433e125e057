"""Column lineage as Dagster metadata on what dbt materializes.

Belongs here: turning ProjectLineage into `dagster/column_lineage`, and attaching it to the events of a dbt run.
dagster-dbt's own `fetch_column_metadata` is not used: it opens the warehouse in this process, and on DuckDB it
holds every event back until dbt has ended. Row counts are left out for the same reason: dbt-duckdb reports none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dagster import (
    AssetKey,
    AssetMaterialization,
    Output,
    TableColumnDep,
    TableColumnLineage,
    TextMetadataValue,
)

from blotout_orchestration.analytics.column_lineage import ProjectLineage

COLUMN_LINEAGE = "dagster/column_lineage"
AssetKeyOf = Callable[[Mapping[str, Any]], AssetKey]


def table_column_lineage(
    lineage: ProjectLineage, unique_id: str, asset_key: AssetKeyOf
) -> TableColumnLineage | None:
    """Columns of a dbt model with the assets and columns they are made of; None when it cannot be told.

    `asset_key` gives the asset of a model or source from its entry in the manifest, as a dbt translator does.
    """
    traced = lineage.of(unique_id)
    if traced is None:
        return None
    return TableColumnLineage(
        {
            column: [
                TableColumnDep(asset_key(lineage.properties(origin.table)), origin.column)
                for origin in origins
            ]
            for column, origins in traced.items()
        }
    )


def with_column_metadata(
    events: Iterable[Any], lineage: ProjectLineage, asset_key: AssetKeyOf
) -> Iterator[Any]:
    """Pass on the events of `dbt.cli(...).stream()`, each materialization with its column lineage added.

    Each event is passed on as soon as it comes. What was traced is kept for the next run, also when dbt fails.
    """
    try:
        for event in events:
            yield _with_lineage(event, lineage, asset_key)
    finally:
        lineage.save()


def _with_lineage(event: Any, lineage: ProjectLineage, asset_key: AssetKeyOf) -> Any:
    if not isinstance(event, Output | AssetMaterialization):
        return event
    unique_id = event.metadata.get("unique_id")
    if not isinstance(unique_id, TextMetadataValue) or unique_id.text is None:
        return event
    columns = table_column_lineage(lineage, unique_id.text, asset_key)
    return event if columns is None else event.with_metadata({**event.metadata, COLUMN_LINEAGE: columns})
