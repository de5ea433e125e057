"""One DuckDB connection with what a stitching run looks at, under fixed names.

Belongs here: opening the lake's tables for a run, blocked ids taken out of evidence. The views are:
`graph` (id_graph with positions), `merges`, `quarantine`, `held_edges` (id_edges), and, once a run knows its
work, `new_edges`, `old_edges` (the changed batches after and before) and `evidence` (all edges after).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysFalse, BooleanExpression, In

from blotout_orchestration.id_graph.contract import (
    ID_EDGES,
    ID_GRAPH,
    ID_GRAPH_BATCHES,
    ID_GRAPH_BLOCKS,
    ID_GRAPH_MERGES,
    ID_GRAPH_QUARANTINE,
)
from blotout_orchestration.lake import Lake, TableSpec


def same_node(left: str, right: str) -> str:
    """SQL condition: two relations with id_type, provider, id show the same node."""
    return (
        f"{left}.id = {right}.id and {left}.id_type = {right}.id_type "
        f"and {left}.provider is not distinct from {right}.provider"
    )


def node_is_end(node: str, edge: str, end: str) -> str:
    """SQL condition: a relation's node is the end `a` or `b` of a relation of edges."""
    return (
        f"{node}.id = {edge}.id_{end} and {node}.id_type = {edge}.id_{end}_type "
        f"and {node}.provider is not distinct from {edge}.id_{end}_provider"
    )


@dataclass
class Workspace:
    """The connection of one run and the snapshots that its views show."""

    lake: Lake
    connection: Any
    snapshots: dict[str, int | None] = field(default_factory=dict)

    @classmethod
    def open(cls, lake: Lake) -> Workspace:
        """A connection in UTC with the views of the lake's id graph tables."""
        import duckdb

        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'")
        space = cls(lake, connection)
        space.show("graph", ID_GRAPH)
        space.show("merges", ID_GRAPH_MERGES)
        space.show("quarantine", ID_GRAPH_QUARANTINE)
        space.show("batches", ID_GRAPH_BATCHES)
        space.show("blocks", ID_GRAPH_BLOCKS)
        return space

    def show(self, name: str, spec: TableSpec) -> None:
        """Make the view `name` of a table, with the positions of its rows."""
        self.snapshots[spec.name] = self.lake.register(self.connection, name, spec, positions=True)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def sql(self, statement: str) -> Any:
        """The rows of a query as an Arrow table."""
        return self.connection.sql(statement).to_arrow_table()

    def number(self, statement: str) -> int:
        """The one number that a query gives."""
        ((value,),) = self.connection.execute(statement).fetchall()
        return int(value or 0)

    def has_rows(self, relation: str) -> bool:
        """Whether a relation has any row."""
        return bool(self.number(f"select count(*) from (select 1 from {relation} limit 1)"))

    def show_edges(self, batches: Sequence[str], new_edges: pa.Table, *, may_be_held: bool) -> None:
        """Make `new_edges`, `old_edges` and `evidence` for a run that replaces `batches`."""
        connection = self.connection
        connection.register("new_edge_rows", new_edges)
        connection.execute("create or replace temporary table new_edges as from new_edge_rows")
        connection.unregister("new_edge_rows")
        connection.execute("create or replace temporary table changed_batches (batch varchar)")
        if batches:
            connection.register("batch_rows", pa.table({"batch": pa.array(batches, pa.string())}))
            connection.execute("insert into changed_batches from batch_rows")
            connection.unregister("batch_rows")
        self.lake.register(connection, "held_edges", ID_EDGES)
        where: BooleanExpression = AlwaysFalse()
        if may_be_held and batches:
            where = edges_of(batches)
        self.lake.register(connection, "maybe_old_edges", ID_EDGES, where=where)
        connection.execute(
            "create or replace temporary table old_edges as "
            "select * from maybe_old_edges where batch in (select batch from changed_batches)"
        )
        kept = "select * from held_edges"
        if may_be_held and batches:
            kept += " where batch not in (select batch from changed_batches)"
        connection.execute(
            f"create or replace temporary view all_edges as {kept} union all select * from new_edges"
        )
        self.without_blocked("evidence", "all_edges")

    def without_blocked(self, name: str, relation: str) -> None:
        """Make the view `name`: a relation of edges without the blocked ids, whose partners stay as ids."""
        if not self.has_rows("blocks"):
            self.connection.execute(f"create or replace temporary view {name} as select * from {relation}")
            return
        self.connection.execute(
            f"""create or replace temporary view {name} as
                with flagged as (
                    select *, {_blocked("id_a")} as a_blocked, {_blocked("id_b")} as b_blocked from {relation}
                )
                select * exclude (a_blocked, b_blocked) replace (
                    case when a_blocked then id_b_type else id_a_type end as id_a_type,
                    case when a_blocked then id_b_provider else id_a_provider end as id_a_provider,
                    case when a_blocked then id_b else id_a end as id_a,
                    case when not (a_blocked or b_blocked) then id_b_type end as id_b_type,
                    case when not (a_blocked or b_blocked) then id_b_provider end as id_b_provider,
                    case when not (a_blocked or b_blocked) then id_b end as id_b
                )
                from flagged where not (a_blocked and (id_b is null or b_blocked))"""
        )

    def replace_difference(
        self, spec: TableSpec, old: str, new: str, run_id: str, ignored: tuple[str, ...] = ()
    ) -> tuple[int, int]:
        """Make the rows `old` (a view with positions) of a table be the rows `new`, touching what differs.

        Returns how many rows were deleted and added. `ignored` columns do not count as a difference.
        """
        compared = [column.name for column in spec.columns if column.name not in ignored]
        equal = " and ".join(f"o.{name} is not distinct from n.{name}" for name in compared)
        columns = ", ".join(f"n.{column.name}" for column in spec.columns)
        gone = self.sql(f"select o.file_path, o.pos from {old} as o anti join {new} as n on {equal}")
        rows = self.sql(f"select {columns} from {new} as n anti join {old} as o on {equal}")
        snapshot_id = self.snapshots[spec.name]
        self.lake.replace_positions(spec, snapshot_id, gone, rows, {"run_id": run_id})
        return gone.num_rows, rows.num_rows


def edges_of(batches: Sequence[str]) -> BooleanExpression:
    """The rows of id_edges of some batches."""
    return In("batch", list(batches))  # type: ignore[misc,call-arg]


def _blocked(name: str) -> str:
    return (
        f"coalesce({name} in (select id from blocks where id_type is null) or ({name}_type || ':' || {name}) in "
        "(select id_type || ':' || id from blocks where id_type is not null), false)"
    )
