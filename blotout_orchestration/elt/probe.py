"""Trying a pipeline out: does its source answer, and what do its streams look like. Writes nothing.

Belongs here: the sample, with everybody's data masked. `blotout pipelines test` prints it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from blotout_orchestration.elt.conform import column_names
from blotout_orchestration.elt.extract import extract
from blotout_orchestration.elt.inference import infer_types
from blotout_orchestration.elt.messages import ExtractError, readable
from blotout_orchestration.elt.run import chosen_streams
from blotout_orchestration.elt.sources import Window, delivers_text, open_source
from blotout_orchestration.elt.types import lake_type, type_name
from blotout_orchestration.errors import BlotoutError

if TYPE_CHECKING:
    from blotout_orchestration.elt.definition import Stream
    from blotout_orchestration.elt.sources import Source
    from blotout_orchestration.platform.registry import Pipeline
    from blotout_orchestration.settings import Settings

SAMPLE_ROWS = 5
_SHOWN_COLUMNS = 12


def probe(settings: Settings, pipeline: Pipeline) -> Sequence[str]:
    """Connect, read at most 5 rows of each stream, and tell what came, a line each, texts masked.

    Raises PipelineError and SecretError for a definition that cannot be meant, ExtractError when the source or
    every stream of it refuses.
    """
    source = open_source(settings, pipeline)
    try:
        lines = [source.check()]
    except BlotoutError:
        raise
    except Exception as error:
        raise ExtractError(f"pipeline {pipeline.name}: {readable(error, source.secrets)}") from None
    streams = chosen_streams(source, pipeline)
    failures = 0
    for stream in streams:
        try:
            lines += _sampled(source, stream)
        except BlotoutError as error:
            failures += 1
            lines.append(f"{error}")
    if failures == len(streams):
        raise ExtractError("\n".join(lines))
    return lines


def _sampled(source: Source, stream: Stream) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="blotout-probe-") as folder:
        incremental = stream.sync == "incremental"
        window = Window(
            stream.cursor if incremental else None,
            stream.start if incremental else None,
            maximum_rows=SAMPLE_ROWS,
        )
        found = extract(source, stream, window, None, None, Path(folder))
        names = column_names(found.files)
        rows: list[dict[str, Any]] = []
        kinds: dict[str, str] = {}
        for path in found.files:
            table = pq.read_table(path).slice(0, SAMPLE_ROWS - len(rows))
            for field in table.schema:
                kind = lake_type(field.type)
                if field.name in names and kind is not None:
                    kinds.setdefault(names[field.name], type_name(kind))
            rows += [
                {names[key]: value for key, value in row.items() if key in names} for row in table.to_pylist()
            ]
        if delivers_text(source, stream):
            found_kinds = infer_types(found.files, list(names))
            kinds |= {names[name]: type_name(kind) for name, kind in found_kinds.items()}
    listed = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    lines = [f"stream {stream.name}: {len(rows)} rows read; columns: {listed or 'none, there are no rows'}"]
    for row in rows:
        shown = list(row.items())[:_SHOWN_COLUMNS]
        more = ", ..." if len(row) > len(shown) else ""
        lines.append("  " + ", ".join(f"{name}={mask(value)}" for name, value in shown) + more)
    return lines


def mask(value: Any) -> str:
    """A value as a sample may show it: figures and times as they are, of a text its shape only.

    `Bob Norman` -> `Xxx Xxxxxx`, `a@b.example` -> `x@x.xxxxxxx`, long texts by their length. Numbers of seven
    digits and more may be phone numbers or ids of people: only how many digits they have.
    """
    if value is None or isinstance(value, bool):
        return str(value).lower() if value is not None else "null"
    if isinstance(value, (int, float)) or type(value).__name__ == "Decimal":
        return str(value) if abs(value) < 1_000_000 else "9" * len(str(abs(int(value))))
    if isinstance(value, (bytes, list, dict)):
        return f"<{type(value).__name__}>"
    if not isinstance(value, str):
        return str(value)
    if len(value) > 40:
        return f"<text of {len(value)} characters>"
    return "".join(
        "9" if one.isdigit() else "X" if one.isupper() else "x" if one.isalpha() else one for one in value
    )
