"""Running bad events again after a fix.

Belongs here: choosing the hours, and how each is replayed: flattened again where its landed files are still
there, recovered from `bad_events.raw` (replay_raw.py) where they are gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from blotout_orchestration.errors import UsageError
from blotout_orchestration.events import duckdb_engine, ledger, replay_raw
from blotout_orchestration.events.batches import BATCH_BYTES, HourFiles, batches, hours_filter
from blotout_orchestration.events.contract import BAD_EVENTS, BAD_REASONS, EVENT_HOURS
from blotout_orchestration.events.processing import ContestedHoursError, Engine, flatten_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import list_landed

_TRIES = 5


@dataclass
class ReplayReport:
    """Bad events of the hours by reason, before and after; `recovered` became rows or known duplicates."""

    dry_run: bool
    hours_from_landing: list[datetime] = field(default_factory=list)
    hours_from_raw: list[datetime] = field(default_factory=list)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)

    @property
    def recovered(self) -> int:
        """How many bad events are bad no longer."""
        return self.before.total() - self.after.total()


def replay_bad(
    lake: Lake,
    *,
    hours: Iterable[datetime] | None = None,
    reason: str | None = None,
    dry_run: bool = True,
    engine: Engine = "duckdb",
    run_id: str = "replay-bad",
    progress: Callable[[str], None] | None = None,
) -> ReplayReport:
    """Flatten the hours that hold bad events again: all of them, or those given, or with one reason.

    Hours whose replay was killed are always among them. A dry run says what would become of them and changes
    nothing. Raises `ContestedHoursError` when other runs keep replacing an hour, UsageError for a reason that
    no event is refused for.
    """
    if reason is not None:
        check_reason(reason, lake)
    given = set(hours) if hours is not None else None
    if given is not None and not given:
        return ReplayReport(dry_run)
    bad = lake.read(BAD_EVENTS, hours_filter(given) if given is not None else None)
    if reason is not None:
        chosen = set(bad.filter(pc.equal(bad["reason"], reason))["arrival_hour"].to_pylist())
        bad = bad.filter(pc.is_in(bad["arrival_hour"], pa.array(chosen, bad["arrival_hour"].type)))
    report = ReplayReport(dry_run, before=Counter(bad["reason"].to_pylist()))
    unfinished = _unfinished(lake) if given is None else _unfinished(lake) & given
    wanted = sorted(set(bad["arrival_hour"].to_pylist()) | unfinished)
    if not wanted:
        return report
    landed = list_landed(lake.layer("landing"), wanted)
    past = ledger.pasts(lake, wanted)
    complete = [hour for hour in wanted if hour in landed and not past[hour].has_lost(landed[hour])]
    report.hours_from_landing = complete
    report.hours_from_raw = [hour for hour in wanted if hour not in set(complete)]
    if dry_run:
        todo = [HourFiles(hour, landed[hour]) for hour in complete]
        for batch in batches(todo, BATCH_BYTES["duckdb"]):
            rows = duckdb_engine.flatten_batch(lake.layer("landing"), batch, None)
            report.after.update(rows.bad["reason"].to_pylist())
    elif complete:
        _flatten_again(lake, complete, engine, run_id, progress)
        report.after.update(lake.read(BAD_EVENTS, hours_filter(complete))["reason"].to_pylist())
    for hour in report.hours_from_raw:
        if dry_run:
            still_bad = replay_raw.plan(lake, hour).result.bad
        else:
            still_bad = replay_from_raw(lake, hour, run_id, engine)
        report.after.update(still_bad["reason"].to_pylist())
        if progress:
            progress(f"{hour:%Y-%m-%d %H}: landed files are gone, replayed from the raw events")
    return report


def replay_from_raw(lake: Lake, hour: datetime, run_id: str, engine: Engine) -> pa.Table:
    """Replay one hour until nobody else has replaced it meanwhile; the rows that stay bad.

    Raises `ContestedHoursError` when other runs keep replacing the hour.
    """
    for _ in range(_TRIES):
        replay = replay_raw.plan(lake, hour)
        if not replay.changes or replay_raw.commit(lake, replay, run_id):
            return replay.result.bad
        if _is_landed(lake, hour):
            _flatten_again(lake, [hour], engine, run_id, None)
            return lake.read(BAD_EVENTS, hours_filter([hour]))
    raise ContestedHoursError(
        f"other runs keep replacing the hour {hour:%Y-%m-%dT%H}; replay it again when they have ended"
    )


def check_reason(reason: str, lake: Lake | None) -> None:
    """Raise UsageError for a reason that neither this version knows nor, when a lake is given, `bad_events`."""
    known = set(BAD_REASONS)
    if lake is not None and reason not in known:
        known |= set(lake.read(BAD_EVENTS, columns=("reason",))["reason"].to_pylist())
    if reason not in known:
        raise UsageError(
            f"--reason {reason}: nothing is refused for it; the reasons are {', '.join(sorted(known))}"
        )


def _flatten_again(
    lake: Lake, hours: list[datetime], engine: Engine, run_id: str, progress: Callable[[str], None] | None
) -> None:
    """Flatten landed hours; the mark makes them pending until that is done, even when this run is killed."""
    replay_raw.mark_as_replaying(lake, hours, run_id)
    flatten_hours(lake, hours, engine=engine, run_id=run_id, progress=progress)


def _is_landed(lake: Lake, hour: datetime) -> bool:
    """Whether every file that the hour was made from lies in the landing layer."""
    landed = list_landed(lake.layer("landing"), [hour])
    return hour in landed and not ledger.pasts(lake, [hour])[hour].has_lost(landed[hour])


def replayable_hours(lake: Lake, first: datetime, last: datetime) -> list[datetime]:
    """Hours from `first` to `last`, both included, that hold bad events or whose replay was killed."""
    bad = lake.read(BAD_EVENTS, columns=("arrival_hour",))["arrival_hour"].unique().to_pylist()
    return sorted(hour for hour in {*bad, *_unfinished(lake)} if first <= hour <= last)


def _unfinished(lake: Lake) -> set[datetime]:
    """Hours whose replay was killed."""
    rows = lake.read(EVENT_HOURS, columns=("arrival_hour", "revision")).to_pylist()
    return {row["arrival_hour"] for row in rows if is_unfinished(row["revision"])}


def is_unfinished(revision: str | None) -> bool:
    """Whether the revision of an hour says that its replay has not ended."""
    return revision is not None and revision.startswith(replay_raw.REPLAYING)
