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
KEPT_KEYS = 500
"""Most unknown keys an hour's ledger row names (the first in alphabetical order)."""


@dataclass(frozen=True)
class Deduplicated:
    """Rows of core_events and of bad_events, and how many second deliveries each hour had."""

    core: pa.Table
    bad: pa.Table
    duplicates: dict[Any, int]


def deduplicate(connection: Any, good: pa.Table, bad: pa.Table) -> Deduplicated:
    """Keep the first delivery of each event of an hour.

    A later one with the same content is dropped and counted; with other content it goes to bad_events.
    """
    keys = good.select(["arrival_hour", "event_id", "content_hash", *ARRIVAL_ORDER])
    keys = keys.append_column("row", pa.array(range(good.num_rows), pa.int64()))
    connection.register("keys", keys)
    order = ", ".join(f"k.{name}" for name in ARRIVAL_ORDER)
    later = connection.sql(f"""
        with repeated as (
          select arrival_hour, event_id from keys group by all having count(*) > 1
        ), ranked as (
          select k.arrival_hour, k."row", k.content_hash, row_number() over delivery as nth,
            first_value(k.content_hash) over delivery as first_hash
          from keys k join repeated r using (arrival_hour, event_id)
          window delivery as (partition by k.arrival_hour, k.event_id order by {order})
        )
        select "row", arrival_hour, content_hash = first_hash as is_duplicate from ranked where nth > 1
        """).to_arrow_table()
    connection.unregister("keys")
    if later.num_rows == 0:
        return Deduplicated(good.select(CORE_EVENTS.arrow_schema.names), bad, {})
    duplicate_rows = later.filter(later["is_duplicate"])
    collided = good.take(later.filter(pc.invert(later["is_duplicate"]))["row"].sort())
    collided = collided.append_column("reason", pa.repeat(pa.scalar(COLLISION), collided.num_rows))
    collided = collided.append_column("detail", pa.repeat(pa.scalar(COLLISION_DETAIL), collided.num_rows))
    stays = pc.invert(pc.is_in(pa.array(range(good.num_rows), pa.int64()), later["row"]))
    counted = duplicate_rows.group_by("arrival_hour").aggregate([("row", "count")]).to_pylist()
    return Deduplicated(
        good.filter(stays).select(CORE_EVENTS.arrow_schema.names),
        pa.concat_tables([bad, refused(collided)]) if collided.num_rows else bad,
        {row["arrival_hour"]: row["row_count"] for row in counted},
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
        rows = connection.sql(FIGURES).to_arrow_table().to_pylist()
    finally:
        connection.unregister("core")
        connection.unregister("bad")
    return {row.pop("arrival_hour"): row for row in rows}
