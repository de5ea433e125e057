"""The engine in process: reader, kernel and de-duplication for a batch of hours that fits in memory.

Belongs here: the order of things, and the Parquet files of core_events. DuckDB writes them itself, below the
table's own data folder, where no reader looks until the commit adds them; what a killed attempt leaves there
is swept with the other unreferenced files.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs as pafs

from blotout_orchestration.events.batches import HourFiles, HourRows
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS
from blotout_orchestration.events.deduplication import (
    ARRIVAL_ORDER,
    FIGURED,
    collisions,
    count_by_hour,
    figures_of_views,
    later_deliveries,
)
from blotout_orchestration.events.enrichment import RAW, enrich
from blotout_orchestration.events.kernel import connect, load_lines, refused_lines
from blotout_orchestration.events.reader import LINES_SCHEMA, Chunk, read_chunks
from blotout_orchestration.lake.layers import filesystem
from blotout_orchestration.lake.tables import DUCKDB_TYPES

_BATCH_ROWS = 8192
"""Lines handed to DuckDB at once: small files are put together, or each would be a tiny vector of its own."""


def flatten_batch(
    landing: str, hours: list[HourFiles], target: str | None, kept: pa.Table | None = None
) -> HourRows:
    """Rows of the hours' files, de-duplicated; those of core_events in Parquet files below `target`.

    Without a target nothing is written: only the counts and the bad events are found. `kept` are the events
    (`EVENT_KEYS`) that stay in these hours beside the new rows.
    """
    connection = connect()
    lines = _Lines(read_chunks(landing, [(hour.hour, hour.files) for hour in hours]))
    try:
        stream = pa.RecordBatchReader.from_batches(LINES_SCHEMA, lines.record_batches())
        load_lines(connection, stream, raw=False)
    except Exception as error:
        raise lines.failure or error from None
    bad = [*lines.bad, refused_lines(connection)]
    found = sum(table.num_rows for table in lines.bad) + _number(connection, "select count(*) from flattened")
    connection.execute(
        f"""create temporary view keys as
            select event_row, arrival_hour, event_id, content_hash, {", ".join(ARRIVAL_ORDER)}
            from flattened where reason is null"""
    )
    later = later_deliveries(connection, "keys", kept)
    if later.num_rows:
        bad.append(_collided(connection, later, landing, hours))
    connection.register("later", later)
    connection.execute(
        f"""create temporary view core as
            select {", ".join(FIGURED)} from flattened
            where reason is null {_first_deliveries(later)}"""
    )
    connection.register("bad", pa.concat_tables(bad))
    counts = figures_of_views(connection)
    files = [] if target is None else _write(connection, target, later)
    connection.close()
    return HourRows(
        found=found,
        bad=pa.concat_tables(bad),
        duplicates=Counter(count_by_hour(later)),
        figures=counts,
        core_files=files,
    )


_PLACE = ("arrival_hour", "landing_file", "landing_line", "landing_index")


def _number(connection: Any, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _first_deliveries(later: pa.Table) -> str:
    return "and event_row not in (select event_row from later)" if later.num_rows else ""


def _collided(connection: Any, later: pa.Table, landing: str, hours: list[HourFiles]) -> pa.Table:
    """Collisions among later deliveries as rows of bad_events.

    Their raw text was not kept, because collisions are rare: their lines are read and flattened once more.
    """
    connection.register("collided", later.filter(pc.invert(later["is_duplicate"])))
    places = connection.sql(
        f"select {', '.join(_PLACE)} from flattened semi join collided using (event_row) order by event_row"
    ).to_arrow_table()
    connection.unregister("collided")
    if places.num_rows == 0:
        return BAD_EVENTS.arrow_schema.empty_table()
    names, numbers = places["landing_file"].unique(), places["landing_line"].unique()
    known = set(names.to_pylist())
    files = [(hour.hour, [file for file in hour.files if file.path in known]) for hour in hours]
    lines = [
        chunk.lines.filter(pc.is_in(chunk.lines["landing_line"], numbers))
        for chunk in read_chunks(landing, files)
    ]
    again = connect()
    load_lines(again, pa.concat_tables(lines))
    again.register("places", places)
    rows = again.sql(
        f"select {', '.join(_PLACE)}, {RAW} from flattened semi join places using ({', '.join(_PLACE)})"
    ).to_arrow_table()
    again.close()
    return collisions(rows)


def _write(connection: Any, target: str, later: pa.Table) -> list[str]:
    """One Parquet file a day of arrival: a data file must lie in one partition of the table."""
    enrich(connection)
    days = connection.execute(
        "select distinct date_trunc('day', arrival_hour) from core order by 1"
    ).fetchall()
    # Typed as in the contract: the kernel has columns of DuckDB's own type JSON, which Parquet knows apart.
    columns = ", ".join(
        f"{item.name}::{DUCKDB_TYPES[item.type]} as {item.name}" for item in CORE_EVENTS.columns
    )
    store, folder = filesystem(target)
    files = []
    for (day,) in days:
        end = day + timedelta(days=1)
        name = f"{day.astimezone(UTC):%Y-%m-%d}.parquet"
        query = f"""
            select {columns} from enriched
            where arrival_hour >= timestamptz '{day.isoformat()}' and arrival_hour < timestamptz '{end.isoformat()}'
            {_first_deliveries(later)}"""
        _copy(connection, query, store, f"{folder}/{name}")
        files.append(f"{target}/{name}")
    return files


def _copy(connection: Any, query: str, store: pafs.FileSystem, path: str) -> None:
    """Write a query's rows to a Parquet file of a store; DuckDB itself knows local files only."""
    store.create_dir(path.rpartition("/")[0], recursive=True)
    if isinstance(store, pafs.LocalFileSystem):
        _copy_to_local(connection, query, path)
        return
    with tempfile.TemporaryDirectory(prefix="blotout-flatten-") as folder:
        local = str(Path(folder) / "rows.parquet")
        _copy_to_local(connection, query, local)
        pafs.copy_files(local, path, pafs.LocalFileSystem(), store)


def _copy_to_local(connection: Any, query: str, path: str) -> None:
    quoted = path.replace("'", "''")
    # Level 1 as pyiceberg writes: level 3 takes more CPU for files a few per cent smaller.
    connection.execute(
        f"copy ({query}) to '{quoted}' (format parquet, compression zstd, compression_level 1)"
    )


class _Lines:
    """Chunks as the record batches that DuckDB pulls while it works on the ones before.

    `bad` gathers what the reader refused; `failure` the reader's error, which DuckDB would pass on as text.
    """

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self.bad: list[pa.Table] = []
        self.failure: BaseException | None = None
        self._chunks = chunks

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """The lines; to be read once."""
        try:
            for chunk in self._chunks:
                self.bad.append(chunk.bad)
                yield from chunk.lines.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)
        except BaseException as error:
            self.failure = error
            raise
