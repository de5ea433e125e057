"""One run of one pipeline: every stream extracted, conformed and committed by itself, then the feeds.

Belongs here: the order of things. A stream that fails holds up no other; the run is red all the same. Killed
at any moment, the next run begins where the last commit of each stream left it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from blotout_orchestration.elt.commit import Load, commit
from blotout_orchestration.elt.conform import column_names, conform
from blotout_orchestration.elt.definition import PipelineError, Stream, streams_of
from blotout_orchestration.elt.extract import cursor_text, extract, working_folder
from blotout_orchestration.elt.feeds import feed_source
from blotout_orchestration.elt.messages import ExtractError, readable, unforeseen
from blotout_orchestration.elt.report import LoadReport, StreamReport
from blotout_orchestration.elt.sources import Source, Window, declared_types, delivers_text, open_source
from blotout_orchestration.elt.stream_tables import held_columns, load_table, read_state
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import Pipeline
from blotout_orchestration.settings import Settings

Progress = Callable[[str], None]


class LoadError(BlotoutError):
    """Some streams of a pipeline were not loaded; `report` says what became of each."""

    def __init__(self, report: LoadReport) -> None:
        """All failures of the run in one message."""
        self.report = report
        lines = [f"{stream.error}" for stream in report.failed]
        count = f"{len(lines)} of {len(report.streams)} streams of pipeline {report.pipeline} failed:"
        super().__init__("\n".join([count, *lines]))


def parse_backfill(text: str | None) -> datetime | int | None:
    """Where a backfill begins: a moment (UTC unless it has an offset), a date, or a whole number.

    Raises PipelineError for anything else.
    """
    if text is None or not text.strip():
        return None
    if text.strip().lstrip("-").isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise PipelineError(
            f"backfill_from {text!r} is neither a date, a moment (2026-03-05T17:00) nor a whole number"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def schema_of(settings: Settings, pipeline: Pipeline) -> str:
    """Schema of a pipeline's tables: `{source_name}_{env}`."""
    return pipeline.namespace(settings.environment)


def load_pipeline(
    settings: Settings,
    lake: Lake,
    pipeline: Pipeline,
    run_id: str,
    progress: Progress,
    *,
    full_refresh: bool = False,
    backfill_from: datetime | int | None = None,
    only: Sequence[str] = (),
) -> LoadReport:
    """Load every stream of a pipeline (or `only` some) and bring the contract tables up to date.

    `full_refresh` reads everything anew and replaces the tables; `backfill_from` reads incremental streams
    again from that cursor value on. Raises LoadError when a stream failed (the others are loaded),
    PipelineError and SecretError when the definition cannot be meant.
    """
    source = open_source(settings, pipeline)
    streams = chosen_streams(source, pipeline, only)
    schema = schema_of(settings, pipeline)
    reports = []
    with working_folder(settings.blotout_home.absolute() / "elt", pipeline.name) as folder:
        for number, stream in enumerate(streams, start=1):
            progress(f"{pipeline.name}: stream {stream.name} ({number} of {len(streams)})")
            loader = _StreamLoader(lake, source, pipeline, schema, run_id, folder / stream.table)
            report = loader.load(stream, full_refresh, backfill_from)
            outcome = report.error or f"{report.rows_added:,} rows in {report.seconds:.1f} s"
            progress(f"{pipeline.name}: stream {stream.name}: {outcome}")
            reports.append(report)
    source_name = schema.removesuffix(f"_{settings.environment}")
    feeds = feed_source(lake, schema, source_name, run_id)
    for name, count in feeds.items():
        progress(f"{pipeline.name}: {name} has {count:,} rows of {source_name}")
    result = LoadReport(pipeline.name, schema, tuple(reports), feeds)
    if result.failed:
        raise LoadError(result)
    return result


def chosen_streams(source: Source, pipeline: Pipeline, only: Sequence[str] = ()) -> tuple[Stream, ...]:
    """The streams of a run. Raises PipelineError, and ExtractError when the source cannot be asked."""
    names = [stream.name for stream in pipeline.streams]
    try:
        offered = source.offered(names)
    except BlotoutError:
        raise
    except Exception as error:
        raise ExtractError(f"pipeline {pipeline.name}: {readable(error, source.secrets)}") from None
    streams = streams_of(pipeline, offered)
    unknown = sorted(set(only) - {stream.name for stream in streams})
    if unknown:
        raise PipelineError(f"pipeline {pipeline.name} has no stream {', '.join(unknown)}")
    return tuple(stream for stream in streams if not only or stream.name in only)


class _StreamLoader:
    """One stream of one run."""

    def __init__(
        self, lake: Lake, source: Source, pipeline: Pipeline, schema: str, run_id: str, folder: Path
    ) -> None:
        self.lake, self.source, self.pipeline = lake, source, pipeline
        self.schema, self.run_id, self.folder = schema, run_id, folder

    def load(self, stream: Stream, full_refresh: bool, since: datetime | int | None) -> StreamReport:
        """The stream's report. Whatever ended it is in there, so that the other streams and the feeds go on."""
        started = time.monotonic()
        try:
            return self._load(stream, full_refresh, since, started)
        except BlotoutError as error:
            text = str(error)
        except Exception as error:
            reason = unforeseen(error, self.source.secrets)
            text = f"stream {stream.name}: {reason}; run the pipeline again, what was committed stays"
        return StreamReport(stream.name, stream.table, error=text, seconds=time.monotonic() - started)

    def _load(
        self, stream: Stream, full_refresh: bool, since: datetime | int | None, started: float
    ) -> StreamReport:
        table = load_table(self.lake, self.schema, stream.table)
        state = read_state(table)
        incremental = stream.sync == "incremental"
        merges = stream.disposition == "merge"
        window = Window(stream.cursor, stream.start, stream.lag, merges) if incremental else Window()
        known = state.resource if incremental and not full_refresh else None
        again = since if incremental and not full_refresh else None
        self.folder.mkdir(parents=True, exist_ok=True)
        found = extract(self.source, stream, window, known, again, self.folder)
        names = column_names(found.files, state.names)
        declared = declared_types(self.source, stream)
        texts = delivers_text(self.source, stream)
        stream = stream.named({**state.names, **names})
        rows = conform(
            stream.name,
            found.files,
            names,
            held_columns(table),
            stream.contract,
            stream.keys,
            self.folder / "rows",
            texts=texts,
            declared=declared,
        )
        before, after = cursor_text(found.cursor_before), cursor_text(found.cursor_after)
        if table is None and not rows.columns:
            # A source without rows says nothing of its columns: the table is made with the first ones.
            return StreamReport(stream.name, stream.table, seconds=time.monotonic() - started)
        load = Load(
            schema=self.schema,
            stream=stream,
            pipeline=self.pipeline.name,
            load_id=uuid.uuid4().hex,
            run_id=self.run_id,
            loaded_at=datetime.now(UTC),
            previous_load_id=state.load_id,
            state=found.state,
            mapping=mapping_of(stream),
            names=state.names | {name: lake for name, lake in names.items() if name != lake},
            replaces=full_refresh or stream.disposition == "overwrite",
            since=again,
        )
        done = commit(self.lake, load, rows)
        return StreamReport(
            stream.name,
            stream.table,
            rows_read=rows.rows_read,
            rows_added=done.rows_added,
            rows_replaced=done.rows_replaced,
            rows_deleted=done.rows_deleted,
            rows_unchanged=done.rows_unchanged,
            rows_discarded=rows.rows_discarded,
            values_discarded=rows.values_discarded,
            rows_in_table=done.rows_in_table,
            bytes=found.bytes,
            new_columns=tuple(rows.new_columns),
            widened_columns=tuple(dict.fromkeys(rows.widened_columns)),
            missing_columns=tuple(rows.missing_columns),
            cursor_before=before,
            cursor_after=after,
            seconds=time.monotonic() - started,
        )


def mapping_of(stream: Stream) -> str:
    """What the stream's table feeds, as its properties keep it."""
    said = stream.model_dump(
        mode="json", include={"name", "primary_key", "id_mapping", "event_map", "profile_map", "spend_map"}
    )
    return json.dumps(said, sort_keys=True)
