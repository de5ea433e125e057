"""A dbt project of one source and one model, as small as column lineage can be."""

from __future__ import annotations

import json
from pathlib import Path

from blotout_orchestration.analytics.column_lineage import ProjectLineage


def hand_made(folder: Path, sql: str, columns: tuple[str, ...] = ("id", "paid")) -> ProjectLineage:
    """A project of one source and one model, and an invocation in which the model compiled to `sql`."""
    common = {"schema": "shop", "package_name": "p", "config": {}}
    orders = {
        **common,
        "unique_id": "source.p.shop.orders",
        "resource_type": "source",
        "identifier": "orders",
        "name": "orders",
        "relation_name": '"w"."shop"."orders"',
        "columns": {name: {} for name in columns},
    }
    total = {
        **common,
        "unique_id": "model.p.total",
        "resource_type": "model",
        "alias": "total",
        "name": "total",
        "relation_name": '"w"."shop"."total"',
        "columns": {"total": {}},
        "original_file_path": "models/total.sql",
        "depends_on": {"nodes": [orders["unique_id"]]},
    }
    manifest = {
        "metadata": {"adapter_type": "duckdb"},
        "nodes": {"model.p.total": total},
        "sources": {"source.p.shop.orders": orders},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    compiled = folder / "target" / "compiled" / "p" / "models" / "total.sql"
    compiled.parent.mkdir(parents=True, exist_ok=True)
    compiled.write_text(sql)
    return ProjectLineage(folder / "manifest.json", folder / "target")


SUM_OF_PAID = 'select sum(paid) as total from "shop"."orders"'
FROM_PAID = {"total": [("source.p.shop.orders", "paid")]}
