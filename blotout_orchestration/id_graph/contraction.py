"""The short way for new evidence: components are joined as wholes, and only those that lose are rewritten.

Evidence that is only added can only join components. As long as no component involved is cut by a rule and
the joined one breaks none, its people are plain components, and nothing but the ids seen now and the members
of the younger components changes. Everything else is recomputed from its edges (recompute.py).

Belongs here: which components a run touches, which of them can go the short way, and who they become. Each look
through id_graph reads only the columns that it needs; how the rows are written is rows.py.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from blotout_orchestration.id_graph.components import connected
from blotout_orchestration.id_graph.recompute import GLOBAL_ID_SQL
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.suspects import find_components_of_new_rules, find_suspects
from blotout_orchestration.id_graph.workspace import Workspace, node_is_end, same_node


def touch(space: Workspace, rules: Rules, *, new_rules: bool) -> None:
    """From the views `added` and `dirty` make `touched`, `grouped` and `dirty_components`.

    `added` are edges that are new, `dirty` are nodes (id_type, provider, id) whose components must be
    recomputed, as must, with `new_rules`, those whose people may differ by the rules. `touched` has the ids of
    `added` with what is known of them and what is new; `grouped` has their group (what is connected
    afterwards) and whether that group can go the short way.
    """
    connection = space.connection
    for statement in (_SEEN, _KNOWN, _TOUCHED):
        connection.execute(statement)
    groups = _groups(space)
    connection.register("group_rows", groups)
    connection.execute("create or replace temporary table node_groups as select n, group_no from group_rows")
    connection.unregister("group_rows")
    connection.execute(
        """create or replace temporary table component_groups as
           select *, row_number() over () as component_no from (
               select distinct component_id, group_no from touched join node_groups using (n)
               where component_id is not null)"""
    )
    connection.execute(_HELD_COUNTS)
    connection.execute(_HELD_PEOPLE)
    _dirty_components(space, rules, new_rules)
    connection.execute(
        f"""create or replace temporary table long_way as
            select group_no from component_groups semi join dirty_components using (component_id)
            union
            select group_no from component_groups semi join (
                select component_id from held_people group by 1 having count(*) > 1) using (component_id)
            union
            select group_no from touched join node_groups using (n)
            semi join dirty on {same_node("touched", "dirty")}"""
    )
    find_suspects(space, _GROUP_COUNTS, rules)
    connection.execute("insert into long_way select key from suspects")
    connection.execute(
        """create or replace temporary table grouped as
           select n, group_no, group_no not in (select group_no from long_way) as short from node_groups"""
    )


def _dirty_components(space: Workspace, rules: Rules, new_rules: bool) -> None:
    """Make `dirty_components`: those of dirty nodes, and those that new rules may concern."""
    connection = space.connection
    connection.execute("create or replace temporary table dirty_components (component_id varchar)")
    if space.has_rows("dirty"):
        connection.execute(
            f"""insert into dirty_components
                select distinct component_id from graph semi join dirty on {same_node("graph", "dirty")}"""
        )
    if new_rules:
        find_components_of_new_rules(space, rules)
        connection.execute("insert into dirty_components select key from suspects")


_SEEN = """
    create or replace temporary table seen as
    with ends as (
        select id_a_type as id_type, id_a_provider as provider, id_a as id, source, first_seen, last_seen,
               (id_b is not null)::bigint as links
        from added
        union all
        select id_b_type, id_b_provider, id_b, source, first_seen, last_seen, 1 from added where id_b is not null
    ),
    by_source as (
        select id_type, provider, id, source, min(first_seen) as first_seen, max(last_seen) as last_seen,
               sum(links) as links
        from ends group by all
    )
    select row_number() over () - 1 as n, * from (
        select id_type, provider, id, min(first_seen) as first_seen, max(last_seen) as last_seen,
               list(source) as sources, sum(links)::bigint as links
        from by_source group by all)
"""

# An inner join: the small side is hashed and the graph streams by. A left join hashed the graph.
_KNOWN = f"""
    create or replace temporary table known as
    select seen.n, graph.first_seen as held_first_seen, graph.last_seen as held_last_seen,
           graph.sources as held_sources, graph.links as held_links, graph.component_id, graph.file_path, graph.pos
    from graph join seen on {same_node("seen", "graph")}
"""

_TOUCHED = "create or replace temporary table touched as from seen left join known using (n)"


def _groups(space: Workspace) -> pa.Table:
    """The group of each touched node: old components and new ids, joined by the added edges."""
    import pandas

    components = space.sql("select n, component_id from touched order by n")["component_id"].to_pandas()
    codes, uniques = pandas.factorize(components)
    alone = codes < 0
    codes[alone] = len(uniques) + np.arange(int(alone.sum()))
    pairs = space.sql(
        f"""select a.n as left_n, b.n as right_n from added
            join touched as a on {node_is_end("a", "added", "a")}
            join touched as b on {node_is_end("b", "added", "b")}"""
    )
    left, right = (codes[pairs[name].to_numpy()] for name in ("left_n", "right_n"))
    labels = connected(len(uniques) + int(alone.sum()), left, right)
    return pa.table({"n": np.arange(len(codes)), "group_no": labels[codes] if len(codes) else labels})


_HELD_COUNTS = """
    create or replace temporary table held_counts as
    select component_no, id_type, provider, count(*) as ids
    from graph join component_groups using (component_id) group by all
"""

_HELD_PEOPLE = """
    create or replace temporary table held_people as
    select component_id, id_type, provider, id, first_seen, last_seen
    from graph semi join component_groups using (component_id) where is_canonical
"""

_GROUP_COUNTS = """
    with held as (
        select group_no, id_type, provider, ids, 0 as links from held_counts join component_groups using (component_no)
    ),
    seen_now as (
        select group_no, id_type, provider, count(*) filter (component_id is null) as ids,
               max(coalesce(held_links, 0) + links) as links
        from touched join node_groups using (n) group by all
    )
    select group_no as key, id_type, provider, sum(ids) as ids, max(links) as links, true as plain
    from (from held union all from seen_now) group by all
"""
"""Counts of groups for `find_suspects`. Only the ids seen now can have more links than they had."""


def contract(space: Workspace) -> None:
    """Make what the short way changes: `short_rows`, `losers`, `short_before` and `short_after`.

    `short_rows` are the touched ids: their new rows, the person `before` (null for new ids), their old position,
    and whether the row has `changed`. The other rows of `losers` only change their person. `short_before` and
    `short_after` are the people of the components concerned, by their oldest id.
    """
    for statement in (_CANONICAL, _LOSERS, _SHORT_ROWS, _SHORT_BEFORE):
        space.connection.execute(statement)
    space.connection.execute(
        """create or replace temporary view short_after as
           select global_user_id, first_seen from group_canonical"""
    )


def nothing(space: Workspace) -> None:
    """The same without a row, for a run that recomputes everything."""
    columns = {
        "short_rows": "*, global_user_id as before, true as changed",
        "losers": "component_id, global_user_id",
        "short_before": "global_user_id, id_type, provider, id, last_seen",
        "short_after": "global_user_id, first_seen",
    }
    for name, selected in columns.items():
        space.connection.execute(
            f"create or replace temporary view {name} as select {selected} from graph limit 0"
        )


# An id that was held and is not older than it was cannot be older than the oldest of its component.
_CANONICAL = f"""
    create or replace temporary table group_canonical as
    with candidates as (
        select group_no, first_seen, id_type, provider, id from held_people join component_groups using (component_id)
        union all
        select group_no, first_seen, id_type, provider, id from touched join node_groups using (n)
        where held_first_seen is null or first_seen < held_first_seen
    ),
    oldest as (
        select distinct on (group_no) * from candidates where group_no not in (select group_no from long_way)
        order by group_no, first_seen, id_type, coalesce(provider, ''), id
    )
    select *, {GLOBAL_ID_SQL.format(type="id_type", provider="provider", id="id")} as global_user_id from oldest
"""

_SHORT_BEFORE = """
    create or replace temporary table short_before as
    select component_id as global_user_id, id_type, provider, id, last_seen from held_people
    where component_id in (
        select component_id from component_groups where group_no in (select group_no from group_canonical))
"""

_LOSERS = """
    create or replace temporary table losers as
    select component_id, component_no, c.global_user_id
    from component_groups join group_canonical as c using (group_no) where component_id <> c.global_user_id
"""

_SHORT_ROWS = f"""
    create or replace temporary table short_rows as
    select t.id, t.id_type, t.provider, c.global_user_id,
           least(t.first_seen, held_first_seen) as first_seen, greatest(t.last_seen, held_last_seen) as last_seen,
           case when list_has_all(held_sources, t.sources) then held_sources
                else list_sort(list_distinct(list_concat(held_sources, t.sources))) end as sources,
           coalesce(held_links, 0) + t.links as links, c.global_user_id as component_id,
           {same_node("t", "c")} as is_canonical, t.component_id as before, file_path, pos,
           before is distinct from c.global_user_id or t.first_seen < held_first_seen
           or t.last_seen > held_last_seen or t.links > 0 or not list_has_all(held_sources, t.sources) as changed
    from touched as t join grouped using (n) join group_canonical as c using (group_no) where short
"""
