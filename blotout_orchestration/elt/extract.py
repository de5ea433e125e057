"""One stream out of its source and into Parquet files, by dlt, in a folder that only this run knows.

Belongs here: everything that is dlt's (pipeline, state, normalization). dlt never sees the lake: its files and
its state are handed over, and come into force with the commit of the rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from blotout_orchestration.elt.definition import Stream
from blotout_orchestration.elt.messages import ExtractError, readable
from blotout_orchestration.elt.moments import is_day, same_kind
from blotout_orchestration.elt.sources import Source, Window
from blotout_orchestration.platform.runs import WORKER_TAG, worker_is_gone, worker_of_this_process

SOURCE = "elt"
PROVIDER = "blotout"
DLT_SETTINGS = {
    "runtime": {"dlthub_telemetry": False, "log_level": "CRITICAL"},
    # Batches of other types go to a file of their own; conform.py brings them together.
    "data_writer": {"arrow_concat_promote_options": "default"},
}


@dataclass(frozen=True)
class Extracted:
    """What dlt left: Parquet files in order of arrival, their bytes, the resource's state before and after."""

    files: tuple[Path, ...]
    bytes: int
    state: str | None
    cursor_before: Any
    cursor_after: Any


@contextmanager
def working_folder(root: Path, pipeline: str) -> Iterator[Path]:
    """A folder of this process for one run; what killed runs of the pipeline left is removed."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(f"{pipeline}@*"):
        worker = left.name.partition("@")[2].rpartition("@")[0]
        if worker_is_gone({WORKER_TAG: worker}):
            shutil.rmtree(left, ignore_errors=True)
    folder = root / f"{pipeline}@{worker_of_this_process()}@{id(object()):x}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def extract(
    source: Source, stream: Stream, window: Window, state: str | None, since: Any, folder: Path
) -> Extracted:
    """Read what the window and the state ask for.

    `state` is what the last load left (None: read from the window's start); with `since` it is ignored, and
    rows from there on are read again. Raises ExtractError, with secrets and personal data taken out.
    """
    import dlt
    from dlt.common.json import json as dlt_json

    _settle_dlt()
    before = dlt_json.typed_loads(state) if state else {}
    if since is not None:
        example = _cursor(before, window.cursor)
        window = replace(window, start=same_kind(since, window.start if example is None else example))
    pipeline = dlt.pipeline(
        "stream",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.filesystem(
            bucket_url=(folder / "unused").as_uri(), naming_convention="direct"
        ),
        dataset_name="staging",
    )
    window = replace(window, lag_in_days=is_day(_cursor(before, window.cursor) or window.start))
    if before and since is None and window.cursor:
        with pipeline.managed_state() as pipeline_state:
            resources = {name: _with_window(one, window) for name, one in before.items()}
            pipeline_state["sources"] = {SOURCE: {"resources": resources}}
    try:
        resource = source.resource(stream, window)

        @dlt.source(name=SOURCE, max_table_nesting=0)
        def one_stream() -> Any:
            return resource

        pipeline.extract(one_stream(), write_disposition="append", loader_file_format="parquet")
        pipeline.normalize()
    except Exception as error:
        raise ExtractError(f"stream {stream.name}: {readable(error, source.secrets)}") from None
    files = _files(pipeline, stream)
    found = pipeline.state.get("sources", {}).get(SOURCE, {}).get("resources", {})
    after = _newest(before, dict(found), window.cursor)
    return Extracted(
        files,
        sum(path.stat().st_size for path in files),
        dlt_json.typed_dumps(after) if after else None,
        _cursor(before, window.cursor),
        _cursor(after, window.cursor),
    )


def _settle_dlt() -> None:
    """Make dlt read nothing but this: by itself it takes any variable named like one of its fields.

    A variable `REFRESH` or `DATASET_NAME` of the deployment would change a load, or stop it.
    """
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers import CustomLoaderDocProvider
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    context = Container()[PluggableRunContext].providers
    if [provider.name for provider in context.providers] != [PROVIDER]:
        context.providers = [CustomLoaderDocProvider(PROVIDER, lambda: DLT_SETTINGS)]


def _files(pipeline: Any, stream: Stream) -> tuple[Path, ...]:
    """The stream's Parquet files, in the order in which they were written."""
    found: list[Path] = []
    for load_id in pipeline.list_normalized_load_packages():
        jobs = pipeline.get_load_package_info(load_id).jobs["new_jobs"]
        found += [
            Path(job.file_path)
            for job in jobs
            if job.job_file_info.table_name == stream.table and job.file_path.endswith(".parquet")
        ]
    return tuple(sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))


def _cursor(state: dict[str, Any], cursor: str | None) -> Any:
    """The cursor's value; in a state of several resources (a child and its parent) one has it."""
    for resource in state.values():
        found = resource.get("incremental", {}).get(cursor, {}).get("last_value")
        if found is not None:
            return found
    return None


def _with_window(state: dict[str, Any], window: Window) -> dict[str, Any]:
    """The state with the window's start as its initial value: dlt takes another one for a reset."""
    incremental = dict(state.get("incremental", {}))
    if window.cursor in incremental:
        incremental[window.cursor] = {**incremental[window.cursor], "initial_value": window.start}
    return {**state, "incremental": incremental}


def _newest(before: dict[str, Any], after: dict[str, Any], cursor: str | None) -> dict[str, Any]:
    """The state to keep: a backfill that found only older rows does not move the cursor back."""
    old, new = _cursor(before, cursor), _cursor(after, cursor)
    if old is None:
        return after
    if new is None:
        return before
    try:
        return before if _comparable(old) > _comparable(new) else after
    except TypeError:
        return after


def _comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None) if value.tzinfo is None else value.timestamp()
    return value.isoformat() if isinstance(value, date) else value


def cursor_text(value: Any) -> str | None:
    """A cursor as metadata shows it."""
    if value is None:
        return None
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)
