"""The demo store's way into a lake: requests into the landing layer, offline rows into the contract tables.

Belongs here: reading a written store. Both ways take the store as any other input is taken; the same store
again adds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from blotout_orchestration.demo.offline import Row
from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.elt.load import replace_source
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.events.landing import land
from blotout_orchestration.lake import Lake, TableSpec

OFFLINE_TABLES = (ID_MAPPINGS, CRM_PROFILES, OFFLINE_EVENTS, AD_SPEND)


class DemoFolderError(BlotoutError):
    """A folder that holds no demo store."""


@dataclass(frozen=True)
class LandedDemo:
    """What was new: files in the landing layer, and the `table/source` pairs that changed."""

    files: int
    sources: tuple[str, ...]


def _typed(spec: TableSpec, rows: list[Row]) -> pa.Table:
    """Rows of a JSON file in the types of their table."""
    kinds = {column.name: column.type for column in spec.columns}
    readers: dict[str, Callable[[str], object]] = {
        "timestamp": datetime.fromisoformat,
        "date": date.fromisoformat,
        "money": Decimal,
    }
    columns: dict[str, pa.Array] = {}
    for name in dict.fromkeys(key for row in rows for key in row):
        read = readers.get(kinds[name])
        values = [row.get(name) for row in rows]
        if read is not None:
            values = [None if value is None else read(str(value)) for value in values]
        columns[name] = pa.array(values, spec.arrow_schema.field(name).type)
    return pa.table(columns)


def require_store(folder: Path) -> None:
    """Raise `DemoFolderError` unless the folder holds a whole store."""
    if not (folder / "truth.json").is_file():
        raise DemoFolderError(
            f"no demo store in {folder}: make one with `blotout demo generate --folder {folder}`"
        )


def load_offline(lake: Lake, folder: Path, run_id: str = "demo") -> dict[str, bool]:
    """Load CRM, orders, id mappings and ad spend into the contract tables.

    Returns `table/source` -> whether it changed; the same store again changes nothing. Raises
    `DemoFolderError` when the folder holds no store.
    """
    require_store(folder)
    changed: dict[str, bool] = {}
    for spec in OFFLINE_TABLES:
        for path in sorted((folder / "offline" / spec.name).glob("*.jsonl")):
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            changed[f"{spec.name}/{path.stem}"] = replace_source(
                lake, spec, path.stem, _typed(spec, rows), run_id=run_id
            )
    return changed


def land_demo(lake: Lake, folder: Path, progress: Callable[[str], None] | None = None) -> LandedDemo:
    """Bring the store of a folder into the lake: requests landed, offline tables loaded.

    Raises `DemoFolderError` when the folder holds no store.
    """
    require_store(folder)
    report = land(lake, [folder / "requests"], progress=progress)
    changed = load_offline(lake, folder)
    return LandedDemo(report.files_landed, tuple(name for name, is_new in changed.items() if is_new))
