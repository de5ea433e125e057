"""Atomic commits: one catalog commit a change, with its proof in the snapshot, retried on conflict.

Belongs here: append, replace, retry. What the rows mean does not.
"""

from __future__ import annotations

import itertools
import logging
import random
import time
import warnings
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table, TableProperties, Transaction
from pyiceberg.table.metadata import TableMetadata
from sqlalchemy.exc import DBAPIError

Result = TypeVar("Result")
MAXIMUM_TRIES = 12
_logger = logging.getLogger(__name__)


def with_retries(action: Callable[[], Result]) -> Result:
    """Run a commit again when another writer was faster or the catalog's database was locked.

    The action must reload its table each time. Raises the last error after `MAXIMUM_TRIES`.
    """
    for attempt in range(1, MAXIMUM_TRIES + 1):
        try:
            return action()
        except (CommitFailedException, DBAPIError) as error:
            if attempt == MAXIMUM_TRIES:
                raise
            pause = random.uniform(0.05, 0.15) * min(2**attempt, 40)
            _logger.info("commit conflict (%s), try %d after %.1f s", type(error).__name__, attempt, pause)
            time.sleep(pause)
    raise AssertionError("unreachable")


def load_for_replacing(catalog: Catalog, identifier: str) -> Table:
    """The table, with pyiceberg's own retry switched off for this object.

    That retry repeats a transaction on top of the other writer's commit without planning its deletes anew:
    rows the other writer added to the same hours would stay beside ours. `with_retries` plans again.
    """
    table = catalog.load_table(identifier)
    table.metadata.properties[TableProperties.COMMIT_NUM_RETRIES] = "0"
    return table


def append_rows(catalog: Catalog, identifier: str, rows: pa.Table, properties: dict[str, str]) -> None:
    """Append rows; an empty append makes no commit."""
    if rows.num_rows == 0:
        return

    def attempt() -> None:
        with catalog.load_table(identifier).transaction() as transaction:
            _append(transaction, rows, properties)

    with_retries(attempt)


def replace_rows(
    catalog: Catalog,
    identifier: str,
    rows: pa.Table,
    where: BooleanExpression,
    properties: dict[str, str],
) -> None:
    """Delete what matches `where` and append `rows` as one catalog commit: no reader sees between."""

    def add(transaction: Transaction) -> None:
        if rows.num_rows:
            _append(transaction, rows, properties)

    _replace(catalog, identifier, where, properties, add)


def _replace(
    catalog: Catalog,
    identifier: str,
    where: BooleanExpression,
    properties: dict[str, str],
    add: Callable[[Transaction], None],
) -> None:
    """Delete what matches and let `add` put its part into the same commit, planned anew at each try."""

    def attempt() -> None:
        table = load_for_replacing(catalog, identifier)
        with table.transaction() as transaction:
            if table.current_snapshot() is not None:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Delete operation did not match any records")
                    transaction.delete(where, snapshot_properties=properties)
            add(transaction)

    with_retries(attempt)


def _append(transaction: Transaction, rows: pa.Table, properties: dict[str, str]) -> None:
    """As `transaction.append`, but cut into partitions in one pass.

    pyiceberg 0.12 filters all rows once for each partition: 90 days of 100,000 events took it 94 s.
    """
    # Imported here: it brings pandas and Arrow's datasets, which loading the definitions needs not.
    from pyiceberg.io.pyarrow import _dataframe_to_data_files

    table, counter = transaction._table, itertools.count(0)
    with transaction._append_snapshot_producer(properties) as producer:
        for part in partition_slices(transaction.table_metadata, rows):
            files = _dataframe_to_data_files(
                transaction.table_metadata, part, table.io, producer.commit_uuid, counter
            )
            for file in files:
                producer.append_data_file(file)


def partition_slices(metadata: TableMetadata, rows: pa.Table) -> list[pa.Table]:
    """The rows cut into one table a partition, in the order of their first rows; uncut without partitions.

    Tables of this platform have at most one partition field.
    """
    spec = metadata.spec()
    if spec.is_unpartitioned():
        return [rows]
    source = metadata.schema().find_field(spec.fields[0].source_id)
    keys = spec.fields[0].transform.pyarrow_transform(source.field_type)(rows.column(source.name))
    distinct = keys.unique() if isinstance(keys, pa.ChunkedArray) else pa.chunked_array([keys]).unique()
    if len(distinct) == 1:
        return [rows]
    codes = pc.index_in(keys, value_set=distinct)
    order = pc.sort_indices(pa.table({"code": codes}), [("code", "ascending")])
    ordered = rows.take(order).combine_chunks()
    sizes = pc.value_counts(codes).to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in sizes}
    offset, slices = 0, []
    for code in range(len(distinct)):
        slices.append(ordered.slice(offset, counts[code]))
        offset += counts[code]
    return slices


def replace_with_files(
    catalog: Catalog,
    identifier: str,
    files: list[str],
    where: BooleanExpression,
    properties: dict[str, str],
) -> None:
    """Delete what matches `where` and add Parquet files that already lie in the lake, as one catalog commit."""

    def add(transaction: Transaction) -> None:
        if files:
            transaction.add_files(files, snapshot_properties=properties, check_duplicate_files=False)

    _replace(catalog, identifier, where, properties, add)
