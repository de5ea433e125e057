"""Running bad events again after a fix.

Belongs here: choosing the hours, and recovering events from `bad_events.raw` where the landed files are
gone. Where they are still there, the hour is simply flattened again.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import BooleanExpression

from blotout_orchestration.events import duckdb_engine
from blotout_orchestration.events.batches import BATCH_BYTES, HourFiles, batches, hours_filter
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.events.deduplication import deduplicate, figures
from blotout_orchestration.events.enrichment import RAW
from blotout_orchestration.events.kernel import connect, flatten_lines
from blotout_orchestration.events.processing import Engine, flatten_hours
from blotout_orchestration.events.reader import LINES_SCHEMA
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import list_landed

BROKEN_FILE = frozenset({"truncated_gzip", "corrupt_gzip", "line_too_long", "event_id_collision"})
"""Reasons whose `raw` holds nothing that a better flattening could read."""
_POSITION = ("landing_file", "landing_line", "landing_index")


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

    A dry run says what would become of them and changes nothing.
    """
    where = hours_filter(hours) if hours is not None else None
    bad = lake.read(BAD_EVENTS, where)
    if reason is not None:
        chosen = set(bad.filter(pc.equal(bad["reason"], reason))["arrival_hour"].to_pylist())
        bad = bad.filter(pc.is_in(bad["arrival_hour"], pa.array(chosen, bad["arrival_hour"].type)))
    report = ReplayReport(dry_run, before=Counter(bad["reason"].to_pylist()))
    wanted = sorted(set(bad["arrival_hour"].to_pylist()))
    if not wanted:
        return report
    landed = list_landed(lake.layer("landing"), wanted)
    expected = {row["arrival_hour"]: row["files"] for row in lake.read(EVENT_HOURS).to_pylist()}
    complete = [hour for hour in wanted if len(landed.get(hour, [])) >= expected.get(hour, 1)]
    report.hours_from_landing = complete
    report.hours_from_raw = [hour for hour in wanted if hour not in set(complete)]
    if dry_run:
        todo = [HourFiles(hour, landed[hour]) for hour in complete]
        for batch in batches(todo, BATCH_BYTES["duckdb"]):
            rows = duckdb_engine.flatten_batch(lake.layer("landing"), batch)
            report.after.update(rows.bad["reason"].to_pylist())
    elif complete:
        flatten_hours(lake, complete, engine=engine, run_id=run_id, progress=progress)
        report.after.update(lake.read(BAD_EVENTS, hours_filter(complete))["reason"].to_pylist())
    for hour in report.hours_from_raw:
        still_bad = _replay_from_raw(lake, hour, run_id, dry_run)
        report.after.update(still_bad["reason"].to_pylist())
        if progress:
            progress(f"{hour:%Y-%m-%d %H}: landed files are gone, replayed from the raw events")
    return report


def _replay_from_raw(lake: Lake, hour: datetime, run_id: str, dry_run: bool) -> pa.Table:
    """Replay one hour whose landed files are gone; the rows that stay bad.

    core_events is replaced before bad_events, so that a killed replay is simply done again: what is already
    in core_events is recognised by its position, and nothing is in neither.
    """
    where = hours_filter([hour])
    bad = lake.read(BAD_EVENTS, where)
    core = lake.read(CORE_EVENTS, where)
    hopeless = pc.is_in(bad["reason"], pa.array(sorted(BROKEN_FILE)))
    kept, again = bad.filter(hopeless), bad.filter(pc.invert(hopeless))
    connection = connect()
    good, refused = _flatten_raw(connection, again, hour)
    known = set(zip(*(core[name].to_pylist() for name in _POSITION), strict=True))
    fresh = [
        position not in known
        for position in zip(*(good[name].to_pylist() for name in _POSITION), strict=True)
    ]
    good = good.filter(pa.array(fresh, pa.bool_()))
    together = pa.concat_tables([core.append_column(RAW, pa.nulls(core.num_rows, pa.string())), good])
    result = deduplicate(connection, together, pa.concat_tables([kept, refused]))
    if dry_run:
        return result.bad
    counts = figures(connection, result.core, result.bad)
    properties = {"run_id": run_id, "replayed": hour.isoformat()}
    _write_ledger_row(lake, hour, where, result, counts.get(hour, {}), properties)
    return result.bad


def _write_ledger_row(
    lake: Lake,
    hour: datetime,
    where: BooleanExpression,
    result: Any,
    counts: dict[str, Any],
    properties: dict[str, str],
) -> None:
    before = lake.read(EVENT_HOURS, where).to_pylist()
    row = before[0] if before else {"files": 0, "bytes": 0, "engine": "duckdb", "revision": ""}
    # Recovered rows first: killed between the two, an event is in both and the next replay recognises it.
    lake.replace(CORE_EVENTS, result.core, where, properties)
    lake.replace(BAD_EVENTS, result.bad, where, properties)
    now = datetime.now(UTC)
    row |= counts | {
        "arrival_hour": hour,
        "revision": hashlib.sha256(f"{row['revision']}|{now.isoformat()}".encode()).hexdigest()[:32],
        "run_id": properties["run_id"],
        "processed_at": now,
    }
    row["events_duplicate"] = (row.get("events_duplicate") or 0) + result.duplicates.get(hour, 0)
    row["events_in"] = row["events_good"] + row["events_bad"] + row["events_duplicate"]
    lake.replace(EVENT_HOURS, pa.Table.from_pylist([row], schema=EVENT_HOURS.arrow_schema), where, properties)


def _flatten_raw(connection: Any, bad: pa.Table, hour: datetime) -> tuple[pa.Table, pa.Table]:
    """The kernel over raw lines and raw events, with their old positions; (good, still refused).

    An event without its request comes back without the request's meta and headers.
    """
    rows = bad.to_pylist()
    lines, unreadable = [], []
    for number, row in enumerate(rows):
        text = _text(row)
        if text is None:
            unreadable.append(row)
            continue
        line = text if row["landing_index"] is None else f'{{"events":[{text}]}}'
        lines.append(
            {"arrival_hour": hour, "landing_file": row["landing_file"], "landing_line": number, "line": line}
        )
    flattened = flatten_lines(connection, pa.Table.from_pylist(lines, schema=LINES_SCHEMA))
    good = [_at_position(row, rows) for row in flattened.good.to_pylist()]
    refused = [
        {**rows[row["landing_line"]], "processor_version": row["processor_version"]}
        | ({} if rows[row["landing_line"]]["landing_index"] is not None else _refusal(row))
        for row in flattened.bad.to_pylist()
    ]
    return (
        pa.Table.from_pylist(good, schema=flattened.good.schema),
        pa.Table.from_pylist(refused + unreadable, schema=BAD_EVENTS.arrow_schema),
    )


def _text(row: dict[str, Any]) -> str | None:
    if row["raw_encoding"] != "base64":
        return str(row["raw"]).replace("\n", " ")
    try:
        return base64.b64decode(row["raw"]).decode("utf-8").replace("\n", " ")
    except ValueError:
        return None


def _at_position(row: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    old = rows[row["landing_line"]]
    index = row["landing_index"] if old["landing_index"] is None else old["landing_index"]
    return {**row, "landing_line": old["landing_line"], "landing_index": index}


def _refusal(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("reason", "detail", "landing_index", "raw", "raw_encoding")}
