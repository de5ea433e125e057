"""The short way for new evidence: components are joined as wholes, and only those that lose are rewritten.

Evidence that is only added can only join components. As long as no component involved is cut by a rule and
the joined one breaks none, its people are plain components, and nothing but the ids seen now and the members
of the younger components changes. Everything else is recomputed from its edges (recompute.py).

Belongs here: which components a run touches, which of them can go the short way, and their new rows.
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
    connection.execute(_TOUCHED)
    groups = _groups(space)
    connection.register("group_rows", groups)
    connection.execute("create or replace temporary table node_groups as select n, group_no from group_rows")
    connection.unregister("group_rows")
    connection.execute(
        """create or replace temporary table component_groups as
           select distinct component_id, group_no from touched join node_groups using (n)
           where component_id is not null"""
    )
    _dirty_components(space, rules, new_rules)
    connection.execute(
        f"""create or replace temporary table long_way as
            select group_no from component_groups semi join dirty_components using (component_id)
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


_TOUCHED = f"""
    create or replace temporary table touched as
    with ends as (
        select id_a_type as id_type, id_a_provider as provider, id_a as id, source, first_seen, last_seen,
               (id_b is not null)::bigint as links
        from added
        union all
        select id_b_type, id_b_provider, id_b, source, first_seen, last_seen, 1 from added where id_b is not null
    ),
    seen as (
        select id_type, provider, id, min(first_seen) as first_seen, max(last_seen) as last_seen,
               list(distinct source) as sources, sum(links)::bigint as links
        from ends group by all
    )
    select row_number() over () - 1 as n, seen.*, graph.first_seen as held_first_seen,
           graph.last_seen as held_last_seen, graph.sources as held_sources, graph.links as held_links,
           graph.global_user_id, graph.component_id, graph.is_canonical, graph.file_path, graph.pos
    from seen left join graph on {same_node("seen", "graph")}
"""


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


_GROUP_COUNTS = """
    with held as (
        select group_no, id_type, provider, count(*) as ids, 0 as links,
               bool_and(global_user_id = graph.component_id) as plain,
               min({'first_seen': first_seen, 'id': id}) filter (is_canonical) as oldest
        from graph join component_groups using (component_id) group by all
    ),
    seen as (
        select group_no, id_type, provider, count(*) filter (component_id is null) as ids,
               max(coalesce(held_links, 0) + links) as links, true as plain,
               min({'first_seen': least(first_seen, held_first_seen), 'id': id}) as oldest
        from touched join node_groups using (n) group by all
    )
    select group_no as key, id_type, provider, sum(ids) as ids, max(links) as links, bool_and(plain) as plain,
           min(oldest) as oldest
    from (from held union all from seen) group by all
"""
"""Counts of groups for `find_suspects`, and the oldest id of each kind in them, for their global_user_id.

Only the ids seen now can have more links than they had: `held` need not look at links.
"""


def contract(space: Workspace) -> None:
    """Make `short_old` and `short_new`: the rows of id_graph that the short way takes away and gives."""
    connection = space.connection
    connection.execute(_CANONICAL)
    connection.execute(
        """create or replace temporary table losers as
           select component_id, c.global_user_id from component_groups join group_canonical as c using (group_no)
           where component_id <> c.global_user_id"""
    )
    connection.execute(
        """create or replace temporary table lost as
           select graph.* replace (losers.global_user_id as global_user_id), graph.global_user_id as old_user_id
           from graph join losers using (component_id)"""
        if space.has_rows("losers")
        else """create or replace temporary table lost as
           select *, global_user_id as old_user_id from graph where false"""
    )
    connection.execute(_SHORT_OLD)
    connection.execute(_SHORT_NEW)


_CANONICAL = f"""
    create or replace temporary table group_canonical as
    with oldest as (
        select distinct on (key) key as group_no, oldest.first_seen, id_type, provider, oldest.id
        from counts where oldest is not null and key not in (select group_no from long_way)
        order by key, oldest.first_seen, id_type, coalesce(provider, ''), oldest.id
    )
    select *, {GLOBAL_ID_SQL.format(type="id_type", provider="provider", id="id")} as global_user_id from oldest
"""

_SHORT_OLD = """
    create or replace temporary table short_old as
    select id, id_type, provider, global_user_id, held_first_seen as first_seen, held_last_seen as last_seen,
           held_sources as sources, held_links as links, component_id, is_canonical, file_path, pos
    from touched join grouped using (n) where short and component_id is not null
    union all by name
    select * exclude (old_user_id) replace (old_user_id as global_user_id) from lost
    anti join touched using (file_path, pos)
"""

_SHORT_NEW = f"""
    create or replace temporary table short_new as
    select t.id, t.id_type, t.provider, c.global_user_id,
           least(t.first_seen, coalesce(held_first_seen, t.first_seen)) as first_seen,
           greatest(t.last_seen, coalesce(held_last_seen, t.last_seen)) as last_seen,
           list_sort(list_distinct(list_concat(coalesce(held_sources, []), t.sources))) as sources,
           coalesce(held_links, 0) + t.links as links, c.global_user_id as component_id,
           {same_node("t", "c")} as is_canonical
    from touched as t join grouped using (n) join group_canonical as c using (group_no) where short
    union all by name
    select id, id_type, provider, global_user_id, first_seen, last_seen, sources, links,
           global_user_id as component_id, false as is_canonical
    from lost anti join touched using (file_path, pos)
"""
