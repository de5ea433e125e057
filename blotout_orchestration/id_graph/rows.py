"""Writing id_graph: the rows that a run changes, or the whole table when that is cheaper.

Belongs here: from the tables of a run's work to one commit of id_graph. Every row deleted by position costs
all later readers something, so a run that changes much of the table writes it anew.
"""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.id_graph.workspace import Workspace
from blotout_orchestration.lake.merge_on_read import ConcurrentChangeError

MOST = 0.25
"""Share of id_graph from which a run writes, or recomputes, the whole of it."""

FEW = 100_000
"""So many rows are never most of the graph: they are cheap either way."""

_NAMES = [column.name for column in ID_GRAPH.columns]
_COLUMNS = ", ".join(_NAMES)


def is_most(space: Workspace, number: int) -> bool:
    """Whether so many rows are so much of id_graph that treating them apart does not pay."""
    return number > FEW and number > MOST * space.number("select count(*) from graph")


def write(space: Workspace, run_id: str, *, everything: bool) -> None:
    """Make id_graph what the run found, in one commit.

    With `everything` that is `graph_new`. Otherwise `graph_new` takes the place of `graph_old`, the changed
    `short_rows` that of their old positions, and the rows of `losers` get their new person. Raises
    ConcurrentChangeError when another run wrote in between.
    """
    proof = {"run_id": run_id}
    if everything:
        _replace(space, f"select {_COLUMNS} from graph_new", proof)
        return
    space.connection.execute(_GONE)
    space.connection.execute(_COME)
    lost = space.number("select sum(ids) from held_counts semi join losers using (component_no)")
    if is_most(space, lost + space.number("select count(*) from gone")):
        _replace(space, _WHOLE, proof)
        return
    gone, come = space.sql("from gone"), space.sql("from come")
    if lost:
        moved = space.sql(_MOVED)
        gone = pa.concat_tables([gone, moved.select(gone.column_names)])
        come = pa.concat_tables([come, moved.select(_NAMES)])
    space.lake.replace_positions(ID_GRAPH, space.snapshots[ID_GRAPH.name], gone, come, proof)


def _replace(space: Workspace, query: str, proof: dict[str, str]) -> None:
    """The answer in place of the whole table, unless another run wrote since this one looked."""
    rows = space.sql(query)
    if space.lake.plan(ID_GRAPH).snapshot_id != space.snapshots[ID_GRAPH.name]:
        raise ConcurrentChangeError("id_graph changed after its rows were planned")
    space.lake.replace(ID_GRAPH, rows, AlwaysTrue(), proof)


_EQUAL = " and ".join(f"o.{name} is not distinct from n.{name}" for name in _NAMES)

_GONE = f"""
    create or replace temporary table gone as
    select file_path, pos from short_rows where changed and pos is not null
    union all
    select file_path, pos from graph_old as o anti join graph_new as n on {_EQUAL}
"""

_COME = f"""
    create or replace temporary table come as
    select {_COLUMNS} from short_rows where changed
    union all
    select {_COLUMNS} from graph_new as n anti join graph_old as o on {_EQUAL}
"""

_MOVED = """
    select g.* replace (w.global_user_id as global_user_id, w.global_user_id as component_id, false as is_canonical)
    from graph as g join losers as w on w.component_id = g.component_id
    anti join gone on gone.file_path = g.file_path and gone.pos = g.pos
"""

_WHOLE = """
    select g.* exclude (file_path, pos)
           replace (coalesce(w.global_user_id, g.global_user_id) as global_user_id,
                    coalesce(w.global_user_id, g.component_id) as component_id,
                    g.is_canonical and w.global_user_id is null as is_canonical)
    from graph as g left join losers as w on w.component_id = g.component_id
    anti join gone on gone.file_path = g.file_path and gone.pos = g.pos
    union all
    from come
"""
