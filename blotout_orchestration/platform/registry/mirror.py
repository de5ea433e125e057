"""The registries in the lake, as the original had `connection_pipeline` there: the whole append log.

Belongs here: the tables' contracts and filling them. Does not belong here: the assets (assets.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.platform.registry import CHANNELS, PIPELINES, Registry


class MirrorError(BlotoutError):
    """The registry is not the one whose log the lake holds."""


_TIMES = (
    Column("created_at", "timestamp", "When the name was added, UTC."),
    Column("updated_at", "timestamp", "When this row was appended, UTC; of a name the latest holds."),
    Column("is_deleted", "int", "1: the row removes the name."),
)

CONNECTION_PIPELINE = TableSpec(
    "connection_pipeline",
    "Append log of the ELT pipelines; the row of a name with the latest `updated_at` holds, ties by `id`.",
    (
        Column("id", "long", "Number of the row, growing."),
        Column("name", "string", "Name of the pipeline."),
        Column("source_name", "string", "Name of the source; its schema is made of it."),
        Column("source_type", "string", "Type of the source."),
        Column("payload", "string", "JSON: syncCatalog, connection (secrets as references), schedule ..."),
        *_TIMES,
    ),
)

ACTIVATION_CHANNEL = TableSpec(
    "activation_channel",
    "Append log of the activation channels; the row of a name with the latest `updated_at` holds, ties by `id`.",
    (
        Column("id", "long", "Number of the row, growing."),
        Column("name", "string", "Name of the channel."),
        Column("channel_type", "string", "Type of the channel."),
        Column("audience", "string", "`segment:NAME` or `model:NAME`."),
        Column("mode", "string", "upsert, update, create, mirror, append or delete."),
        Column("schedule", "string", "Cron expression in UTC, `manual`, or empty."),
        Column("paused", "boolean", "Whether it does not run by itself."),
        Column("payload", "string", "JSON: connection (secrets as references), mapping, key, options."),
        *_TIMES,
    ),
)

MIRRORS: Final[Mapping[str, tuple[Registry[Any], TableSpec]]] = {
    CONNECTION_PIPELINE.name: (PIPELINES, CONNECTION_PIPELINE),
    ACTIVATION_CHANNEL.name: (CHANNELS, ACTIVATION_CHANNEL),
}


def mirror(lake: Lake, name: str, run_id: str) -> int:
    """Make the lake's table equal the registry's log, in one commit; the number of its rows.

    A log that has no newer row than the table makes no commit. A log that has fewer rows than the table, such
    as that of a new and empty database, is not taken: raises MirrorError. Raises DatabaseUnavailableError.
    """
    registry, spec = MIRRORS[name]
    log = registry.log(lake.settings)
    mirrored = lake.read(spec, columns=("id",))["id"]
    newest = pc.max(mirrored).as_py()
    if len(log) == len(mirrored) and (not log or log[-1]["id"] == newest):
        return len(log)
    if len(log) < len(mirrored):
        raise MirrorError(
            f"{name} has {len(log)} rows in PLATFORM_DATABASE and {len(mirrored)} in the lake: an append log does "
            "not shrink; is it the right database? Drop the lake's table to begin anew"
        )
    columns = [column.name for column in spec.columns]
    rows = [{**row, "payload": json.dumps(row["payload"], ensure_ascii=False)} for row in log]
    table = pa.Table.from_pylist(
        [{column: row[column] for column in columns} for row in rows], schema=spec.arrow_schema
    )
    lake.replace(spec, table, AlwaysTrue(), {"run_id": run_id})
    return len(log)
