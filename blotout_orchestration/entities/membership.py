"""Segment membership through time: who entered, who left, in one commit a run.

Belongs here: computing the members, and the difference to what the table holds. A segment that cannot be
computed, or that the registry never heard of, keeps its members as they are; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blotout_orchestration.entities.contract import SEGMENT_MEMBERSHIP
from blotout_orchestration.entities.definitions import SegmentDefinition
from blotout_orchestration.entities.fields import DefinitionError
from blotout_orchestration.entities.registry import Version, held_versions
from blotout_orchestration.entities.segment_sql import compile_segment
from blotout_orchestration.entities.warehouse import Published, open_published
from blotout_orchestration.errors import UsageError
from blotout_orchestration.id_graph.contract import ID_GRAPH_MERGES
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.merge_on_read import ConcurrentChangeError
from blotout_orchestration.platform.warehouse_reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterable

TRIES = 5
_PEOPLE = pa.schema([("global_user_id", pa.string())])
_MEMBERS = pa.schema([("segment", pa.string()), ("version", pa.int64()), *_PEOPLE])


@dataclass(frozen=True)
class SegmentChange:
    """What a run did to one segment: people now, people that entered and left."""

    segment: str
    version: int | None
    members: int
    entered: int
    left: int


@dataclass
class MembershipResult:
    """A run's outcome: the state of the data, each segment's change, and why others could not be computed."""

    as_of: datetime
    changes: list[SegmentChange] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    moved: int = 0


def failure_text(error: Exception) -> str:
    """Why an entity could not be computed. A query's own message may quote people's values: its kind only."""
    if isinstance(error, DefinitionError):
        return str(error)
    return f"the query failed in the warehouse ({type(error).__name__}); `preview` shows its message"


def update_membership(
    lake: Lake,
    *,
    run_id: str,
    as_of: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> MembershipResult:
    """Bring `segment_membership` to the state of the warehouse; the same data changes nothing.

    People whose id was merged into another keep their stay under the new id. Members of a removed segment
    leave; those of a segment without a trace in the registry stay, and it is a failure. Raises UsageError
    when `as_of` lies before a change that the table already holds.
    """
    held = held_versions(lake.settings, "segment")
    segments = [version for version in held if not version.is_deleted]
    names = [version.name for version in held]
    with open_published(lake.settings, as_of) as published:
        result = MembershipResult(published.as_of)
        members = _members(published, segments, result, progress)
    for attempt in range(1, TRIES + 1):
        try:
            _write(lake, members, segments, names, result, run_id, explicit=as_of is not None)
            break
        except ConcurrentChangeError:
            if attempt == TRIES:
                raise
    lake.rewrite_if_fragmented(SEGMENT_MEMBERSHIP, {"run_id": run_id})
    return result


def members(published: Published, definition: SegmentDefinition) -> pa.Array:
    """The `global_user_id` of everybody in a segment. Raises DefinitionError, ReaderError or duckdb.Error."""
    published.load("people", compile_segment(definition, published.columns, published.as_of), _PEOPLE)
    return published.connection.sql("from people").to_arrow_table().column(0).combine_chunks()


def _members(
    published: Published,
    segments: Iterable[Version],
    result: MembershipResult,
    progress: Callable[[str], None],
) -> pa.Table:
    import duckdb

    found = [_MEMBERS.empty_table()]
    for version in segments:
        try:
            definition = version.definition()
            assert isinstance(definition, SegmentDefinition)
            people = members(published, definition)
        except (DefinitionError, ReaderError, duckdb.Error) as error:
            result.failures[version.name] = failure_text(error)
            progress(f"segment {version.name} could not be computed")
            continue
        names, numbers = [version.name] * len(people), [version.number] * len(people)
        found.append(pa.table([names, numbers, people.cast(pa.string())], schema=_MEMBERS))
        progress(f"segment {version.name}: {len(people):,} people")
    return pa.concat_tables(found)


def _write(
    lake: Lake,
    members: pa.Table,
    segments: list[Version],
    names: list[str],
    result: MembershipResult,
    run_id: str,
    *,
    explicit: bool,
) -> None:
    """One commit of the difference, planned from the newest snapshot. Raises ConcurrentChangeError."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        snapshot = lake.register(connection, "stays", SEGMENT_MEMBERSHIP, positions=True)
        lake.register(connection, "merges", ID_GRAPH_MERGES)
        connection.register("members", members)
        at = _moment(connection, result.as_of, explicit)
        result.failures.update(_untraceable(connection, names))
        failed = list(result.failures)
        connection.execute(
            "create temp table gone as select s.* from stays s anti join members m using (segment, global_user_id)"
            " where s.left_at is null and not list_contains(?::varchar[], s.segment)",
            [failed],
        )
        connection.execute(
            "create temp table fresh as select m.* from members m anti join"
            " (select * from stays where left_at is null) s using (segment, global_user_id)"
        )
        connection.execute(
            "create temp table moved as select g.file_path, g.pos, f.segment, g.version, f.global_user_id, g.entered_at"
            " from gone g join merges r on r.old_global_user_id = g.global_user_id"
            " join fresh f on f.segment = g.segment and f.global_user_id = r.new_global_user_id"
            " qualify row_number() over (partition by f.segment, f.global_user_id order by g.entered_at, g.global_user_id) = 1"
        )
        rows = connection.sql(
            "select segment, version, global_user_id, entered_at, null::timestamptz as left_at from moved"
            " union all select segment, version, global_user_id, $at, null from fresh"
            " anti join moved using (segment, global_user_id)"
            " union all select segment, version, global_user_id, entered_at, $at from gone anti join moved using (file_path, pos)"
            " order by 1, 3, 4",
            params={"at": at},
        ).to_arrow_table()
        positions = connection.sql("select file_path, pos from gone").to_arrow_table()
        result.changes, result.moved = _changes(connection, segments, result.failures)
    lake.replace_positions(
        SEGMENT_MEMBERSHIP, snapshot, positions, rows, {"run_id": run_id, "as_of": result.as_of.isoformat()}
    )


def _moment(connection: Any, as_of: datetime, explicit: bool) -> datetime:
    """The date of this run's changes: never before one that the table holds."""
    row = connection.execute("select greatest(max(entered_at), max(left_at)) from stays").fetchall()[0]
    newest: datetime | None = row[0]
    if newest is None or newest <= as_of:
        return as_of
    if explicit:
        raise UsageError(
            f"as_of {as_of:%Y-%m-%d %H:%M} lies before the newest change of segment_membership,"
            f" {newest:%Y-%m-%d %H:%M} UTC; membership is not computed backwards"
        )
    return newest.astimezone(UTC)


def _untraceable(connection: Any, names: list[str]) -> dict[str, str]:
    """Why the segments that have members, but neither a definition nor a removal, are left alone.

    A new or a wrong database looks as if everything had been removed; stays once closed lose their beginning.
    """
    query = (
        "select segment, count(*) from stays where left_at is null and not list_contains(?::varchar[], segment)"
        " group by segment"
    )
    return {
        segment: f"the registry has neither a definition nor a removal of it, so its {count:,} members are kept;"
        " check PLATFORM_DATABASE, or add the segment again (and remove it, if its members are to leave)"
        for segment, count in connection.execute(query, [names]).fetchall()
    }


def _changes(
    connection: Any, segments: list[Version], failures: dict[str, str]
) -> tuple[list[SegmentChange], int]:
    numbers = {version.name: version.number for version in segments}

    def counts(table: str) -> dict[str, int]:
        query = f"select segment, count(*) from {table} group by segment"
        return dict(connection.execute(query).fetchall())

    members, fresh, gone, moved = (counts(table) for table in ("members", "fresh", "gone", "moved"))
    names = sorted(({*numbers} | {*gone}) - {*failures})
    changes = [
        SegmentChange(
            name,
            numbers.get(name),
            members.get(name, 0),
            fresh.get(name, 0) - moved.get(name, 0),
            gone.get(name, 0) - moved.get(name, 0),
        )
        for name in names
    ]
    return changes, sum(moved.values())
