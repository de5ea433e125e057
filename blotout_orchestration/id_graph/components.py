"""Connected components and their canonical nodes, over integer codes.

Belongs here: pure algorithms on arrays. What may be connected is decided in people.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from blotout_orchestration.id_graph.evidence import Evidence, Integers


def connected(nodes: int, left: Any, right: Any) -> Integers:
    """The component of each node, numbered from 0 (scipy's weak components of the pairs)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if nodes == 0:
        return np.zeros(0, np.int64)
    graph = coo_matrix((np.ones(len(left), np.bool_), (left, right)), shape=(nodes, nodes))
    _, labels = connected_components(graph, directed=False)
    result: Integers = labels.astype(np.int64)
    return result


def canonical_nodes(evidence: Evidence, labels: Integers) -> Integers:
    """For each label the node with the smallest (first_seen, type, provider, id).

    Labels are 0..n-1 with no gaps. Order of arrival has no say in it, and the older of two components that
    are joined keeps its canonical node.
    """
    count = int(labels.max(initial=-1)) + 1
    oldest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(oldest, labels, evidence.first_seen)
    candidates = np.flatnonzero(evidence.first_seen == oldest[labels])
    names = sorted((kind[0], kind[1] or "") for kind in evidence.kind_names)
    rank_of = np.array([names.index((kind[0], kind[1] or "")) for kind in evidence.kind_names], np.int64)
    # Two ids of one event are as old as each other: the type decides nearly always, without their text.
    ranks = rank_of[evidence.kinds[candidates]] if len(candidates) else candidates
    best = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(best, labels[candidates], ranks)
    candidates = candidates[ranks == best[labels[candidates]]]
    canonical = np.full(count, -1, np.int64)
    canonical[labels[candidates]] = candidates
    tied = np.bincount(labels[candidates], minlength=count) > 1
    ties = candidates[tied[labels[candidates]]]
    if len(ties):
        owners = labels[ties].tolist()
        ids = evidence.ids.take(pa.array(ties)).to_pylist()
        # Descending, so that the smallest id of each label is written last.
        for index in sorted(range(len(ties)), key=lambda i: (owners[i], ids[i]), reverse=True):
            canonical[owners[index]] = ties[index]
    return canonical


def relabel(labels: npt.ArrayLike) -> Integers:
    """The same grouping with labels 0..n-1."""
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    return codes.astype(np.int64)


class LimitedUnion:
    """Union-find that refuses a union when the joined set would hold more of a kind than allowed."""

    def __init__(self, kinds: Sequence[int], limits: Sequence[int | None]) -> None:
        self._parent = list(range(len(kinds)))
        self._limits = limits
        self._counts = [{kind: 1} if limits[kind] is not None else {} for kind in kinds]

    def find(self, node: int) -> int:
        """The set of a node."""
        parent = self._parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(self, left: int, right: int) -> int | None:
        """Join two sets; returns None, or the kind whose limit forbids it."""
        a, b = self.find(left), self.find(right)
        if a == b:
            return None
        counts, others = self._counts[a], self._counts[b]
        for kind in sorted(others):
            limit = self._limits[kind]
            if limit is not None and counts.get(kind, 0) + others[kind] > limit:
                return kind
        self._parent[b] = a
        for kind, number in others.items():
            counts[kind] = counts.get(kind, 0) + number
        self._counts[b] = {}
        return None
