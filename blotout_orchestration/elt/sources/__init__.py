"""The source types: how each is reached, what it offers, and dlt's resource for one of its streams.

Belongs here: the interface, and which module makes a type. Extraction itself is the same for all (extract.py).
A new REST source is a YAML file (declarations/), not code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from blotout_orchestration.elt.definition import PipelineError, Stream

if TYPE_CHECKING:
    from pyarrow import DataType

    from blotout_orchestration.platform.registry import Pipeline
    from blotout_orchestration.settings import Settings

SQL_TYPES = ("postgres", "sql_database")
FILE_TYPES = ("filesystem", "s3_export")
KINDS = (*SQL_TYPES, "shopify", "google_ads", "facebook_ads", "rest_api", *FILE_TYPES)
"""One asset each; a declaration of the deployment's own belongs to the kind `rest_api`."""


@dataclass(frozen=True)
class Window:
    """Which rows are asked for: all, or those from a cursor on."""

    cursor: str | None = None
    start: Any = None
    lag: timedelta = timedelta(0)
    boundary_again: bool = True
    """Read rows that stand exactly at the cursor again: they may have changed within its resolution. A merge
    leaves those out that have not; appended rows must not come twice, so there dlt tells them by their hashes."""
    lag_in_days: bool = False
    """The cursor is a day: dlt counts its lag in days."""
    maximum_rows: int | None = None
    """A sample's size; None for everything."""

    @property
    def lag_units(self) -> float:
        """The lag in seconds, or in whole days for a cursor that is a day."""
        seconds = self.lag.total_seconds()
        return math.ceil(seconds / 86_400) if self.lag_in_days else seconds


class Source(Protocol):
    """One pipeline's source, connected lazily."""

    secrets: Sequence[str]
    """Values that must not appear in any message."""

    def offered(self, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """What is known of streams (all that there are, when no names are given) before the user speaks."""
        ...

    def resource(self, stream: Stream, window: Window) -> Any:
        """dlt's resource of the stream, with its incremental set from the window."""
        ...

    def check(self) -> str:
        """Connect, and say to what in a sentence without secrets. Raises what the client raises."""
        ...


def open_source(settings: Settings, pipeline: Pipeline) -> Source:
    """The source of a pipeline; nothing is connected yet.

    Raises PipelineError for an unknown type or a connection that lacks something, SecretError.
    """
    if pipeline.source_type in SQL_TYPES:
        from blotout_orchestration.elt.sources.sql import SqlSource

        return SqlSource.of(settings, pipeline)
    if pipeline.source_type in FILE_TYPES:
        from blotout_orchestration.elt.sources.files import FileSource

        return FileSource.of(settings, pipeline)
    from blotout_orchestration.elt.sources.rest import RestSource

    return RestSource.of(settings, pipeline)


def delivers_text(source: Source, stream: Stream) -> bool:
    """Whether the stream's columns come as text whatever they mean: CSV."""
    texts = getattr(source, "delivers_text", None)
    return bool(texts and texts(stream))


def declared_types(source: Source, stream: Stream) -> Mapping[str, DataType]:
    """Columns that the stream's table has whether a record brings them or not, by their names in the lake."""
    declared = getattr(source, "declared_types", None)
    return declared(stream) if declared else {}


def kind_of(source_type: str) -> str:
    """The kind, and so the asset, that a source type belongs to."""
    return source_type if source_type in KINDS else "rest_api"


def incremental_of(window: Window) -> Any:
    """dlt's incremental for a window; None when all rows are asked for.

    Rows without a cursor value are kept: they would be lost for ever otherwise.
    """
    if window.cursor is None:
        return None
    import dlt

    return dlt.sources.incremental(
        window.cursor,
        initial_value=window.start,
        lag=window.lag_units or None,
        primary_key=() if window.boundary_again else None,
        on_cursor_value_missing="include",
    )


def wrong_connection(pipeline: Pipeline, lines: Iterator[str] | Sequence[str]) -> PipelineError:
    """The error for a connection that cannot be meant."""
    return PipelineError("\n  ".join([f"pipeline {pipeline.name}: the connection is not valid:", *lines]))
