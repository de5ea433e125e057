"""Changing a few rows of a big table without rewriting it: Iceberg position deletes (merge on read).

Belongs here: the commit that deletes rows by (data file, position) and adds rows, which pyiceberg reads but
does not write, and the plan of a read that honours such deletes. Every reader of the format sees the right
rows (Iceberg specification v2, "Position Delete Files"). Whole-table and partition replacement is commits.py.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
)
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _MergeAppendFiles
from pyiceberg.typedef import Record

from blotout_orchestration.lake.commits import load_for_replacing

_logger = logging.getLogger(__name__)
_PATH_FIELD, _POSITION_FIELD = 2147483546, 2147483545
_DELETE_SCHEMA = pa.schema(
    [
        pa.field("file_path", pa.string(), False, {"PARQUET:field_id": str(_PATH_FIELD)}),
        pa.field("pos", pa.int64(), False, {"PARQUET:field_id": str(_POSITION_FIELD)}),
    ]
)


class ConcurrentChangeError(CommitFailedException):
    """The table changed after the positions were planned; plan again from the newest snapshot."""


@dataclass(frozen=True)
class Plan:
    """What a read of one snapshot needs: data files, position delete files that apply, the snapshot's id."""

    files: tuple[str, ...]
    delete_files: tuple[str, ...]
    snapshot_id: int | None


def local_path(path: str) -> str:
    """A data file's path as DuckDB's `filename` shows it."""
    return path.removeprefix("file://")


def plan(table: Table, where: BooleanExpression | None = None) -> Plan:
    """The newest snapshot's data files and the position delete files that apply to them, sorted."""
    tasks = list(table.scan(row_filter=where or AlwaysTrue()).plan_files())
    snapshot = table.current_snapshot()
    return Plan(
        tuple(sorted({local_path(task.file.file_path) for task in tasks})),
        tuple(sorted({local_path(item.file_path) for task in tasks for item in task.delete_files})),
        snapshot.snapshot_id if snapshot else None,
    )


class _DeleteManifestWriter(ManifestWriterV2):
    """A manifest of delete files."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _RowDelta(_MergeAppendFiles):
    """Data files and position delete files in one snapshot (the format's "row delta")."""

    def __init__(self, transaction: Transaction, io: Any, properties: dict[str, str]) -> None:
        super().__init__(Operation.OVERWRITE, transaction, io, snapshot_properties=properties)
        self.delete_files: list[DataFile] = []

    def _validate_concurrency(self) -> None:
        if self._commit_window is not None and not self._commit_window.is_empty():
            raise ConcurrentChangeError("the table changed while rows were replaced by position")

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        merged = super()._process_manifests(manifests)
        if not self.delete_files:
            return merged
        metadata = self._transaction.table_metadata
        writer = _DeleteManifestWriter(
            metadata.spec(), self.schema(), self.new_manifest_output(), self._snapshot_id, self._compression
        )
        with writer:
            for file in self.delete_files:
                writer.add(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.ADDED, snapshot_id=self._snapshot_id, data_file=file
                    )
                )
        return [*merged, writer.to_manifest_file()]


def _write_delete_file(table: Table, positions: pa.Table) -> DataFile:
    """One Parquet file of positions, sorted as the format demands."""
    path = f"{table.location()}/data/{uuid.uuid4()}-deletes.parquet"
    paths = {local_path(task.file.file_path): task.file.file_path for task in table.scan().plan_files()}
    names = positions["file_path"].combine_chunks().dictionary_encode()
    known = pa.array([paths.get(name.as_py()) for name in names.dictionary], pa.string())
    if known.null_count:
        raise ConcurrentChangeError("a data file whose rows were to be replaced is gone")
    rows = pa.table([known.take(names.indices), positions["pos"].cast(pa.int64())], schema=_DELETE_SCHEMA)
    rows = rows.sort_by([("file_path", "ascending"), ("pos", "ascending")])
    output = table.io.new_output(path)
    with output.create(overwrite=True) as stream:
        pq.write_table(rows, stream, compression="zstd", use_dictionary=["file_path"])
    bounds = sorted(known.to_pylist())
    return DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=rows.num_rows,
        file_size_in_bytes=len(output),
        lower_bounds={_PATH_FIELD: bounds[0].encode()},
        upper_bounds={_PATH_FIELD: bounds[-1].encode()},
        spec_id=table.metadata.default_spec_id,
    )


def replace_positions(
    catalog: Catalog,
    identifier: str,
    snapshot_id: int | None,
    positions: pa.Table,
    rows: pa.Table,
    properties: dict[str, str],
) -> None:
    """Delete the rows at `positions` (file_path, pos) and add `rows`, one atomic commit.

    The table must be unpartitioned. Raises ConcurrentChangeError when the newest snapshot is no longer
    `snapshot_id`, from which the positions were planned.
    """
    from pyiceberg.io.pyarrow import _dataframe_to_data_files

    if positions.num_rows == 0 and rows.num_rows == 0:
        return
    table = load_for_replacing(catalog, identifier)
    current = table.current_snapshot()
    if (current.snapshot_id if current else None) != snapshot_id:
        raise ConcurrentChangeError(f"{identifier} changed after its rows were planned")
    try:
        with table.transaction() as transaction:
            producer = _RowDelta(transaction, table.io, properties)
            if positions.num_rows:
                producer.delete_files.append(_write_delete_file(table, positions))
            if rows.num_rows:
                for file in _dataframe_to_data_files(
                    table_metadata=transaction.table_metadata,
                    write_uuid=producer.commit_uuid,
                    df=rows,
                    io=table.io,
                ):
                    producer.append_data_file(file)
            producer.commit()
    except CommitFailedException as error:
        raise ConcurrentChangeError(f"{identifier} changed while its rows were written") from error


def rewrite(catalog: Catalog, identifier: str, properties: dict[str, str]) -> None:
    """Write all rows of a table anew, without position deletes, in one commit; given up on a conflict."""
    table = load_for_replacing(catalog, identifier)
    try:
        table.overwrite(table.scan().to_arrow(), snapshot_properties=properties)
    except CommitFailedException:
        _logger.info("%s changed while it was rewritten; left for the next run", identifier)
