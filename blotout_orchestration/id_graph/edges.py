"""Raw identifiers seen together to rows of id_edges.

Belongs here: the interface of a source of ids, and the way from "these raw values stood in one row" to edges
between normalised nodes. Where the values come from is sources.py; what is junk, normalize.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from blotout_orchestration.id_graph.contract import ID_EDGES
from blotout_orchestration.id_graph.normalize import hashed_twins, node
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.lake import Lake

RAW_IDS = """
    create or replace temporary table raw_ids (
        batch varchar, batch_hour timestamptz, row_id bigint, slot integer, source varchar, id_type varchar,
        provider varchar, value varchar, country varchar, first_seen timestamptz, last_seen timestamptz,
        count bigint)
"""
"""What a source fills: the raw ids of its rows. Ids with one row_id belong together; slot 0 is the hub."""


class IdSource(Protocol):
    """A source of ids in batches, each of which is replaced as a whole when its revision changes."""

    @property
    def name(self) -> str:
        """What its batches' names begin with."""
        ...

    def batches(self, lake: Lake, connection: Any, held: Mapping[str, str]) -> dict[str, str]:
        """Every batch there is, with its revision; `held` is what the graph holds, to save work."""
        ...

    def edges(self, lake: Lake, connection: Any, batches: Sequence[str], rules: Rules) -> pa.Table:
        """The rows of id_edges of these batches."""
        ...


def edges_of_raw_ids(connection: Any, rules: Rules) -> pa.Table:
    """Rows of id_edges from the table `raw_ids`: a star around the hub of each row, junk left out.

    The hub is the first id of the row that is not junk. Each hub also has a row of its own, so that an id
    without links is known; a plain e-mail or phone is linked to its hashes.
    """
    nodes, twins = _normalised(connection, rules)
    connection.register("normalised", nodes)
    connection.register("twins", twins)
    try:
        rows = connection.sql(_EDGES).to_arrow_table()
    finally:
        connection.unregister("normalised")
        connection.unregister("twins")
    return rows.cast(ID_EDGES.arrow_schema)


def _normalised(connection: Any, rules: Rules) -> tuple[pa.Table, pa.Table]:
    raw = connection.sql("select distinct id_type, provider, value, country from raw_ids").fetchall()
    found = [(key, node(key[0], key[1], key[2], rules, key[3])) for key in raw]
    good = [(*key, *item) for key, item in found if item is not None]
    names = ("raw_type", "raw_provider", "raw_value", "raw_country", "id_type", "provider", "id")
    pairs = [(item, twin) for item in {item for _, item in found if item} for twin in hashed_twins(item)]
    return _strings(names, good), _strings(
        ("id_type", "id", "twin_type", "twin_id"),
        [(item.id_type, item.id, twin.id_type, twin.id) for item, twin in pairs],
    )


def _strings(names: Sequence[str], rows: Sequence[tuple[str | None, ...]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
    )


_EDGES = """
    with found as (
        select raw.batch, raw.batch_hour, raw.row_id, raw.slot, raw.source, raw.first_seen, raw.last_seen,
               raw.count, n.id_type, n.provider, n.id,
               row_number() over (partition by raw.row_id order by raw.slot) as place
        from raw_ids as raw
        join normalised as n
          on raw.value = n.raw_value and raw.id_type = n.raw_type
         and raw.provider is not distinct from n.raw_provider
         and raw.country is not distinct from n.raw_country
    ),
    hubs as (select * from found where place = 1),
    links as (
        select other.batch, other.batch_hour, other.source,
               hub.id_type as id_a_type, hub.provider as id_a_provider, hub.id as id_a,
               other.id_type as id_b_type, other.provider as id_b_provider, other.id as id_b,
               other.first_seen, other.last_seen, other.count
        from found as other join hubs as hub on hub.row_id = other.row_id
        where other.place > 1
          and (hub.id_type, coalesce(hub.provider, ''), hub.id)
              <> (other.id_type, coalesce(other.provider, ''), other.id)
        union all
        select batch, batch_hour, source, id_type, provider, id, null, null, null, first_seen, last_seen, count
        from hubs
        union all
        select batch, batch_hour, source, id_type, provider, id, twin_type, null, twin_id,
               first_seen, last_seen, count
        from found join twins using (id_type, id)
    )
    select batch, batch_hour, source, id_a_type, id_a_provider, id_a, id_b_type, id_b_provider, id_b,
           min(first_seen) as first_seen, max(last_seen) as last_seen, sum(count)::bigint as count
    from links
    group by all
    order by batch, id_a, id_b
"""
