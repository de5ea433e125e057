"""Files of CSV, JSON and Parquet, in a folder or in S3, through dlt's filesystem.

Belongs here: finding files and reading them. S3 is read by pyarrow. CSV is read as text, since a type guessed
from a file's first rows is wrong in its last; types are found over everything that was read (inference.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from blotout_orchestration.elt.definition import PipelineError, Stream
from blotout_orchestration.elt.sources import Window, wrong_connection
from blotout_orchestration.elt.sources.records import flat
from blotout_orchestration.elt.types import to_lake
from blotout_orchestration.platform.secrets import is_reference, resolve

if TYPE_CHECKING:
    from blotout_orchestration.platform.registry import Pipeline
    from blotout_orchestration.settings import Settings

FORMATS = ("csv", "json", "jsonl", "parquet")
MODIFIED = "modification_date"
FILE_COLUMN = "source_file"
BATCH = 50_000
MAXIMUM_FILES = 1_000_000
"""All files in one page, so that the order of their times is the order of their rows."""


class FileConnection(BaseModel):
    """Where the files lie."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    location: str = Field(description="A folder, or `s3://bucket/prefix`.")
    region: str | None = None
    endpoint: str | None = Field(None, description="Address of an S3-compatible store.")
    access_key_id: str | None = None
    secret_access_key: str | None = None

    @field_validator("location")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        scheme = urlsplit(value).scheme
        if scheme not in ("", "file", "s3"):
            raise ValueError("expected a folder or s3://bucket/prefix")
        return value


class FileOptions(BaseModel):
    """Which files a stream is made of, and how they are read."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    glob: str
    format: str | None = None
    delimiter: str = Field(",", min_length=1, max_length=1)
    namespace: str | None = None


@dataclass
class FileSource:
    """A folder as a source."""

    connection: FileConnection
    secrets: Sequence[str]
    keys: tuple[str, str] | None

    @classmethod
    def of(cls, settings: Settings, pipeline: Pipeline, *, secrets_too: bool = True) -> FileSource:
        """From a pipeline's connection. Raises PipelineError, and SecretError unless secrets are left alone."""
        try:
            connection = FileConnection.model_validate(pipeline.connection)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
            raise wrong_connection(pipeline, lines) from None
        if pipeline.source_type == "s3_export" and not connection.location.startswith("s3://"):
            raise wrong_connection(pipeline, ["location: expected s3://bucket/prefix"])
        given = (connection.access_key_id, connection.secret_access_key)
        if (given[0] is None) != (given[1] is None):
            raise wrong_connection(pipeline, ["give access_key_id and secret_access_key, or neither"])
        keys = None
        if given[0] is not None and given[1] is not None and secrets_too:
            first, second = (
                resolve(one, settings).get_secret_value() if is_reference(one) else one
                for one in (given[0], given[1])
            )
            keys = (first, second)
        return cls(connection, keys or (), keys)

    def filesystem(self) -> Any:
        """An fsspec view of the place that dlt can list."""
        from fsspec.implementations.local import LocalFileSystem

        if not self.connection.location.startswith("s3://"):
            return LocalFileSystem()
        from pyarrow.fs import S3FileSystem

        from blotout_orchestration.elt.sources.s3 import s3_files

        given = self.connection
        options: dict[str, Any] = {"region": given.region} if given.region else {}
        if given.endpoint:
            split = urlsplit(given.endpoint)
            options |= {"endpoint_override": split.netloc or split.path, "scheme": split.scheme or "https"}
        if self.keys:
            options |= {"access_key": self.keys[0], "secret_key": self.keys[1]}
        return s3_files(S3FileSystem(**options))

    def check(self) -> str:
        """List the place and say how many entries it has."""
        entries = self.filesystem().ls(self.connection.location, detail=False)
        return f"{self.connection.location} has {len(entries)} entries"

    def offered(self, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The cursor of files is their time of change; a file that came again replaces its rows."""
        return {name: {"cursor": MODIFIED, "replace_by": FILE_COLUMN} for name in names}

    def delivers_text(self, stream: Stream) -> bool:
        """Whether the stream's files are CSV."""
        options = file_options(stream)
        return _format(stream, options, options.glob) == "csv" if _named(options) else False

    def resource(self, stream: Stream, window: Window) -> Any:
        """The rows of the stream's files: Arrow tables, or records for JSON."""
        import dlt
        from dlt.sources.filesystem import filesystem

        options = file_options(stream)
        incremental = None
        if window.cursor is not None:
            # Files at the cursor are told by their address: the same one is not read twice.
            incremental = dlt.sources.incremental(MODIFIED, initial_value=window.start, row_order="asc")
        listed = filesystem(
            bucket_url=self.connection.location.rstrip("/"),
            credentials=self.filesystem(),
            file_glob=options.glob,
            files_per_page=MAXIMUM_FILES,
            incremental=incremental,
        ).with_name(f"{stream.table}_files")
        limit = window.maximum_rows

        def rows(items: Any) -> Iterator[Any]:
            for item in sorted(items, key=lambda one: (one[MODIFIED], one["relative_path"])):
                read = _READERS[_format(stream, options, item["file_name"])]
                for batch in read(item, options):
                    yield batch[:limit] if limit else batch
                    if limit:
                        return

        return (listed | dlt.transformer(name=stream.table)(rows)).with_name(stream.table)


def file_options(stream: Stream) -> FileOptions:
    """The stream's options. Raises PipelineError."""
    try:
        return FileOptions.model_validate(stream.options)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        lines = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
        raise PipelineError(f"stream {stream.name}: options: {lines}") from None


def _named(options: FileOptions) -> bool:
    """Whether the format is known before a file is seen."""
    return options.format is not None or options.glob.removesuffix(".gz").lower().endswith((".csv", ".tsv"))


def _format(stream: Stream, options: FileOptions, name: str) -> str:
    ending = name.removesuffix(".gz").rsplit(".", 1)[-1].lower()
    found = (options.format or {"ndjson": "jsonl", "pq": "parquet", "tsv": "csv"}.get(ending, ending)).lower()
    if found not in FORMATS:
        raise PipelineError(
            f"stream {stream.name}: {name} ends with no known format; set options.format to one of "
            f"{', '.join(FORMATS)}"
        )
    return found


def _with_file(rows: pa.Table, item: Any) -> pa.Table:
    """Types of the lake at once, so that files of one stream agree where they can."""
    columns = {name: to_lake(rows.column(name)) for name in rows.column_names}
    columns[FILE_COLUMN] = pa.chunked_array([pa.repeat(item["relative_path"], rows.num_rows)])
    return pa.table(columns)


def _csv(item: Any, options: FileOptions) -> Iterator[pa.Table]:
    from pyarrow import csv

    with item.open() as stream:
        names = csv.open_csv(
            pa.PythonFile(item.open(), mode="r"), parse_options=csv.ParseOptions(delimiter=options.delimiter)
        ).schema.names
        reader = csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            parse_options=csv.ParseOptions(delimiter=options.delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
        for batch in reader:
            yield _with_file(pa.Table.from_batches([batch]), item)


def _parquet(item: Any, _options: FileOptions) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with item.open(compression="disable") as stream:
        for batch in pq.ParquetFile(stream).iter_batches(BATCH):
            yield _with_file(pa.Table.from_batches([batch]), item)


def _records(item: Any, found: Iterator[Any]) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    for number, record in enumerate(found, start=1):
        if not isinstance(record, dict):
            raise PipelineError(f"{item['relative_path']}: record {number} is no JSON object")
        page.append({**flat(record), FILE_COLUMN: item["relative_path"]})
        if len(page) == BATCH:
            yield page
            page = []
    if page:
        yield page


def _jsonl(item: Any, _options: FileOptions) -> Iterator[list[dict[str, Any]]]:
    def lines() -> Iterator[Any]:
        with item.open() as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except ValueError as error:
                        raise PipelineError(
                            f"{item['relative_path']}: line {number} is no JSON: {error.args[0].split(':')[0]}"
                        ) from None

    yield from _records(item, lines())


def _json(item: Any, _options: FileOptions) -> Iterator[list[dict[str, Any]]]:
    with item.open() as stream:
        try:
            found = json.load(stream)
        except ValueError as error:
            raise PipelineError(f"{item['relative_path']} is no JSON: {error}") from None
    yield from _records(item, iter(found if isinstance(found, list) else [found]))


_READERS: dict[str, Callable[[Any, FileOptions], Iterator[Any]]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
