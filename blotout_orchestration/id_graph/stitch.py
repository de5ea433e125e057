"""One stitching run: changed evidence in, people out, work in proportion to the components touched.

Belongs here: the order of things. Edges are found in edges.py, people in people.py and contraction.py,
redirects in merges.py. The state is written last, and a run that was killed between its first and its last
commit leaves a note; the next run then rebuilds everything, so that the result is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa

from blotout_orchestration.id_graph import batches, contraction, merges, rows
from blotout_orchestration.id_graph.contract import (
    ID_EDGES,
    ID_GRAPH,
    ID_GRAPH_BATCHES,
    ID_GRAPH_BLOCKS,
    ID_GRAPH_MERGES,
    ID_GRAPH_QUARANTINE,
)
from blotout_orchestration.id_graph.edges import IdSource
from blotout_orchestration.id_graph.recompute import recompute
from blotout_orchestration.id_graph.result import StitchResult, summarise, totals
from blotout_orchestration.id_graph.rules import Rules, load_rules
from blotout_orchestration.id_graph.sources import default_sources
from blotout_orchestration.id_graph.workspace import Workspace, edges_of, node_is_end
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.merge_on_read import ConcurrentChangeError

__all__ = ["StitchResult", "stitch"]

Progress = Callable[[str], None]
_TABLES = (ID_EDGES, ID_GRAPH, ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE, ID_GRAPH_BATCHES, ID_GRAPH_BLOCKS)
_TRIES = 3


def stitch(
    lake: Lake,
    *,
    rules: Rules | None = None,
    run_id: str,
    full: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
    sources: Sequence[IdSource] | None = None,
) -> StitchResult:
    """Bring the ID graph up to date with its sources, rules and blocks.

    `rules` default to those of the deployment, `sources` to the click stream and the ELT contract. `full`
    rebuilds every component; `dry_run` writes nothing and says what would change. Raises RulesError for a bad
    rules file, ConcurrentChangeError when another run writes at the same time, again and again, SparkJobError
    when STITCHING_ENGINE is `spark` and its job fails.
    """
    started = time.monotonic()
    chosen = rules or load_rules(lake.settings.blotout_home)
    for spec in _TABLES:
        lake.ensure(spec)
    for attempt in range(1, _TRIES + 1):
        try:
            result = _stitch(lake, chosen, run_id, full, dry_run, progress or _silent, sources)
        except ConcurrentChangeError:
            if attempt == _TRIES:
                raise
        else:
            return replace(result, seconds=time.monotonic() - started)
    raise AssertionError("unreachable")


def _silent(message: str) -> None:
    """Progress that nobody asked for."""


def _stitch(
    lake: Lake,
    rules: Rules,
    run_id: str,
    full: bool,
    dry_run: bool,
    progress: Progress,
    sources: Sequence[IdSource] | None,
) -> StitchResult:
    with Workspace.open(lake) as space:
        readers = tuple(sources) if sources is not None else default_sources()
        work = batches.find_work(space, readers, rules, full=full)
        if work.nothing:
            ids, people = totals(space, "graph")
            redirects = space.number("select count(*) from merges")
            return StitchResult(ids=ids, people=people, redirects=redirects, dry_run=dry_run)
        progress(f"{len(work.replaced)} changed batches")
        found = [
            source.edges(lake, space.connection, work.changed[source.name], rules)
            for source in readers
            if work.changed[source.name]
        ]
        new_edges = pa.concat_tables(found) if found else ID_EDGES.arrow_schema.empty_table()
        may_be_held = work.was_writing or any(batch in work.held for batch in work.replaced)
        space.show_edges(work.replaced, new_edges, may_be_held=may_be_held)
        progress(f"{new_edges.num_rows} edges in them")
        touched = None if work.everything else _touched(space, rules, work, may_be_held=may_be_held)
        if touched is None:
            work = replace(work, everything=True)
            touched = _everything(space, rules)
        progress(f"{touched} components touched")
        merges.moves(space)
        merges.people(space)
        merges.redirects(space, every=work.everything)
        result = summarise(space, work, touched, dry_run)
        if not dry_run:
            _write(space, work, new_edges, may_be_held, run_id)
            progress(f"{result.ids} ids, {result.people} people")
        return result


def _everything(space: Workspace, rules: Rules) -> int:
    """Make `graph_old`, `graph_new`, `quarantine_old`, `quarantine_new`, `links`: all there is."""
    connection = space.connection
    connection.execute("create or replace temporary view graph_old as select * from graph")
    connection.execute("create or replace temporary view quarantine_old as select * from quarantine")
    connection.execute("create or replace temporary view links as select * from evidence")
    contraction.nothing(space)
    if space.lake.settings.stitching_engine == "spark":
        from blotout_orchestration.id_graph.spark_engine import recompute_with_spark

        found = recompute_with_spark(space, rules)
    else:
        found = recompute(connection, "evidence", rules)
    connection.register("graph_new", found.graph)
    connection.register("quarantine_new", found.quarantine)
    return found.components


def _touched(space: Workspace, rules: Rules, work: batches.Work, *, may_be_held: bool) -> int | None:
    """The same views, restricted to what this run's changes touch, and `short_rows` and `losers`.

    None when so much of the graph is to be recomputed that a full rebuild is cheaper.
    """
    connection = space.connection
    if may_be_held:
        added = "(select * from new_edges except select * from old_edges)"
        removed = "(select * from old_edges except select * from new_edges)"
    else:
        added, removed = "new_edges", "old_edges"
    space.without_blocked("added_view", added)
    connection.execute("create or replace temporary table added as from added_view")
    connection.execute(
        f"""create or replace temporary table dirty as
            select id_a_type as id_type, id_a_provider as provider, id_a as id from {removed}
            union select id_b_type, id_b_provider, id_b from {removed} where id_b is not null"""
    )
    if work.blocks:
        _dirty_blocks(space, work)
    contraction.touch(space, rules, new_rules=work.new_rules)
    connection.execute(
        """create or replace temporary table long_components as
            select component_id from component_groups where group_no in (select group_no from long_way)
            union select component_id from dirty_components"""
    )
    long_rows = 0
    if space.has_rows("long_components"):
        long_rows = space.number("select count(*) from graph semi join long_components using (component_id)")
        if rows.is_most(space, long_rows):
            return None
    contraction.contract(space)
    # Without such components the graph need not be read: no condition would tell DuckDB so.
    long_graph = "graph" if long_rows else "(select * from graph limit 0)"
    connection.execute(
        "create or replace temporary table graph_old as "
        f"select * from {long_graph} semi join long_components using (component_id)"
    )
    connection.execute(
        """create or replace temporary table members as
           select id_type, provider, id from graph_old
           union select id_type, provider, id from dirty
           union select id_type, provider, id from touched join grouped using (n) where not short"""
    )
    connection.execute(
        f"""create or replace temporary table long_evidence as
            select evidence.* from evidence semi join members
            on {node_is_end("members", "evidence", "a")}"""
        if space.has_rows("members")
        else "create or replace temporary table long_evidence as select * from evidence where false"
    )
    found = recompute(connection, "long_evidence", rules)
    connection.register("graph_new", found.graph)
    connection.register("quarantine_new", found.quarantine)
    connection.execute(
        """create or replace temporary view quarantine_old as
           select * from quarantine semi join long_components using (component_id)"""
    )
    connection.execute(
        "create or replace temporary table links as select * from added union all select * from long_evidence"
    )
    return space.number(
        "select count(*) from (select component_id from component_groups union from long_components)"
    )


def _dirty_blocks(space: Workspace, work: batches.Work) -> None:
    """Ids that were blocked or unblocked since, and what evidence links them to, are dirty."""
    rows = {"id_type": [kind for kind, _ in work.blocks], "id": [name for _, name in work.blocks]}
    schema = pa.schema([("id_type", pa.string()), ("id", pa.string())])
    space.connection.register("changed_blocks", pa.table(rows, schema=schema))
    for end, other in (("a", "b"), ("b", "a")):
        matching = f"e.id_{end} = k.id and (k.id_type is null or k.id_type = e.id_{end}_type)"
        for taken in (end, other):
            space.connection.execute(
                f"""insert into dirty
                    select distinct e.id_{taken}_type, e.id_{taken}_provider, e.id_{taken}
                    from all_edges as e join changed_blocks as k on {matching}
                    where e.id_{taken} is not null"""
            )
    space.connection.unregister("changed_blocks")


def _write(space: Workspace, work: batches.Work, new_edges: pa.Table, may_be_held: bool, run_id: str) -> None:
    """Redirects, people, quarantine, evidence, state: in this order, between the note and its removal."""
    lake, connection = space.lake, space.connection
    batches.mark_writing(space, run_id)
    connection.execute(
        "create or replace temporary view merges_written as "
        f"select *, '{run_id.replace(chr(39), '')}' as run_id from merges_new"
    )
    space.replace_difference(ID_GRAPH_MERGES, "merges_old", "merges_written", run_id, ignored=("run_id",))
    rows.write(space, run_id, everything=work.everything)
    space.replace_difference(ID_GRAPH_QUARANTINE, "quarantine_old", "quarantine_new", run_id)
    if may_be_held:
        lake.replace(ID_EDGES, new_edges, edges_of(work.replaced), {"run_id": run_id})
    else:
        lake.append(ID_EDGES, new_edges, {"run_id": run_id})
    batches.record(space, work, run_id)
    for spec in (ID_GRAPH, ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE, ID_GRAPH_BATCHES):
        lake.rewrite_if_fragmented(spec, {"run_id": run_id})
