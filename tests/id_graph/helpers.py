"""What the tests of the id graph share: a source of edges in memory, an oracle, and ways to read the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import networkx
import pyarrow as pa

from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH, ID_GRAPH_MERGES
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.lake import Lake

START = datetime(2026, 3, 1, tzinfo=UTC)
NO_RULES = Rules(limits={}, maximum_links={}, maximum_ids_per_person=None)
Node = tuple[str, str | None, str]
Edge = tuple[Node, Node | None, int]
"""Two nodes (the second may be missing) and the minute since START at which they were seen."""


def node(name: str) -> Node:
    """`u1` is a user id, `s1` a map id of shopify, `h1` of hubspot, `e1` an e-mail, `g1` a gclid."""
    kinds: dict[str, tuple[str, str | None]] = {
        "u": ("user_id", None),
        "s": ("map_id", "shopify"),
        "h": ("map_id", "hubspot"),
        "e": ("email", None),
        "g": ("gclid", None),
    }
    return (*kinds[name[0]], name)


def edge(left: str, right: str | None, minute: int) -> Edge:
    """An edge between named nodes."""
    return node(left), node(right) if right else None, minute


@dataclass
class MemorySource:
    """Edges by batch; a batch's revision is its content."""

    name: str = "memory"
    content: dict[str, list[Edge]] = field(default_factory=dict)

    def batches(self, lake: Lake, connection: Any, held: Mapping[str, str]) -> dict[str, str]:
        return {f"memory/{batch}": repr(sorted(edges, key=repr)) for batch, edges in self.content.items()}

    def edges(self, lake: Lake, connection: Any, batches: Sequence[str], rules: Rules) -> pa.Table:
        merged: dict[tuple[str, Node, Node | None], list[int]] = defaultdict(list)
        for batch in batches:
            for left, right, minute in self.content[batch.split("/", 1)[1]]:
                merged[batch, left, right].append(minute)
        rows = [
            {
                "batch": batch,
                "batch_hour": START,
                "source": "memory.even" if min(minutes) % 2 == 0 else "memory.odd",
                **dict(zip(("id_a_type", "id_a_provider", "id_a"), left, strict=True)),
                **dict(zip(("id_b_type", "id_b_provider", "id_b"), right or (None, None, None), strict=True)),
                "first_seen": START + timedelta(minutes=min(minutes)),
                "last_seen": START + timedelta(minutes=max(minutes)),
                "count": len(minutes),
            }
            for (batch, left, right), minutes in merged.items()
        ]
        return pa.Table.from_pylist(rows, schema=ID_EDGES.arrow_schema)


def oracle(edges: Iterable[Edge]) -> set[frozenset[Node]]:
    """The components of some edges, by networkx."""
    graph = networkx.Graph()
    for left, right, _ in edges:
        graph.add_node(left)
        if right:
            graph.add_edge(left, right)
    return {frozenset(component) for component in networkx.connected_components(graph)}


def people(lake: Lake) -> set[frozenset[Node]]:
    """The people of id_graph as sets of nodes."""
    found: dict[str, set[Node]] = defaultdict(set)
    for row in lake.read(ID_GRAPH).to_pylist():
        found[row["global_user_id"]].add((row["id_type"], row["provider"], row["id"]))
    return {frozenset(nodes) for nodes in found.values()}


def person_of(lake: Lake, name: str) -> str:
    """The global_user_id of a named node."""
    found = {
        (r["id_type"], r["provider"], r["id"]): r["global_user_id"] for r in lake.read(ID_GRAPH).to_pylist()
    }
    return str(found[node(name)])


def graph_rows(lake: Lake) -> list[tuple[Any, ...]]:
    """Every row of id_graph, sorted, to compare whole tables."""
    rows = lake.read(ID_GRAPH).to_pylist()
    return sorted(tuple(str(value) for value in row.values()) for row in rows)


def redirect_map(lake: Lake) -> dict[str, str | None]:
    """Old to new global_user_id."""
    rows = lake.read(ID_GRAPH_MERGES).to_pylist()
    assert len({row["old_global_user_id"] for row in rows}) == len(rows)
    return {row["old_global_user_id"]: row["new_global_user_id"] for row in rows}
