"""The commit of a load: rows in, rows out by position or all of them, and the loader's state, all at once.

Belongs here: one Iceberg transaction for tables whose schema a source decides. What the rows mean, and where
the state is kept meanwhile, does not.
"""

from __future__ import annotations

import itertools
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from blotout_orchestration.lake.commits import load_for_replacing
from blotout_orchestration.lake.merge_on_read import ConcurrentChangeError, _RowDelta, _write_delete_file


@dataclass(frozen=True)
class Change:
    """What a load does to a table: new data files, and what goes.

    `everything` replaces all rows; else the rows at `positions` (file_path, pos) go.
    """

    files: Sequence[DataFile]
    positions: pa.Table | None = None
    everything: bool = False


def write_data_files(table: Table, batches: Iterable[pa.Table]) -> Iterator[DataFile]:
    """Write rows as data files of an unpartitioned table; they belong to it from the commit on."""
    from pyiceberg.io.pyarrow import _dataframe_to_data_files

    identity, counter = uuid.uuid4(), itertools.count(0)
    for rows in batches:
        yield from _dataframe_to_data_files(table.metadata, rows, table.io, identity, counter)


def commit_load(
    catalog: Catalog,
    identifier: str,
    planned_snapshot: int | None,
    change: Change,
    *,
    snapshot_properties: dict[str, str],
    table_properties: Mapping[str, str],
) -> None:
    """Apply a change and set table properties in one atomic commit.

    Raises ConcurrentChangeError when the newest snapshot is not `planned_snapshot` (None: there is none), or
    when another writer was faster: plan again and repeat.
    """
    table = load_for_replacing(catalog, identifier)
    current = table.current_snapshot()
    if (current.snapshot_id if current else None) != planned_snapshot:
        raise ConcurrentChangeError(f"{identifier} changed after the load was planned")
    removes = change.positions is not None and change.positions.num_rows > 0
    try:
        with table.transaction() as transaction:
            if change.everything and current is not None:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Delete operation did not match any records")
                    transaction.delete(AlwaysTrue(), snapshot_properties=snapshot_properties)
            if change.files or removes:
                producer = _RowDelta(transaction, table.io, snapshot_properties)
                if removes and change.positions is not None:
                    producer.delete_files.append(_write_delete_file(table, change.positions))
                for file in change.files:
                    producer.append_data_file(file)
                producer.commit()
            transaction.set_properties(dict(table_properties))
    except CommitFailedException as error:
        raise ConcurrentChangeError(f"{identifier} changed while the load was committed") from error
