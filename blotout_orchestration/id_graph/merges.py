"""Redirects from every global_user_id that is no longer in use to the one that is.

The rule: a redirect points to the person that now holds the oldest id (canonical node) of the old person. So
redirects can be told from id_graph alone, whatever order the runs came in; only `merged_at` and `why` tell
the history: the oldest link, between two people of before, by which the old person was joined.

Belongs here: the rows of id_graph_merges that a run changes.
"""

from __future__ import annotations

from blotout_orchestration.id_graph.workspace import Workspace, node_is_end, same_node


def moves(space: Workspace) -> None:
    """Make `moves`: ids with the person they were of (null for new ids) and are of now.

    All ids that were recomputed or seen; the others of `losers` move with those of their component.
    """
    kind = "table" if space.has_rows("graph_old") or space.has_rows("short_rows") else "view"
    space.connection.execute(
        f"""create or replace temporary {kind} moves as
            select id_type, provider, id, before, global_user_id as after from short_rows
            union all
            select n.id_type, n.provider, n.id, o.global_user_id as before, n.global_user_id as after
            from graph_new as n left join graph_old as o on {same_node("o", "n")}"""
    )


def people(space: Workspace) -> None:
    """Make `old_people` and `new_people`: the people of a run's components before and after, by their oldest id."""
    space.connection.execute(
        """create or replace temporary table old_people as
           select global_user_id, id_type, provider, id, last_seen from graph_old where is_canonical
           union all
           from short_before"""
    )
    space.connection.execute(
        """create or replace temporary table new_people as
           select global_user_id, first_seen from graph_new where is_canonical
           union all
           from short_after"""
    )


def redirects(space: Workspace, *, every: bool) -> None:
    """Make `merges_old` and `merges_new` from `moves`, `losers`, the people and `links` (this run's edges).

    `graph_old` has all ids of the people that it shows. With `every` all redirects are checked (a full
    rebuild), otherwise those that the changed people concern.
    """
    connection = space.connection
    connection.execute(
        """create or replace temporary table retired as
           from old_people where global_user_id not in (select global_user_id from new_people)"""
    )
    if not space.has_rows("merges"):
        connection.execute("create or replace temporary table merges_old as select * from merges where false")
    else:
        concerned = "true" if every else _CONCERNED
        connection.execute(
            f"create or replace temporary table merges_old as select * from merges where {concerned}"
        )
    nothing = "" if space.has_rows("retired") else " limit 0"
    if nothing and not space.has_rows("merges_old"):
        connection.execute(
            "create or replace temporary table merges_new as select * exclude (run_id, file_path, pos) "
            "from merges where false"
        )
        return
    connection.execute(_EVIDENCE + nothing)
    connection.execute(_MERGES_NEW)


_CONCERNED = """
    new_global_user_id in (
        select global_user_id from retired union all select global_user_id from graph_old where is_canonical)
    or old_global_user_id in (select global_user_id from new_people)
    or (new_global_user_id is null and exists (
        select 1 from moves as n where n.id = old_id and n.id_type = old_id_type
        and n.provider is not distinct from old_provider))
"""

_EVIDENCE = f"""
    create or replace temporary table retired_evidence as
    with joining as (
        select l.*, a.before as before_a, b.before as before_b
        from links as l
        join moves as a on {node_is_end("a", "l", "a")}
        join moves as b on {node_is_end("b", "l", "b")}
        where a.before is distinct from b.before and a.after = b.after
          and (a.before in (select global_user_id from retired)
               or b.before in (select global_user_id from retired))
    ),
    sides as (select *, before_a as joined from joining union all select *, before_b from joining)
    select distinct on (joined) joined as global_user_id, first_seen, source, id_a_type, id_a, id_b_type, id_b
    from sides where joined in (select global_user_id from retired)
    order by joined, first_seen, id_a_type, id_a, id_b_type, id_b, source
"""

# Where a person's oldest id is now: told by its own move, or by that of its component as a whole.
_MERGES_NEW = f"""
    create or replace temporary table merges_new as
    with kept as (
        select m.* exclude (file_path, pos)
               replace (coalesce(n.after, w.global_user_id) as new_global_user_id)
        from merges_old as m
        left join moves as n on n.id = m.old_id and n.id_type = m.old_id_type
             and n.provider is not distinct from m.old_provider
        left join losers as w on w.component_id = m.new_global_user_id
        where m.old_global_user_id not in (select global_user_id from new_people)
          and m.old_global_user_id not in (select global_user_id from retired)
    ),
    fresh as (
        select r.global_user_id as old_global_user_id,
               coalesce(n.after, w.global_user_id) as new_global_user_id,
               coalesce(e.first_seen, c.first_seen, r.last_seen) as merged_at,
               case when coalesce(n.after, w.global_user_id) is null then 'ids are gone'
                    else coalesce(e.source, 'oldest id changed') end as why,
               e.id_a_type as evidence_a_type, e.id_a as evidence_a,
               e.id_b_type as evidence_b_type, e.id_b as evidence_b,
               r.id_type as old_id_type, r.provider as old_provider, r.id as old_id
        from retired as r
        left join moves as n on {same_node("n", "r")}
        left join losers as w on w.component_id = r.global_user_id
        left join new_people as c on c.global_user_id = coalesce(n.after, w.global_user_id)
        left join retired_evidence as e on e.global_user_id = r.global_user_id
    )
    select * exclude (run_id) from kept
    union all by name
    select * from fresh
"""
