"""Ids that an operator takes out of the graph, and puts back.

Belongs here: the list of blocked ids, and in which spelling an id is on it. The next stitching run rebuilds
exactly the components concerned: what only the blocked id held together comes apart, and comes together again
when it is unblocked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.expressions import And, BooleanExpression, EqualTo, In, IsNull

from blotout_orchestration.errors import UsageError
from blotout_orchestration.id_graph import normalize
from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH, ID_GRAPH_BLOCKS, NODE_TYPES
from blotout_orchestration.id_graph.rules import Rules, load_rules
from blotout_orchestration.lake import Lake


@dataclass(frozen=True)
class BlockChange:
    """What a change of the list did: the ids in the spelling of id_graph, and how many are blocked now.

    `matching` counts the nodes of id_graph and id_edges that the ids name; 0 for a block that comes before its
    id. It is not counted when ids are unblocked.
    """

    ids: tuple[str, ...]
    blocked: int
    matching: int = 0


def block_ids(lake: Lake, ids: Iterable[str], *, reason: str, id_type: str | None = None) -> BlockChange:
    """Block ids, of one type or of any, in the spelling that they have as nodes of the graph.

    Without a type an e-mail address or a phone number with `+` is normalised as such; the text as it was typed
    is blocked as well where the graph knows it (a customer id may be an address as sent). Raises UsageError for
    an unknown type, for no id, and for an id that can be no node: empty, junk by the rules, or of another type.
    """
    rules = load_rules(lake.settings.blotout_home)
    wanted: set[str] = set()
    for text in _checked(ids, id_type):
        first, *others = _spellings(text, id_type, rules)
        wanted |= {first, *(other for other in others if _matching(lake, [other], id_type))}
    names = sorted(wanted)
    rows = pa.table(
        {"id_type": [id_type] * len(names), "id": names, "reason": [reason] * len(names)},
        schema=ID_GRAPH_BLOCKS.arrow_schema,
    )
    lake.replace(ID_GRAPH_BLOCKS, rows, _these(names, id_type), {"reason": "block"})
    return BlockChange(tuple(names), _blocked(lake), _matching(lake, names, id_type))


def unblock_ids(lake: Lake, ids: Iterable[str], *, id_type: str | None = None) -> BlockChange:
    """Unblock ids that were blocked with the same type, as they were typed or in the spelling of a node.

    `ids` of the result are those that were blocked. Raises UsageError for an unknown type and for no id.
    """
    rules = load_rules(lake.settings.blotout_home)
    wanted = set(_checked(ids, id_type))
    for text in list(wanted):
        wanted |= {found.id for found in _nodes(text, id_type, rules)}
    where = _these(sorted(wanted), id_type)
    names = sorted(lake.read(ID_GRAPH_BLOCKS, where, columns=("id",))["id"].to_pylist())
    if names:
        lake.replace(
            ID_GRAPH_BLOCKS, ID_GRAPH_BLOCKS.arrow_schema.empty_table(), where, {"reason": "unblock"}
        )
    return BlockChange(tuple(names), _blocked(lake))


def _checked(ids: Iterable[str], id_type: str | None) -> list[str]:
    if id_type is not None and id_type not in NODE_TYPES:
        raise UsageError(f"--type {id_type}: unknown type of an id; the types are {', '.join(NODE_TYPES)}")
    wanted = sorted(set(ids))
    if not wanted or not all(text.strip() for text in wanted):
        raise UsageError("the id is empty: give it as it is in id_graph")
    return wanted


def _nodes(text: str, id_type: str | None, rules: Rules) -> list[normalize.Node]:
    """The nodes that a text may be, the likeliest first; none when it is junk or no id of the type."""
    if id_type is not None:
        found = normalize.node(id_type, None, text, rules)
        return [found] if found else []
    plain = normalize.node("map_id", None, text, rules)
    phone = normalize.phone_node(text, rules) if text.strip().startswith("+") else None
    return [found for found in (normalize.email_node(text, rules), phone, plain) if found]


def _spellings(text: str, id_type: str | None, rules: Rules) -> list[str]:
    """The ids of a text's nodes, each once. Raises UsageError when there is none of the type."""
    found = _nodes(text, id_type, rules)
    if not found:
        raise UsageError(f"{text!r} is no {id_type or 'id'}: empty, junk by the rules, or not of that form")
    if id_type is not None and found[0].id_type != id_type:
        raise UsageError(f"{text!r} is no {id_type} but {found[0].id_type}: block it with that --type")
    return list(dict.fromkeys(node.id for node in found))


def _matching(lake: Lake, ids: list[str], id_type: str | None) -> int:
    """How many nodes of id_graph or id_edges the ids name."""
    import duckdb

    with duckdb.connect() as connection:
        lake.register(connection, "graph", ID_GRAPH)
        lake.register(connection, "edges", ID_EDGES)
        row = connection.execute(
            """select count(*) from (
                select id_type, provider, id from graph where list_contains($ids, id)
                union select id_a_type, id_a_provider, id_a from edges where list_contains($ids, id_a)
                union select id_b_type, id_b_provider, id_b from edges where list_contains($ids, id_b)
            ) where $type is null or id_type = $type""",
            {"ids": ids, "type": id_type},
        ).fetchone()
    return int(row[0]) if row else 0


def _blocked(lake: Lake) -> int:
    return int(lake.read(ID_GRAPH_BLOCKS).num_rows)


def _these(ids: list[str], id_type: str | None) -> BooleanExpression:
    kind: BooleanExpression = IsNull(term="id_type")
    if id_type is not None:
        kind = EqualTo(term="id_type", value=id_type)
    return And(In("id", ids), kind)  # type: ignore[misc,call-arg]
