"""What all assets have in common: owners, and the metadata of a lake table.

Belongs here: facts that the Dagster UI shows on every asset's page. Asset definitions belong to the domains.
"""

from __future__ import annotations

from typing import Any

from dagster import TableColumn, TableSchema

from blotout_orchestration.lake import Lake, TableSpec

OWNERS = ["team:data-platform"]


def table_metadata(lake: Lake, spec: TableSpec) -> dict[str, Any]:
    """Columns with their meaning, and the table's full name, for an asset's definition."""
    columns = [
        TableColumn(column.name, column.type, description=column.description) for column in spec.columns
    ]
    return {
        "dagster/column_schema": TableSchema(columns=columns),
        "dagster/table_name": f"{lake.namespace}.{spec.name}",
    }
