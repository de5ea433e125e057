"""Replacing data files by others that hold the same rows: one commit, with the proof that the rows are the same.

Belongs here: checksums of rows, reading some files of a table with their deletes, and the commit of Iceberg's
operation `replace`, which pyiceberg 0.12 does not write. Which files to replace is decided in compaction.py.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import DataFile, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestFile
from pyiceberg.table import FileScanTask, Table, Transaction
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import _OverwriteFiles

from blotout_orchestration.lake.merge_on_read import _DeleteManifestWriter, local_path

_UNBOUNDED = str(2**62)


class RowsDifferError(Exception):
    """The new files do not hold the rows of the old ones: a bug, so nothing was committed."""


@dataclass(frozen=True)
class Checksum:
    """Rows and, by column and for whole rows, a sum of hashes that does not depend on their order."""

    rows: int
    columns: tuple[tuple[str, int, int], ...]
    whole_rows: int

    def __add__(self, other: Checksum) -> Checksum:
        """The checksum of both sets of rows together."""
        columns = tuple(
            (name, count + more, (value + added) % 2**64)
            for (name, count, value), (_, more, added) in zip(self.columns, other.columns, strict=True)
        )
        return Checksum(self.rows + other.rows, columns, (self.whole_rows + other.whole_rows) % 2**64)

    def difference(self, other: Checksum) -> str:
        """What differs, in words; empty when nothing does."""
        if self.rows != other.rows:
            return f"{self.rows} rows became {other.rows}"
        if [column[0] for column in self.columns] != [column[0] for column in other.columns]:
            return "the columns differ"
        changed = [mine[0] for mine, its in zip(self.columns, other.columns, strict=True) if mine != its]
        if changed:
            return f"values differ in {', '.join(changed)}"
        return "" if self.whole_rows == other.whole_rows else "values moved between rows"


def checksum(rows: pa.Table) -> Checksum:
    """The checksum of rows: their number, and by column the number of values and the sum of their hashes."""
    import duckdb

    names = rows.column_names
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    sums = ", ".join(f"count({name}), sum(hash({name})::hugeint) % 18446744073709551616" for name in quoted)
    connection = duckdb.connect()
    try:
        connection.register("rows_", rows)
        whole = f"sum(hash({', '.join(quoted)})::hugeint) % 18446744073709551616"
        found = connection.execute(f"select count(*), {whole}, {sums} from rows_").fetchone()
    finally:
        connection.close()
    values = [int(value or 0) for value in found]
    pairs = zip(names, values[2::2], values[3::2], strict=True)
    return Checksum(values[0], tuple((name, count, total) for name, count, total in pairs), values[1])


def live_tasks(table: Table) -> dict[str, FileScanTask]:
    """The data files of the newest snapshot by path, each with the delete files that apply to it."""
    return {task.file.file_path: task for task in table.scan().plan_files()}


def read_tasks(table: Table, tasks: Iterable[FileScanTask]) -> pa.Table:
    """The rows of some data files in the table's schema, without those that are deleted."""
    from pyiceberg.io.pyarrow import ArrowScan

    found = [FileScanTask(task.file, task.delete_files) for task in tasks]
    return ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table(found)


def write_files(table: Table, rows: pa.Table) -> list[DataFile]:
    """Write rows of one partition as one data file that no snapshot refers to yet."""
    from pyiceberg.io.pyarrow import _dataframe_to_data_files

    metadata = table.metadata.model_copy(
        update={"properties": {**table.metadata.properties, "write.target-file-size-bytes": _UNBOUNDED}}
    )
    files = list(_dataframe_to_data_files(metadata, rows, table.io, uuid.uuid4(), itertools.count(0)))
    for file in files:
        # pyiceberg leaves it unset until the file is read from a manifest.
        file.spec_id = table.metadata.default_spec_id
    return files


def remove_files(table: Table, files: Iterable[str]) -> None:
    """Delete files that were written for a commit that did not happen."""
    for path in files:
        table.io.delete(path)


class _ReplaceFiles(_OverwriteFiles):
    """The format's operation `replace`: files change, rows do not. Delete files that lost their data go too."""

    def __init__(
        self, transaction: Transaction, io: Any, properties: dict[str, str], spent_deletes: Sequence[DataFile]
    ) -> None:
        super().__init__(Operation.OVERWRITE, transaction, io, snapshot_properties=properties)
        self._spent_deletes = {file.file_path: file for file in spent_deletes}

    def _existing_manifests(self) -> list[ManifestFile]:
        manifests = super()._existing_manifests()
        if not self._spent_deletes:
            return manifests
        found: list[ManifestFile] = []
        for manifest in manifests:
            if manifest.content == ManifestContent.DATA:
                found.append(manifest)
            else:
                found += self._without_spent(manifest)
        return found

    def _without_spent(self, manifest: ManifestFile) -> list[ManifestFile]:
        entries = manifest.fetch_manifest_entry(self._io, discard_deleted=True)
        kept = [entry for entry in entries if entry.data_file.file_path not in self._spent_deletes]
        if len(kept) == len(entries):
            return [manifest]
        if not kept:
            return []
        output = self.new_manifest_output()
        writer = _DeleteManifestWriter(
            self.spec(manifest.partition_spec_id), self.schema(), output, self._snapshot_id, self._compression
        )
        with writer:
            for entry in kept:
                writer.add_entry(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.EXISTING,
                        snapshot_id=entry.snapshot_id,
                        sequence_number=entry.sequence_number,
                        file_sequence_number=entry.file_sequence_number,
                        data_file=entry.data_file,
                    )
                )
        return [writer.to_manifest_file()]

    def _summary(self, snapshot_properties: dict[str, str] | None = None) -> Summary:
        """The summary by the operation's own name; delete files that went are taken off if they were counted."""
        data_files, parent = self._deleted_data_files, self._parent_snapshot_id
        before = self._transaction.table_metadata.snapshot_by_id(parent) if parent is not None else None
        totals = before.summary.additional_properties if before and before.summary else {}
        counted = int(totals.get("total-delete-files", 0))
        if counted >= len(self._spent_deletes):
            self._deleted_data_files = data_files | set(self._spent_deletes.values())
        try:
            summary = super()._summary(snapshot_properties or {})
        finally:
            self._deleted_data_files = data_files
        return Summary(Operation.REPLACE, **summary.additional_properties)


def spent_deletes(table: Table, tasks: Mapping[str, FileScanTask], replaced: set[str]) -> list[DataFile]:
    """Position delete files all of whose data files are among `replaced` or gone: nothing needs them any more.

    `tasks` are those of `live_tasks`. A delete file that no live data file names would be read with every plan for ever.
    """
    staying = {local_path(path) for path in tasks if path not in replaced}
    applying = {file.file_path: file for task in tasks.values() for file in task.delete_files}
    found = []
    for file in applying.values():
        with table.io.new_input(file.file_path).open() as stream:
            named = pq.read_table(stream, columns=["file_path"])["file_path"].unique()
        if not staying & {local_path(path.as_py()) for path in named}:
            found.append(file)
    return found


def commit_replacement(
    table: Table,
    old: Sequence[DataFile],
    new: Sequence[DataFile],
    spent: Sequence[DataFile],
    properties: dict[str, str],
) -> int:
    """Replace data files by others with the same rows in one commit; returns the id of its snapshot.

    Raises CommitFailedException when the table changed since it was loaded (for a table that was loaded with
    `commits.load_for_replacing`).
    """
    with table.transaction() as transaction:
        producer = _ReplaceFiles(transaction, table.io, properties, spent)
        for file in old:
            producer.delete_data_file(file)
        for file in new:
            producer.append_data_file(file)
        producer.commit()
    return producer.snapshot_id
