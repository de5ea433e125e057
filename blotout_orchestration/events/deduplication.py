"""Second deliveries within an hour, collisions of event ids, and the figures of each hour.

Belongs here: what happens to the kernel's rows once all rows of an hour are together (DuckDB engine). The
Spark job states the same rule in Spark's SQL; the parity test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from blotout_orchestration.events.contract import CORE_EVENTS
from blotout_orchestration.events.kernel import refused

COLLISION = "event_id_collision"
COLLISION_DETAIL = "another event with this id and other content arrived earlier in the hour"
ARRIVAL_ORDER = ("received_at", "landing_file", "landing_line", "landing_index")
"""Which delivery is the first: the one that stays."""
EVENT_KEYS = ("arrival_hour", "event_id", "content_hash")
"""What must be known of rows that stay, so that a delivery in a new file is seen to be a later one."""
EMPTY_KEYS = pa.schema([CORE_EVENTS.arrow_schema.field(name) for name in EVENT_KEYS]).empty_table()
FIGURED = ("arrival_hour", "additional_data", "type_conflicts", "event_datetime")
"""Columns of core_events that the figures of an hour are made from."""
KEPT_KEYS = 500
"""Most unknown keys an hour's ledger row names (the first in alphabetical order)."""


@dataclass(frozen=True)
class Deduplicated:
    """Rows of core_events and of bad_events, and how many second deliveries each hour had."""

    core: pa.Table
    bad: pa.Table
    duplicates: dict[Any, int]


def later_deliveries(connection: Any, relation: str, kept: pa.Table | None = None) -> pa.Table:
    """Deliveries of an event of an hour behind the first: event_row, arrival_hour, is_duplicate.

    `relation` holds `event_row`, arrival_hour, event_id, content_hash and the columns of ARRIVAL_ORDER. A later
    delivery with the same content is a duplicate, to be dropped and counted; with other content a collision.
    Events that are `kept` (`EVENT_KEYS`) from earlier files are first, whenever they arrived.
    """
    order = ", ".join(f"k.{name}" for name in ARRIVAL_ORDER)
    connection.register("kept", EMPTY_KEYS if kept is None else kept)
    later = connection.sql(f"""
        with repeated as (
          select arrival_hour, event_id from (
            select arrival_hour, event_id from {relation} union all select arrival_hour, event_id from kept)
          group by all having count(*) > 1
        ), ranked as (
          select k.arrival_hour, k.event_row,
            row_number() over delivery + (kept.event_id is not null)::int as nth, k.content_hash,
            coalesce(kept.content_hash, first_value(k.content_hash) over delivery) as first_hash
          from {relation} k join repeated r on r.arrival_hour = k.arrival_hour and r.event_id = k.event_id
          left join kept on kept.arrival_hour = k.arrival_hour and kept.event_id = k.event_id
          window delivery as (partition by k.arrival_hour, k.event_id order by {order})
        )
        select event_row, arrival_hour, content_hash = first_hash as is_duplicate from ranked where nth > 1
        order by event_row
        """).to_arrow_table()
    connection.unregister("kept")
    return later


def count_by_hour(later: pa.Table) -> dict[Any, int]:
    """How many duplicates each arrival hour had among later deliveries."""
    duplicates = later.filter(later["is_duplicate"]).group_by("arrival_hour").aggregate([([], "count_all")])
    return {row["arrival_hour"]: row["count_all"] for row in duplicates.to_pylist()}


def collisions(rows: pa.Table) -> pa.Table:
    """Events that collided (`KERNEL_SCHEMA` columns, at least those of bad_events) as rows of bad_events."""
    for name, text in (("reason", COLLISION), ("detail", COLLISION_DETAIL)):
        rows = rows.append_column(name, pa.repeat(pa.scalar(text), rows.num_rows))
    return refused(rows)


def deduplicate(connection: Any, good: pa.Table, bad: pa.Table) -> Deduplicated:
    """Keep the first delivery of each event of an hour, of rows in memory (`KERNEL_SCHEMA`, bad_events).

    A later one with the same content is dropped and counted; with other content it goes to bad_events.
    """
    numbers = pa.array(range(good.num_rows), pa.int64())
    keys = good.select(["arrival_hour", "event_id", "content_hash", *ARRIVAL_ORDER])
    connection.register("keys", keys.append_column("event_row", numbers))
    later = later_deliveries(connection, "keys")
    connection.unregister("keys")
    names = CORE_EVENTS.arrow_schema.names
    if later.num_rows == 0:
        return Deduplicated(good.select(names), bad, {})
    collided = good.take(later.filter(pc.invert(later["is_duplicate"]))["event_row"])
    stays = pc.invert(pc.is_in(numbers, later["event_row"]))
    return Deduplicated(
        good.filter(stays).select(names),
        pa.concat_tables([bad, collisions(collided)]) if collided.num_rows else bad,
        count_by_hour(later),
    )


FIGURES = f"""
with keys as (
  select arrival_hour, list_sort(list(distinct key))[1:{KEPT_KEYS}] as unknown_keys
  from (select arrival_hour, unnest(keys) as key
    from (select distinct arrival_hour, json_keys(additional_data) as keys from core
          where additional_data is not null))
  group by arrival_hour
), good as (
  select arrival_hour, count(*) as events_good, count(additional_data) as events_with_unknown_keys,
    count(type_conflicts) as events_with_type_conflicts, min(event_datetime) as first_event_datetime,
    max(event_datetime) as last_event_datetime
  from core group by arrival_hour
), refused as (
  select arrival_hour, count(*) as events_bad from bad group by arrival_hour
)
select arrival_hour, coalesce(events_good, 0) as events_good, coalesce(events_bad, 0) as events_bad,
  coalesce(events_with_unknown_keys, 0) as events_with_unknown_keys,
  coalesce(events_with_type_conflicts, 0) as events_with_type_conflicts,
  coalesce(unknown_keys, []) as unknown_keys, first_event_datetime, last_event_datetime
from good full join refused using (arrival_hour) left join keys using (arrival_hour)
"""


def figures(connection: Any, core: Any, bad: Any) -> dict[Any, dict[str, Any]]:
    """Per arrival hour the counts, event times and unknown keys that the ledger holds.

    `core` and `bad` are Arrow tables or datasets with the columns of core_events and bad_events.
    """
    connection.register("core", core)
    connection.register("bad", bad)
    try:
        return figures_of_views(connection)
    finally:
        connection.unregister("core")
        connection.unregister("bad")


def figures_of_views(connection: Any) -> dict[Any, dict[str, Any]]:
    """`figures` of the connection's own views `core` and `bad`."""
    rows = connection.sql(FIGURES).to_arrow_table().to_pylist()
    return {row.pop("arrival_hour"): row for row in rows}
