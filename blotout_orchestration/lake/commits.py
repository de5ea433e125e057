"""Atomic commits: one catalog commit a change, with its proof in the snapshot, retried on conflict.

Belongs here: append, replace, retry, the bound on kept snapshots. What the rows mean does not.
"""

from __future__ import annotations

import logging
import random
import time
import warnings
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table, TableProperties
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
    with_retries(lambda: catalog.load_table(identifier).append(rows, snapshot_properties=properties))


def replace_rows(
    catalog: Catalog,
    identifier: str,
    rows: pa.Table,
    where: BooleanExpression,
    properties: dict[str, str],
) -> None:
    """Delete what matches `where` and append `rows` as one catalog commit: no reader sees between."""

    def attempt() -> None:
        table = load_for_replacing(catalog, identifier)
        with table.transaction() as transaction:
            if table.current_snapshot() is not None:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Delete operation did not match any records")
                    transaction.delete(where, snapshot_properties=properties)
            if rows.num_rows:
                transaction.append(rows, snapshot_properties=properties)

    with_retries(attempt)


def replace_with_files(
    catalog: Catalog,
    identifier: str,
    files: list[str],
    where: BooleanExpression,
    properties: dict[str, str],
) -> None:
    """Delete what matches `where` and add Parquet files that already lie in the lake, as one catalog commit."""

    def attempt() -> None:
        table = load_for_replacing(catalog, identifier)
        with table.transaction() as transaction:
            if table.current_snapshot() is not None:
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Delete operation did not match any records")
                    transaction.delete(where, snapshot_properties=properties)
            if files:
                transaction.add_files(files, snapshot_properties=properties, check_duplicate_files=False)

    with_retries(attempt)
