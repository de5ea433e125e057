"""From evidence to people: components, cut where a rule forbids a link.

Belongs here: what super-nodes, limits and giants do. The outcome is a function of the edges and the rules
alone; neither the order of arrival nor what was computed before has a say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from blotout_orchestration.id_graph.components import LimitedUnion, connected, relabel
from blotout_orchestration.id_graph.evidence import Evidence, Integers
from blotout_orchestration.id_graph.rules import Rules


@dataclass(frozen=True)
class Refusal:
    """A node or link that was not followed: reason, the rule and figure, nodes (right is -1 for a node)."""

    reason: str
    detail: str
    left: int
    right: int
    seen_at: int


@dataclass(frozen=True)
class People:
    """Labels 0..n-1 of each node: everything connected, and the person after the rules."""

    components: Integers
    persons: Integers
    refusals: list[Refusal]


def find_people(evidence: Evidence, rules: Rules) -> People:
    """Group nodes into people. The evidence must hold whole components.

    1. A node with more neighbours than `maximum_links` is a super-node: its links are not followed.
    2. Where a person would have more ids of a type than its limit, the links of that component are followed
       in the order of (priorities of both types, first_seen, names), and one that breaks a limit is refused.
    3. A person with more ids than `maximum_ids_per_person` is taken apart into its single ids.
    """
    components = connected(len(evidence), evidence.left, evidence.right)
    refusals: list[Refusal] = []
    supers = _super_nodes(evidence, rules, refusals)
    followed = ~(supers[evidence.left] | supers[evidence.right])
    persons = components
    if not followed.all():
        persons = connected(len(evidence), evidence.left[followed], evidence.right[followed])
    persons = _limited(evidence, rules, persons, followed, refusals)
    persons = _without_giants(evidence, rules, persons, refusals)
    return People(components, persons, refusals)


def _super_nodes(evidence: Evidence, rules: Rules, refusals: list[Refusal]) -> Any:
    caps = [rules.maximum_links.get(kind[0]) for kind in evidence.kind_names]
    cap_of = np.array([np.iinfo(np.int64).max if cap is None else cap for cap in caps], np.int64)
    supers = np.zeros(len(evidence), np.bool_)
    suspects = np.flatnonzero(evidence.links > cap_of[evidence.kinds])
    if len(suspects) == 0:
        return supers
    suspected = np.zeros(len(evidence), np.bool_)
    suspected[suspects] = True
    pairs = [
        np.stack([node[suspected[node]], other[suspected[node]]], axis=1)
        for node, other in ((evidence.left, evidence.right), (evidence.right, evidence.left))
    ]
    distinct = np.unique(np.concatenate(pairs), axis=0)
    neighbours = np.bincount(distinct[:, 0], minlength=len(evidence))
    for node in np.flatnonzero(neighbours > cap_of[evidence.kinds]).tolist():
        supers[node] = True
        detail = f"linked to {neighbours[node]} ids, maximum_links is {caps[evidence.kinds[node]]}"
        refusals.append(Refusal("super_node", detail, node, -1, int(evidence.first_seen[node])))
    return supers


def _limited(
    evidence: Evidence, rules: Rules, persons: Integers, followed: Any, refusals: list[Refusal]
) -> Integers:
    limits = [rules.limit(*kind) for kind in evidence.kind_names]
    crowded = np.zeros(int(persons.max(initial=-1)) + 1, np.bool_)
    for kind, limit in enumerate(limits):
        if limit is not None:
            crowded |= np.bincount(persons[evidence.kinds == kind], minlength=len(crowded)) > limit
    if not crowded.any():
        return persons
    inside = np.flatnonzero(crowded[persons])
    position = np.full(len(evidence), -1, np.int64)
    position[inside] = np.arange(len(inside))
    # Kinds are numbered as they were read; which of two broken limits is named must not depend on that.
    by_name = sorted(range(len(limits)), key=lambda kind: _kind_name(evidence, kind))
    rank = np.argsort(np.array(by_name))
    union = LimitedUnion(rank[evidence.kinds[inside]].tolist(), [limits[kind] for kind in by_name])
    links = np.flatnonzero(followed & crowded[persons[evidence.left]])
    refused: list[Refusal] = []
    for left, right, seen_at in _in_order(evidence, rules, links):
        broken = union.join(int(position[left]), int(position[right]))
        if broken is not None:
            id_type, provider = _kind_name(evidence, by_name[broken])
            name = f"{id_type} of {provider}" if provider else id_type
            detail = f"a person may have {limits[by_name[broken]]} {name}"
            refused.append(Refusal("limit", detail, left, right, seen_at))
    # A link refused early can be met by another way later: then nothing was kept apart.
    refusals += [
        item
        for item in refused
        if union.find(int(position[item.left])) != union.find(int(position[item.right]))
    ]
    result = persons.copy()
    base = int(persons.max()) + 1
    result[inside] = base + np.array([union.find(index) for index in range(len(inside))], np.int64)
    return relabel(result)


def _kind_name(evidence: Evidence, kind: int) -> tuple[str, str]:
    id_type, provider = evidence.kind_names[kind]
    return id_type, provider or ""


def _in_order(evidence: Evidence, rules: Rules, links: Integers) -> Iterator[tuple[int, int, int]]:
    """Distinct links as (left, right, first seen), strong types first, then old before new."""
    strength = [rules.priorities.index(kind[0]) for kind in evidence.kind_names]
    nodes = np.unique(np.concatenate([evidence.left[links], evidence.right[links]]))
    names = dict(zip(nodes.tolist(), evidence.names(nodes), strict=True))
    oldest: dict[tuple[int, int], int] = {}
    ends = (evidence.left[links].tolist(), evidence.right[links].tolist())
    for left, right, seen_at in zip(*ends, evidence.link_first_seen[links].tolist(), strict=True):
        pair = (left, right) if names[left] <= names[right] else (right, left)
        oldest[pair] = min(seen_at, oldest.get(pair, seen_at))

    def rank(item: tuple[tuple[int, int], int]) -> tuple[Any, ...]:
        (left, right), seen_at = item
        one, other = strength[evidence.kinds[left]], strength[evidence.kinds[right]]
        return max(one, other), min(one, other), seen_at, names[left], names[right]

    for (left, right), seen_at in sorted(oldest.items(), key=rank):
        yield left, right, seen_at


def _without_giants(evidence: Evidence, rules: Rules, persons: Integers, refusals: list[Refusal]) -> Integers:
    if rules.maximum_ids_per_person is None:
        return persons
    sizes = np.bincount(persons)
    giants = np.flatnonzero(sizes > rules.maximum_ids_per_person)
    if len(giants) == 0:
        return persons
    result = persons.copy()
    links = evidence.links
    for giant in giants.tolist():
        nodes = np.flatnonzero(persons == giant)
        result[nodes] = len(sizes) + nodes
        most = np.flatnonzero(links[nodes] == links[nodes].max())
        names = dict(zip(most.tolist(), evidence.names(nodes[most]), strict=True))
        hub = int(nodes[min(names, key=lambda index: names[index])])
        detail = f"{len(nodes)} ids in one person, maximum_ids_per_person is {rules.maximum_ids_per_person}"
        refusals.append(Refusal("giant_component", detail, hub, -1, int(evidence.first_seen[nodes].min())))
    return relabel(result)
