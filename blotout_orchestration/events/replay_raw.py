"""Recovering the bad events of one hour from their raw text, where its landed files are gone.

Belongs here: the rows that come of it, and their commits. Which hours are replayed is decided in replay.py.

Order of the commits: a mark in event_hours, core_events, bad_events, event_hours. Whatever kills a replay in
between, the mark stays and the next replay ends it; what is already in core_events is known by its position.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from blotout_orchestration.events.batches import HourFiles, hours_filter
from blotout_orchestration.events.commits import snapshot_properties
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, HOURS_LEDGER, PROCESSOR_VERSION
from blotout_orchestration.events.deduplication import Deduplicated, deduplicate, figures
from blotout_orchestration.events.enrichment import RAW
from blotout_orchestration.events.kernel import connect, flatten_lines
from blotout_orchestration.events.ledger import read_ledger
from blotout_orchestration.events.reader import LINES_SCHEMA
from blotout_orchestration.lake import Lake

BROKEN_FILE = frozenset({"truncated_gzip", "corrupt_gzip", "line_too_long", "event_id_collision"})
"""Reasons whose `raw` holds nothing that a better flattening could read."""
REPLAYING = "replaying"
"""Begins the revision of an hour whose replay is under way: `replaying:<new duplicates>:<digest of what stays bad>`."""
POSITION = ("landing_file", "landing_line", "landing_index")


@dataclass(frozen=True)
class RawReplay:
    """What a replay of one hour would write; `since` is the newest commit of core_events that it has seen."""

    hour: datetime
    since: int
    ledger: dict[str, Any]
    result: Deduplicated
    mark: str
    changes: bool


def mark_as_replaying(lake: Lake, hours: Iterable[datetime], run_id: str, mark: str = REPLAYING) -> None:
    """Note in the ledger that these hours are being replayed, so that a killed replay is seen."""
    where = hours_filter(hours)
    rows = read_ledger(lake, where)
    marks = pa.array([mark] * rows.num_rows, pa.string())
    marked = rows.set_column(rows.schema.get_field_index("revision"), "revision", marks)
    lake.replace(HOURS_LEDGER, marked, where, {"run_id": run_id})


def plan(lake: Lake, hour: datetime) -> RawReplay:
    """Read the hour and flatten its raw events again; writes nothing.

    Read in this order, another replay of the hour that commits meanwhile loses nothing: its recovered rows are
    in core_events before they leave bad_events.
    """
    where = hours_filter([hour])
    since = max(
        (snapshot.sequence_number or 0 for snapshot in lake.ensure(CORE_EVENTS).snapshots()), default=0
    )
    ledger = next(iter(read_ledger(lake, where).to_pylist()), None)
    # Cast: an hour without rows is read with other types of text than one with rows.
    bad = lake.read(BAD_EVENTS, where).cast(BAD_EVENTS.arrow_schema)
    core = lake.read(CORE_EVENTS, where).cast(CORE_EVENTS.arrow_schema)
    hopeless = pc.is_in(bad["reason"], pa.array(sorted(BROKEN_FILE)))
    connection = connect()
    good, refused = _flatten_raw(connection, bad.filter(pc.invert(hopeless)), hour)
    known = set(zip(*(core[name].to_pylist() for name in POSITION), strict=True))
    fresh = [place not in known for place in zip(*(good[name].to_pylist() for name in POSITION), strict=True)]
    together = pa.concat_tables(
        [
            core.append_column(RAW, pa.nulls(core.num_rows, pa.string())),
            good.filter(pa.array(fresh, pa.bool_())),
        ]
    )
    result = deduplicate(connection, together, pa.concat_tables([bad.filter(hopeless), refused]))
    row = ledger or {"files": 0, "bytes": 0, "engine": "duckdb", "revision": "", "events_duplicate": 0}
    found = result.duplicates.get(hour, 0)
    duplicates = row["events_duplicate"] + _of_a_killed_replay(row["revision"], bad) + found
    return RawReplay(
        hour,
        since,
        row | figures(connection, result.core, result.bad).get(hour, {}) | {"events_duplicate": duplicates},
        result,
        f"{REPLAYING}:{duplicates - row['events_duplicate']}:{_digest(result.bad)}",
        changes=row["revision"].startswith(REPLAYING)
        or (result.core.num_rows, _digest(result.bad)) != (core.num_rows, _digest(bad)),
    )


def _of_a_killed_replay(revision: str, bad: pa.Table) -> int:
    """Duplicates that a killed replay had found and taken out of bad_events, but not yet counted."""
    _, _, rest = revision.partition(f"{REPLAYING}:")
    duplicates, _, digest = rest.partition(":")
    return int(duplicates) if digest == _digest(bad) else 0


def commit(lake: Lake, replay: RawReplay, run_id: str) -> bool:
    """Write what was planned; False when another run replaced rows of the hour since they were read."""
    where = hours_filter([replay.hour])
    attempt = uuid.uuid4().hex
    properties = snapshot_properties([HourFiles(replay.hour, [])], attempt, run_id)
    if _is_contested(lake, replay, attempt):
        return False
    mark_as_replaying(lake, [replay.hour], run_id, replay.mark)
    lake.replace(CORE_EVENTS, replay.result.core, where, properties)
    lake.replace(BAD_EVENTS, replay.result.bad, where, properties)
    if _is_contested(lake, replay, attempt):
        return False
    row = replay.ledger | {
        "arrival_hour": replay.hour,
        "revision": _digest(replay.result.core),
        "events_good": replay.result.core.num_rows,
        "events_bad": replay.result.bad.num_rows,
        "run_id": run_id,
        "processed_at": datetime.now(UTC),
    }
    row["events_in"] = row["events_good"] + row["events_bad"] + row["events_duplicate"]
    lake.replace(
        HOURS_LEDGER, pa.Table.from_pylist([row], schema=HOURS_LEDGER.arrow_schema), where, properties
    )
    return True


def _is_contested(lake: Lake, replay: RawReplay, attempt: str) -> bool:
    """Whether another attempt committed rows of this hour after they were read for this one."""
    hour = f"{replay.hour:%Y%m%d%H}"
    for snapshot in lake.ensure(CORE_EVENTS).snapshots():
        properties = snapshot.summary.additional_properties if snapshot.summary else {}
        if (snapshot.sequence_number or 0) <= replay.since or properties.get("attempt") == attempt:
            continue
        ranges = (part.partition("/") for part in properties.get("hours", "").split(",") if part)
        if any(start <= hour < end for start, _, end in ranges):
            return True
    return False


def _digest(rows: pa.Table) -> str:
    """A hash of which events these rows are, whatever their order, and of the flattening."""
    names = [name for name in (*POSITION, "content_hash", "reason") if name in rows.column_names]
    keys = sorted(repr(key) for key in zip(*(rows[name].to_pylist() for name in names), strict=True))
    return hashlib.sha256("\n".join([PROCESSOR_VERSION, *keys]).encode()).hexdigest()[:32]


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
