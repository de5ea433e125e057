"""Flattening hours of arrival into the lake: which are pending, in which batches, committed in which order.

Belongs here: the order of things and the commits. What an hour's rows are is the engines' matter; which files
an hour still needs is decided in ledger.py.
Order of the commits: bad_events, core_events, event_hours. Whatever kills a run in between, the ledger
does not show the hour as done and the next run replaces all three again.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import pyarrow as pa

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.events import ledger
from blotout_orchestration.events.arrival import first_hour, hour_of
from blotout_orchestration.events.batches import (
    BATCH_BYTES,
    HourFiles,
    HourRows,
    batches,
    hours_filter,
)
from blotout_orchestration.events.commits import commit_rows, overtaken
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, EVENT_HOURS, HOURS_LEDGER
from blotout_orchestration.events.kept import KeptRows, kept_rows, together
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import list_landed

Engine = Literal["duckdb", "spark"]
Progress = Callable[[str], None]
_logger = logging.getLogger(__name__)


class UnbalancedHourError(Exception):
    """Input is not good + bad + duplicates: a defect of the flattening, nothing was committed."""


class ContestedHoursError(BlotoutError):
    """Another run replaced the same hours from other files, again and again."""


@dataclass(frozen=True)
class HourResult:
    """What went in and came out of an hour; the fields of event_hours, and the seconds of its batch.

    `kept` means that the hour's landed files are gone and its rows were left as they are.
    """

    hour: datetime
    revision: str
    files: int
    bytes: int
    events_good: int
    events_bad: int
    events_duplicate: int
    events_with_unknown_keys: int
    events_with_type_conflicts: int
    unknown_keys: list[str]
    first_event_datetime: datetime | None
    last_event_datetime: datetime | None
    engine: str
    seconds: float = field(default=0.0, compare=False)
    kept: bool = False

    @property
    def events_in(self) -> int:
        """Events and unreadable lines found."""
        return self.events_good + self.events_bad + self.events_duplicate


def pending_hours(
    lake: Lake, *, since: datetime | None = None, until: datetime | None = None
) -> list[datetime]:
    """Landed hours in [since, until) that the ledger does not show as done with their present files.

    Hours that have not come yet are left out, and those before EVENTS_START_HOUR, or without it more than ten
    years back: they are no partitions. An hour that has lost files since it was processed is pending
    only for files never seen before: landing may be expired.
    """
    start = first_hour(lake.settings)
    since = max(since, start) if since else start
    end = hour_of(datetime.now(UTC)) + timedelta(hours=1)
    until = min(until, end) if until else end
    landed = list_landed(lake.layer("landing")).items()
    wanted = {hour: files for hour, files in landed if since <= hour < until}
    return ledger.pending(lake, wanted)


def flatten_hours(
    lake: Lake,
    hours: Iterable[datetime],
    *,
    engine: Engine,
    run_id: str,
    progress: Progress | None = None,
    batch_bytes: int | None = None,
) -> list[HourResult]:
    """Flatten the hours' landed files and replace exactly these hours in the lake.

    Each hour is listed once, and at most `batch_bytes` of stored files are flattened and committed
    together; a file that appears meanwhile leaves the hour pending. An hour that has lost files since it was
    processed keeps its rows, and those of new files are added. Raises `UnbalancedHourError` before any commit
    of a batch whose input is not good + bad + duplicates, `ContestedHoursError` when another run keeps
    replacing the same hours.
    """
    say = progress or _logger.info
    wanted = sorted({hour.astimezone(UTC) for hour in hours})
    for spec in (BAD_EVENTS, CORE_EVENTS, HOURS_LEDGER):
        lake.ensure(spec)
    landed = list_landed(lake.layer("landing"), wanted)
    past = ledger.pasts(lake, wanted)
    todo = _to_flatten(lake, landed, past, engine, run_id)
    results = _left_alone(past, set(wanted) - {hour.hour for hour in todo}, engine, say)
    total, done = len(todo), 0
    for batch in batches(todo, batch_bytes or BATCH_BYTES[engine]):
        results += _flatten_batch(lake, batch, engine, run_id, say)
        done += len(batch)
        events = sum(result.events_in for result in results)
        say(f"flattened {done} of {total} hours, {events} events so far")
    return sorted(results, key=lambda result: result.hour)


def _to_flatten(
    lake: Lake, landed: ledger.Landed, past: dict[datetime, ledger.Past], engine: Engine, run_id: str
) -> list[HourFiles]:
    """What is to be flattened; a raw replay of an hour that was killed is ended before rows are added to it."""
    from blotout_orchestration.events import replay

    todo = ledger.to_flatten(landed, past)
    killed = [hour.hour for hour in todo if hour.earlier and replay.is_unfinished(past[hour.hour].revision)]
    if not killed:
        return todo
    for hour in killed:
        replay.replay_from_raw(lake, hour, run_id, engine)
    return ledger.to_flatten(landed, past | ledger.pasts(lake, killed))


def _left_alone(
    past: dict[datetime, ledger.Past], hours: set[datetime], engine: Engine, say: Progress
) -> list[HourResult]:
    """Hours of which nothing is flattened: without files, or with rows of files that are gone."""
    kept = [hour for hour in hours if past[hour].revision is not None]
    if kept:
        say(f"{len(kept)} processed hours have lost landed files since: their rows are kept")
    return [
        HourResult(
            hour, past[hour].revision or "", 0, 0, 0, 0, 0, 0, 0, [], None, None, engine, kept=hour in kept
        )
        for hour in hours
    ]


def _flatten_batch(
    lake: Lake, batch: list[HourFiles], engine: Engine, run_id: str, say: Progress
) -> list[HourResult]:
    for _ in range(3):
        began, started = datetime.now(UTC), time.monotonic()
        attempt = uuid.uuid4().hex
        kept = kept_rows(lake, batch)
        rows = _rows(lake, batch, kept.keys, engine, attempt)
        results = _results(batch, rows, kept, engine, time.monotonic() - started)
        commit_rows(lake, batch, rows, attempt, run_id)
        if not overtaken(lake, batch, attempt, began):
            _write_ledger(lake, batch, results, run_id)
            if not overtaken(lake, batch, attempt, began):
                return results
        say("another run replaced the same hours from other files: flattening them again")
        hours = [hour.hour for hour in batch]
        landed = list_landed(lake.layer("landing"), hours)
        batch = _to_flatten(lake, landed, ledger.pasts(lake, hours), engine, run_id)
        if not batch:
            return results
    raise ContestedHoursError(
        f"another run keeps replacing hours from {batch[0].hour:%Y-%m-%dT%H} on with other files;"
        " they stay pending: run them again when it has ended"
    )


def _rows(
    lake: Lake, batch: list[HourFiles], kept: pa.Table | None, engine: Engine, attempt: str
) -> HourRows:
    if engine == "spark":
        from blotout_orchestration.events import spark_engine

        return spark_engine.flatten_batch(lake, batch, attempt, kept)
    from blotout_orchestration.events import duckdb_engine

    target = f"{lake.ensure(CORE_EVENTS).location()}/data/{attempt}"
    return duckdb_engine.flatten_batch(lake.layer("landing"), batch, target, kept)


def _results(
    batch: list[HourFiles], rows: HourRows, kept: KeptRows, engine: Engine, seconds: float
) -> list[HourResult]:
    ended = rows.duplicates.total() + sum(
        counts["events_good"] + counts["events_bad"] for counts in rows.figures.values()
    )
    if ended != rows.found:
        raise UnbalancedHourError(
            f"{rows.found} events and lines went in, {ended} came out as good, bad or duplicate, in the hours "
            f"{batch[0].hour:%Y-%m-%d %H} to {batch[-1].hour:%Y-%m-%d %H}; nothing was committed"
        )
    results = []
    for hour in batch:
        counts = together(rows.figures.get(hour.hour, {}), kept.figures.get(hour.hour))
        earlier = hour.earlier.duplicates if hour.earlier else 0
        results.append(
            HourResult(
                hour=hour.hour,
                revision=hour.revision,
                files=len(hour.all_files),
                bytes=sum(file.size for file in hour.all_files),
                events_good=counts.get("events_good", 0),
                events_bad=counts.get("events_bad", 0),
                events_duplicate=rows.duplicates[hour.hour] + earlier,
                events_with_unknown_keys=counts.get("events_with_unknown_keys", 0),
                events_with_type_conflicts=counts.get("events_with_type_conflicts", 0),
                unknown_keys=counts.get("unknown_keys", []),
                first_event_datetime=counts.get("first_event_datetime"),
                last_event_datetime=counts.get("last_event_datetime"),
                engine=engine,
                seconds=round(seconds, 3),
            )
        )
    return results


def _write_ledger(lake: Lake, batch: list[HourFiles], results: list[HourResult], run_id: str) -> None:
    now = datetime.now(UTC)
    names = set(EVENT_HOURS.arrow_schema.names)
    rows = [
        {
            **{name: value for name, value in vars(result).items() if name in names},
            "arrival_hour": result.hour,
            "events_in": result.events_in,
            "run_id": run_id,
            "processed_at": now,
            "landed_files": ledger.noted_files(hour.all_files),
        }
        for hour, result in zip(batch, results, strict=True)
    ]
    table = pa.Table.from_pylist(rows, schema=HOURS_LEDGER.arrow_schema)
    where = hours_filter(result.hour for result in results)
    lake.replace(HOURS_LEDGER, table, where, {"run_id": run_id})
