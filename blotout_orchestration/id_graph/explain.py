"""Why ids belong together: the evidence of an id, and the shortest chain of evidence between two.

Belongs here: questions about the graph as it stands. Nothing here changes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.id_graph.contract import ID_EDGES
from blotout_orchestration.id_graph.normalize import Node
from blotout_orchestration.id_graph.workspace import Workspace, node_is_end
from blotout_orchestration.lake import Lake


class UnknownIdError(BlotoutError):
    """The id is not in the graph; it may be junk, blocked, or in another spelling."""


@dataclass(frozen=True)
class Link:
    """Two ids that were seen together: by which sources, when first and last, in how many rows."""

    left: Node
    right: Node
    sources: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    count: int


@dataclass(frozen=True)
class Explanation:
    """What is known of one id, or of two.

    `people` are the global_user_ids of the ids asked for. `links` are all evidence of one id, or the shortest
    chain between two; empty when no chain of evidence leads from one to the other. `refused` tells of rules
    that kept something apart in the component concerned.
    """

    nodes: tuple[Node, ...]
    people: tuple[str, ...]
    links: tuple[Link, ...]
    refused: tuple[str, ...]

    @property
    def same_person(self) -> bool:
        """Whether all ids asked for belong to one person."""
        return len(set(self.people)) == 1


def explain(lake: Lake, first: str, second: str | None = None) -> Explanation:
    """Why `first` is where it is, or why it and `second` belong together or not.

    Ids are given as they are in id_graph (e-mail in lower case, phone in E.164); a text that several nodes
    share (an id of two providers) means all of them. Raises UnknownIdError for an id that is not in the graph.
    """
    with Workspace.open(lake) as space:
        lake.register(space.connection, "all_edges", ID_EDGES)
        space.without_blocked("evidence", "all_edges")
        starts, people = _find(space, first)
        ends: dict[Node, str] = {}
        if second is not None:
            ends, _ = _find(space, second)
        links = _links(space, {*people, *(_components(space, second) if second else ())})
        refused = space.connection.execute(
            """select distinct reason || ': ' || detail from quarantine
               where list_contains(?, component_id) order by 1""",
            [people],
        ).fetchall()
        shown = _chain(links, starts, ends) if second is not None else _of(links, starts)
        return Explanation(
            nodes=(*starts, *ends),
            people=tuple(dict.fromkeys([*starts.values(), *ends.values()])),
            links=tuple(shown),
            refused=tuple(row[0] for row in refused),
        )


def _find(space: Workspace, text: str) -> tuple[dict[Node, str], list[str]]:
    """The nodes of an id with their person, and their components."""
    rows = space.connection.execute(
        "select id_type, provider, id, global_user_id, component_id from graph where id = ? order by all",
        [text],
    ).fetchall()
    if not rows:
        raise UnknownIdError(
            f"{text!r} is not in the id graph: check the spelling (e-mail in lower case, phone as +15550101021), "
            "and that it is neither junk by the rules nor blocked"
        )
    return {Node(row[0], row[1], row[2]): row[3] for row in rows}, [row[4] for row in rows]


def _components(space: Workspace, text: str) -> list[str]:
    return _find(space, text)[1]


def _links(space: Workspace, components: set[str]) -> dict[Node, dict[Node, Link]]:
    """The evidence of some components, as neighbours of each node."""
    space.connection.register("wanted", pa.table({"component_id": pa.array(sorted(components), pa.string())}))
    rows = space.connection.execute(
        f"""select id_a_type, id_a_provider, id_a, id_b_type, id_b_provider, id_b,
                   list_sort(list(distinct source)), min(first_seen), max(last_seen), sum(count)::bigint
            from evidence semi join (from graph semi join wanted using (component_id)) as members
            on {node_is_end("members", "evidence", "a")}
            where id_b is not null group by all order by all"""
    ).fetchall()
    neighbours: dict[Node, dict[Node, Link]] = {}
    for row in rows:
        left, right = Node(*row[0:3]), Node(*row[3:6])
        link = Link(left, right, tuple(row[6]), row[7], row[8], row[9])
        neighbours.setdefault(left, {}).setdefault(right, link)
        neighbours.setdefault(right, {}).setdefault(left, link)
    return neighbours


def _of(links: Mapping[Node, Mapping[Node, Link]], nodes: Mapping[Node, Any]) -> list[Link]:
    return [link for node in nodes for link in links.get(node, {}).values()]


def _chain(
    links: Mapping[Node, Mapping[Node, Link]], starts: Mapping[Node, Any], ends: Mapping[Node, Any]
) -> list[Link]:
    """Breadth first from all starts to the nearest end."""
    came_from: dict[Node, tuple[Node, Link] | None] = dict.fromkeys(starts)
    queue = deque(starts)
    while queue:
        node = queue.popleft()
        if node in ends:
            chain = []
            step = came_from[node]
            while step is not None:
                chain.append(step[1])
                step = came_from[step[0]]
            return chain[::-1]
        for neighbour, link in links.get(node, {}).items():
            if neighbour not in came_from:
                came_from[neighbour] = (node, link)
                queue.append(neighbour)
    return []
