"""Conformed rows into a stream's table, in one commit that carries the new state.

Belongs here: the load, its commit, and what happens when another writer was faster. Which rows come and which
go is found in staged.py.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from blotout_orchestration.elt.conform import Conformed
from blotout_orchestration.elt.definition import Stream
from blotout_orchestration.elt.staged import Staged
from blotout_orchestration.elt.stream_tables import (
    LOAD,
    NAMES,
    RUN_COLUMNS,
    STATE,
    STREAM,
    arrow_schema,
    evolve,
    load_table,
    read_state,
)
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake import Lake, merge_on_read
from blotout_orchestration.lake.commits import MAXIMUM_TRIES
from blotout_orchestration.lake.loads import Change, commit_load, write_data_files
from blotout_orchestration.lake.merge_on_read import ConcurrentChangeError, Plan

MAXIMUM_FILES = 64
REWRITTEN_ROWS = 2_000_000
"""Fragmented tables above this size are left to the compression job."""


class ConcurrentLoadError(BlotoutError):
    """Another run loaded the same stream meanwhile; what this one had read is given up."""


class NewKeyError(BlotoutError):
    """The primary key is a column that the rows of the table do not have."""


@dataclass(frozen=True)
class Load:
    """One load of one stream: where it goes, under which id, and the state that it leaves.

    `replaces`: the rows are all that the table shall hold. `since`: rows of an appended stream from this cursor
    on are replaced (a backfill).
    """

    schema: str
    stream: Stream
    pipeline: str
    load_id: str
    run_id: str
    loaded_at: datetime
    previous_load_id: str
    state: str | None
    mapping: str
    names: dict[str, str]
    replaces: bool
    since: datetime | int | None = None


@dataclass(frozen=True)
class Committed:
    """Counts of a commit."""

    rows_added: int
    rows_replaced: int
    rows_deleted: int
    rows_unchanged: int
    rows_in_table: int


def commit(lake: Lake, load: Load, conformed: Conformed) -> Committed:
    """Bring the rows into the table; with the same commit the state moves on.

    Raises ConcurrentLoadError when another load of the stream was faster, NewKeyError.
    """
    import duckdb

    stream = load.stream
    _check_keys(lake, load, conformed)
    table = evolve(lake, load.schema, stream.table, conformed.columns, f"{stream.name} of {load.pipeline}")
    schema = arrow_schema(table)
    with duckdb.connect() as connection:
        staged = Staged(connection, stream, conformed)
        staged.compare(Plan((), (), None) if load.replaces else merge_on_read.plan(table))
        files = list(write_data_files(table, _shaped(staged, load.loaded_at, schema)))
        for attempt in range(1, MAXIMUM_TRIES + 1):
            try:
                return _attempt(lake, load, staged, files)
            except ConcurrentChangeError:
                if attempt == MAXIMUM_TRIES:
                    raise
                time.sleep(random.uniform(0.05, 0.15) * min(2**attempt, 8))
    raise AssertionError("unreachable")


def _check_keys(lake: Lake, load: Load, conformed: Conformed) -> None:
    """Rows without the key would never be met by a merge, and so stay beside their newer selves."""
    new = [key for key in load.stream.keys if key in conformed.new_columns]
    if not new or load.replaces or load.stream.disposition != "merge":
        return
    table = load_table(lake, load.schema, load.stream.table)
    if table is not None and merge_on_read.plan(table).files:
        raise NewKeyError(
            f"stream {load.stream.name}: the table's rows have no {', '.join(new)}, the primary key; "
            f"run the pipeline once with full_refresh"
        )


def _attempt(lake: Lake, load: Load, staged: Staged, files: Sequence[Any]) -> Committed:
    identifier = f"{load.schema}.{load.stream.table}"
    table = lake.catalog.load_table(identifier)
    if read_state(table).load_id != load.previous_load_id:
        raise ConcurrentLoadError(
            f"stream {load.stream.name} of pipeline {load.pipeline} was loaded by another run meanwhile; "
            f"nothing of this one was committed, run it again"
        )
    added = sum(int(file.record_count) for file in files)
    plan = merge_on_read.plan(table)
    before = staged.rows_held(plan)
    positions, deleted = (None, 0) if load.replaces else staged.positions(plan, load.since)
    gone = before if positions is None else positions.num_rows
    record = {
        "load_id": load.load_id,
        "run_id": load.run_id,
        "pipeline": load.pipeline,
        "loaded_at": load.loaded_at.isoformat(),
        "rows": added,
    }
    state = {STATE: load.state} if load.state else {}
    commit_load(
        lake.catalog,
        identifier,
        plan.snapshot_id,
        Change(files, positions, everything=load.replaces),
        snapshot_properties={"run_id": load.run_id, "load_id": load.load_id, "pipeline": load.pipeline},
        table_properties={
            LOAD: json.dumps(record),
            STREAM: load.mapping,
            NAMES: json.dumps(load.names, sort_keys=True),
            **state,
        },
    )
    after = before - gone + added
    if len(plan.files) + len(plan.delete_files) > MAXIMUM_FILES and after <= REWRITTEN_ROWS:
        merge_on_read.rewrite(lake.catalog, identifier, {"run_id": load.run_id, "rewritten": "true"})
    unchanged = 0 if load.replaces else staged.unchanged()
    return Committed(added, gone - deleted, deleted, unchanged, after)


def _shaped(staged: Staged, loaded_at: datetime, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows to write in the table's schema, with the time of the load."""
    own = {
        RUN_COLUMNS[0].name: pa.scalar(loaded_at.astimezone(UTC).date(), RUN_COLUMNS[0].type),
        RUN_COLUMNS[1].name: pa.scalar(loaded_at, RUN_COLUMNS[1].type),
    }
    for rows in staged.rows():
        columns = []
        for one in schema:
            if one.name in own:
                columns.append(pa.repeat(own[one.name], rows.num_rows))
            elif one.name in rows.column_names:
                columns.append(rows.column(one.name).cast(one.type))
            else:
                columns.append(pa.nulls(rows.num_rows, one.type))
        yield pa.Table.from_arrays(columns, schema=schema)
