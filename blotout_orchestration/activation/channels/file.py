"""`file`: batches as CSV or Parquet files, in the outbound layer or any folder or bucket.

Belongs here: names and content of the files. A file is named by its batch's idempotency key: a batch that is
sent again after a crash replaces its own file. Who left the audience is named by `key_hash` only, which every
row carries.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import fs as pafs
from pyarrow import parquet

from blotout_orchestration.activation import values as kinds
from blotout_orchestration.activation.channel import (
    Answer,
    Batch,
    ChannelError,
    Context,
    Limits,
    Probe,
    UnavailableError,
)
from blotout_orchestration.activation.options import EngineOptions
from blotout_orchestration.lake.layers import filesystem
from blotout_orchestration.platform.registry.fields import Strict

MODES = ("upsert", "update", "create", "mirror", "append", "delete")
FIELDS: Mapping[str, kinds.Kind] = {"email": kinds.email, "phone": kinds.phone}
KEYS: tuple[str, ...] = ()
DROPS_UNUSABLE = False
_RESERVED = ("operation", "key_hash")


class Connection(Strict):
    """Where the files go."""

    location: str | None = None
    """A folder or `s3://bucket/prefix`; None: `{outbound layer}/activation`."""


class Options(EngineOptions):
    """How the files look."""

    format: Literal["csv", "parquet"] = "csv"
    rows: int = 50_000
    """Rows of a file at most."""


def custom_field(name: str) -> kinds.Kind | None:
    """Any column but the two that every file has."""
    return None if name in _RESERVED else kinds.plain


def connect(context: Context) -> FileChannel:
    """The channel; nothing is written yet."""
    return FileChannel(context)


class FileChannel:
    """Files of one channel, in a folder of its name."""

    pending = 1

    def __init__(self, context: Context) -> None:
        """`context` names location, format and fields."""
        self._options: Options = context.definition.options
        base = context.definition.connection.location or f"{context.lake.layer('outbound')}/activation"
        self._fields = tuple(context.definition.mapping)
        try:
            self._filesystem, root = filesystem(base)
        except (pa.ArrowInvalid, OSError) as error:
            raise ChannelError(f"{context.definition.name}: location cannot be used: {error}") from None
        self._folder = f"{root.rstrip('/')}/{context.definition.name}"
        limits = Limits(self._options.rows, 512 << 20)
        self.limits = dict.fromkeys(("upsert", "update", "create", "append", "delete"), limits)

    def prepare(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Nested values as JSON text, since a CSV has none."""
        return {
            name: json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
            for name, value in values.items()
        }

    def size(self, values: Mapping[str, Any]) -> int:
        """Bytes as text, quotes included."""
        return sum(len(str(value).encode()) + 3 for value in values.values()) + 48

    def removal_key(self, values: Mapping[str, Any]) -> str | None:
        """The files carry the ledger's own hash."""
        return None

    def deliver(self, batch: Batch) -> Answer:
        """Write one file, whole or not at all. Raises UnavailableError when it cannot be written."""
        columns: dict[str, Any] = {
            "operation": [batch.operation] * len(batch.rows),
            "key_hash": [row.key_hash for row in batch.rows],
        }
        for field in self._fields:
            column = [row.values.get(field) for row in batch.rows]
            columns[field] = _typed(column, text=self._options.format == "csv")
        table = pa.table(columns)
        sink = io.BytesIO()
        if self._options.format == "csv":
            arrow_csv.write_csv(table, sink)
        else:
            parquet.write_table(table, sink, compression="zstd")
        path = f"{self._folder}/{batch.idempotency_key}-{batch.operation}.{self._options.format}"
        try:
            self._write(path, sink.getvalue())
        except OSError as error:
            raise UnavailableError(f"the file cannot be written: {type(error).__name__}") from None
        return Answer()

    def _write(self, path: str, content: bytes) -> None:
        self._filesystem.create_dir(self._folder, recursive=True)
        local = isinstance(self._filesystem, pafs.LocalFileSystem)
        # An object appears in S3 when its upload is complete; a local file would appear while it grows.
        target = f"{self._folder}/.{path.rpartition('/')[2]}.tmp" if local else path
        with self._filesystem.open_output_stream(target) as stream:
            stream.write(content)
        if local:
            self._filesystem.move(target, path)

    def collect(self, receipt: str, rows: int) -> Answer | None:
        """Files are there at once."""
        return Answer()

    def settle(self) -> None:
        """Nothing is at work behind our back."""

    def matched(self) -> int | None:
        """A folder matches nobody."""
        return None

    def probe(self) -> Probe:
        """Look at the folder. Raises ChannelError when it cannot be reached."""
        try:
            infos = self._filesystem.get_file_info(pafs.FileSelector(self._folder, allow_not_found=True))
        except OSError as error:
            raise ChannelError(f"the folder cannot be listed: {type(error).__name__}") from None
        return Probe("folder", {"files": str(len(infos)), "format": self._options.format})


def _typed(column: list[Any], *, text: bool) -> pa.Array:
    """A column in one type; as text when its values have several."""
    if not text:
        try:
            return pa.array(column)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            pass
    return pa.array([None if value is None else _cell(value) for value in column], pa.string())


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
