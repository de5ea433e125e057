"""Ids that an operator takes out of the graph, and puts back.

Belongs here: the list of blocked ids. The next stitching run rebuilds exactly the components concerned: what
only the blocked id held together comes apart, and comes together again when it is unblocked.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
from pyiceberg.expressions import And, BooleanExpression, EqualTo, In, IsNull

from blotout_orchestration.id_graph.contract import ID_GRAPH_BLOCKS, NODE_TYPES
from blotout_orchestration.lake import Lake


def block_ids(lake: Lake, ids: Iterable[str], *, reason: str, id_type: str | None = None) -> int:
    """Block ids, of one type or of any; returns how many are blocked in all.

    Ids are compared as they are in id_graph, that is normalised. Raises ValueError for an unknown type.
    """
    wanted = _checked(ids, id_type)
    rows = pa.table(
        {"id_type": [id_type] * len(wanted), "id": wanted, "reason": [reason] * len(wanted)},
        schema=ID_GRAPH_BLOCKS.arrow_schema,
    )
    lake.replace(ID_GRAPH_BLOCKS, rows, _these(wanted, id_type), {"reason": "block"})
    return int(lake.read(ID_GRAPH_BLOCKS).num_rows)


def unblock_ids(lake: Lake, ids: Iterable[str], *, id_type: str | None = None) -> int:
    """Unblock ids that were blocked with the same type; returns how many are blocked still."""
    wanted = _checked(ids, id_type)
    empty = ID_GRAPH_BLOCKS.arrow_schema.empty_table()
    lake.replace(ID_GRAPH_BLOCKS, empty, _these(wanted, id_type), {"reason": "unblock"})
    return int(lake.read(ID_GRAPH_BLOCKS).num_rows)


def _checked(ids: Iterable[str], id_type: str | None) -> list[str]:
    if id_type is not None and id_type not in NODE_TYPES:
        raise ValueError(f"unknown id type {id_type!r}; the types are {', '.join(NODE_TYPES)}")
    wanted = sorted(set(ids))
    if not wanted:
        raise ValueError("no id given")
    return wanted


def _these(ids: list[str], id_type: str | None) -> BooleanExpression:
    kind: BooleanExpression = IsNull(term="id_type")
    if id_type is not None:
        kind = EqualTo(term="id_type", value=id_type)
    return And(In("id", ids), kind)  # type: ignore[misc,call-arg]
