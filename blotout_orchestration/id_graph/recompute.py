"""Rows of id_graph and id_graph_quarantine from the evidence of whole components.

Belongs here: arrays to tables. The same code serves a full rebuild and the components that a run touched, so
that both give the same rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from blotout_orchestration.id_graph.components import canonical_nodes
from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_QUARANTINE
from blotout_orchestration.id_graph.evidence import Evidence, Integers, load_evidence
from blotout_orchestration.id_graph.people import People, Refusal, find_people
from blotout_orchestration.id_graph.rules import Rules

GLOBAL_ID_SQL = (
    "regexp_replace(sha256(concat_ws(chr(31), {type}, coalesce({provider}, ''), {id})), "
    "'^(.{{8}})(.{{4}})(.{{4}})(.{{4}})(.{{12}}).*$', '\\1-\\2-\\3-\\4-\\5')"
)
"""global_user_id of a canonical node: the first 128 bits of its SHA-256, written like a UUID."""


class Recomputed(NamedTuple):
    """Rows of id_graph, rows of id_graph_quarantine, and how many components there are."""

    graph: pa.Table
    quarantine: pa.Table
    components: int


def recompute(connection: Any, relation: str, rules: Rules) -> Recomputed:
    """What follows from the evidence in `relation`, which must hold whole components."""
    evidence = load_evidence(connection, relation)
    people = find_people(evidence, rules)
    person_nodes = canonical_nodes(evidence, people.persons)
    person_ids = _global_ids(connection, evidence, person_nodes)
    if people.components is people.persons:
        component_ids = person_ids
    else:
        component_nodes = canonical_nodes(evidence, people.components)
        component_ids = _global_ids(connection, evidence, component_nodes)
    graph = _graph_rows(evidence, people, person_nodes, person_ids, component_ids)
    return Recomputed(graph, _quarantine_rows(evidence, people, component_ids), len(component_ids))


def _global_ids(connection: Any, evidence: Evidence, nodes: Integers) -> pa.Array:
    kinds = evidence.kinds[nodes]
    table = pa.table(
        {
            "position": np.arange(len(nodes)),
            "type": pa.array([name for name, _ in evidence.kind_names], pa.string()).take(pa.array(kinds)),
            "provider": pa.array([p for _, p in evidence.kind_names], pa.string()).take(pa.array(kinds)),
            "id": evidence.ids.take(pa.array(nodes)),
        }
    )
    connection.register("canonical", table)
    expression = GLOBAL_ID_SQL.format(type="type", provider="provider", id="id")
    try:
        found = connection.sql(
            f"select {expression} as gid from canonical order by position"
        ).to_arrow_table()
    finally:
        connection.unregister("canonical")
    return found["gid"].combine_chunks()


def _times(values: Integers) -> pa.Array:
    return pa.array(values, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _graph_rows(
    evidence: Evidence, people: People, canonical: Integers, person_ids: pa.Array, component_ids: pa.Array
) -> pa.Table:
    is_canonical = np.zeros(len(evidence), np.bool_)
    is_canonical[canonical] = True
    kinds = pa.array(evidence.kinds)
    columns = {
        "id": evidence.ids,
        "id_type": pa.array([name for name, _ in evidence.kind_names], pa.string()).take(kinds),
        "provider": pa.array([provider for _, provider in evidence.kind_names], pa.string()).take(kinds),
        "global_user_id": person_ids.take(pa.array(people.persons)),
        "first_seen": _times(evidence.first_seen),
        "last_seen": _times(evidence.last_seen),
        "sources": pa.array(evidence.source_lists, pa.list_(pa.string())).take(
            pa.array(evidence.source_sets)
        ),
        "links": pa.array(evidence.links),
        "component_id": component_ids.take(pa.array(people.components)),
        "is_canonical": pa.array(is_canonical),
    }
    return pa.table(columns, schema=ID_GRAPH.arrow_schema)


def _quarantine_rows(evidence: Evidence, people: People, component_ids: pa.Array) -> pa.Table:
    def row(refusal: Refusal) -> dict[str, Any]:
        left, right = refusal.left, refusal.right
        a_type, a_provider = evidence.kind_names[evidence.kinds[left]]
        b_type, b_provider = evidence.kind_names[evidence.kinds[right]] if right >= 0 else (None, None)
        return {
            "component_id": component_ids[int(people.components[left])].as_py(),
            "reason": refusal.reason,
            "detail": refusal.detail,
            "id_a_type": a_type,
            "id_a_provider": a_provider,
            "id_a": evidence.ids[left].as_py(),
            "id_b_type": b_type,
            "id_b_provider": b_provider,
            "id_b": evidence.ids[right].as_py() if right >= 0 else None,
            "seen_at": refusal.seen_at,
        }

    rows = [row(refusal) for refusal in people.refusals]
    columns = {
        field.name: pa.array(
            [item[field.name] for item in rows], pa.int64() if field.name == "seen_at" else field.type
        )
        for field in ID_GRAPH_QUARANTINE.arrow_schema
    }
    columns["seen_at"] = columns["seen_at"].cast(pa.timestamp("us", tz="UTC"))
    return pa.table(columns, schema=ID_GRAPH_QUARANTINE.arrow_schema)
