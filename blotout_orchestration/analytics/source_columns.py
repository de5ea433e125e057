"""The dbt sources, written from the Python contracts of the lake, so that a column is described once.

Belongs here: which lake tables dbt reads, and their `sources.yml`. `python -m
blotout_orchestration.analytics.source_columns` writes the file; a test holds it to the contracts.
"""

from __future__ import annotations

import json

from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, OFFLINE_EVENTS
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_MERGES
from blotout_orchestration.lake.tables import DUCKDB_TYPES, TableSpec

SOURCES: dict[str, TableSpec] = {
    "core_events": CORE_EVENTS,
    "event_hours": EVENT_HOURS,
    "view_id_graph": ID_GRAPH,
    "id_graph_merges": ID_GRAPH_MERGES,
    "offline_events": OFFLINE_EVENTS,
    "crm_profiles": CRM_PROFILES,
    "ad_spend": AD_SPEND,
}
"""Lake tables by the name under which dbt reads them."""

_HEADER = """\
# Written by `python -m blotout_orchestration.analytics.source_columns` from the contracts of the lake tables.
version: 2

sources:
  - name: lake
    description: "The lake's Iceberg tables; on DuckDB views over their planned Parquet files, made before dbt runs."
    database: "{{ 'warehouse' if target.type == 'duckdb' else target.database }}"
    schema: "{{ 'lake' if target.type == 'duckdb' else target.schema }}"
    tables:
"""


def sources_yaml() -> str:
    """The text of `models/sources.yml`: every source table with type and meaning of every column."""
    lines = []
    for name, spec in SOURCES.items():
        lines += [
            f"      - name: {name}",
            f"        description: {json.dumps(spec.description, ensure_ascii=False)}",
        ]
        if name != spec.name:
            identifier = f"{{{{ '{name}' if target.type == 'duckdb' else '{spec.name}' }}}}"
            lines.append(f"        identifier: {json.dumps(identifier)}")
        lines.append("        columns:")
        for column in spec.columns:
            lines += [
                f"          - name: {column.name}",
                f"            data_type: {DUCKDB_TYPES[column.type].lower()}",
                f"            description: {json.dumps(column.description, ensure_ascii=False)}",
            ]
    return _HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    from blotout_orchestration.analytics.dbt_project import PROJECT_FOLDER

    (PROJECT_FOLDER / "models" / "sources.yml").write_text(sources_yaml(), encoding="utf-8")
