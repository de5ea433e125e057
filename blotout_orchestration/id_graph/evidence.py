"""Edges of the graph as arrays: nodes as integer codes, the pairs that link them.

Belongs here: reading edges from DuckDB into numpy, once, in the shape that the algorithms want. What follows
from the edges is components.py and people.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]

_NODE_HASH = "hash({0}_type, {0}_provider, {0})"
_CHECK_HASH = "hash('~' || {0}, {0}_provider, {0}_type)"


@dataclass(frozen=True)
class Evidence:
    """The edges of some whole components, nodes numbered from 0.

    `kinds` index `kind_names` (type, provider). Times are microseconds since 1970, UTC. `links` counts the
    rows that link a node to another; `left` and `right` are those rows' ends. `source_sets` index
    `source_lists`, the sorted sources of a node.
    """

    ids: pa.Array
    kinds: npt.NDArray[np.int32]
    kind_names: list[tuple[str, str | None]]
    first_seen: Integers
    last_seen: Integers
    source_sets: Integers
    source_lists: list[list[str]]
    left: Integers
    right: Integers
    link_first_seen: Integers

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def links(self) -> Integers:
        """Rows of evidence that link each node to another one."""
        count = np.bincount(self.left, minlength=len(self)) + np.bincount(self.right, minlength=len(self))
        return count.astype(np.int64)

    def names(self, nodes: Integers) -> list[tuple[str, str, str]]:
        """(type, provider or '', id) of some nodes: what ties are broken by."""
        ids = self.ids.take(pa.array(nodes)).to_pylist()
        kinds = (self.kind_names[kind] for kind in self.kinds[nodes])
        return [(kind[0], kind[1] or "", name) for kind, name in zip(kinds, ids, strict=True)]


def load_evidence(connection: Any, relation: str) -> Evidence:
    """Read `relation` (columns of id_edges, blocked ids already taken out) into arrays.

    Nodes are numbered by a 64-bit hash of (type, provider, id), checked by a second, independent one: should
    two nodes ever share the first, they are numbered by their text instead.
    """
    import pandas

    rows = connection.sql(_QUERY.format(relation=relation)).to_arrow_table()
    linked = ~_column(rows, "alone").astype(bool)
    codes, uniques = pandas.factorize(_both(rows, "node", linked))
    nodes = len(uniques)
    first_row = _first_rows(codes, nodes)
    checks = _both(rows, "checked", linked)
    texts = pa.concat_arrays(
        [rows["id_a"].combine_chunks(), rows["id_b"].combine_chunks().filter(pa.array(linked))]
    )
    if not np.array_equal(checks, checks[first_row][codes]):
        codes, nodes = _codes_by_text(rows, linked, texts)
        first_row = _first_rows(codes, nodes)
    kind_codes, kind_hashes = pandas.factorize(_both(rows, "kind", linked)[first_row])
    kind_names = _kind_names(connection, relation)
    first_seen = np.full(nodes, np.iinfo(np.int64).max)
    last_seen = np.full(nodes, np.iinfo(np.int64).min)
    row_first, row_last = _column(rows, "first_seen"), _column(rows, "last_seen")
    np.minimum.at(first_seen, codes, np.concatenate([row_first, row_first[linked]]))
    np.maximum.at(last_seen, codes, np.concatenate([row_last, row_last[linked]]))
    source_sets, source_lists = _sources(rows, linked, codes, nodes)
    count = rows.num_rows
    return Evidence(
        ids=texts.take(pa.array(first_row)),
        kinds=kind_codes.astype(np.int32),
        kind_names=[kind_names[value] for value in kind_hashes.tolist()],
        first_seen=first_seen,
        last_seen=last_seen,
        source_sets=source_sets,
        source_lists=source_lists,
        left=codes[:count][linked].astype(np.int64),
        right=codes[count:].astype(np.int64),
        link_first_seen=row_first[linked],
    )


_QUERY = (
    "select id_a, id_b, id_b is null as alone, source, "
    f"{_NODE_HASH.format('id_a')} as node_a, {_NODE_HASH.format('id_b')} as node_b, "
    f"{_CHECK_HASH.format('id_a')} as checked_a, {_CHECK_HASH.format('id_b')} as checked_b, "
    "hash(id_a_type, id_a_provider) as kind_a, hash(id_b_type, id_b_provider) as kind_b, "
    "epoch_us(first_seen) as first_seen, epoch_us(last_seen) as last_seen from {relation}"
)


def _column(rows: pa.Table, name: str) -> Any:
    return rows[name].combine_chunks().to_numpy(zero_copy_only=False)


def _both(rows: pa.Table, name: str, linked: Any) -> Any:
    """A column of both ends: all rows' first ids, then the second ids of the rows that have one."""
    return np.concatenate([_column(rows, f"{name}_a"), _column(rows, f"{name}_b")[linked]])


def _first_rows(codes: Any, nodes: int) -> Integers:
    """Where each code occurs first."""
    first = np.empty(nodes, np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first


def _codes_by_text(rows: pa.Table, linked: Any, texts: pa.Array) -> tuple[Any, int]:
    import pandas

    kinds, _ = pandas.factorize(_both(rows, "kind", linked))
    ids = texts.dictionary_encode().indices.to_numpy().astype(np.int64)
    codes, uniques = pandas.factorize(ids * (int(kinds.max(initial=0)) + 1) + kinds)
    return codes, len(uniques)


def _kind_names(connection: Any, relation: str) -> dict[int, tuple[str, str | None]]:
    found = connection.sql(
        f"select hash(id_a_type, id_a_provider), id_a_type, id_a_provider from {relation} group by all union "
        f"select hash(id_b_type, id_b_provider), id_b_type, id_b_provider from {relation} group by all"
    ).fetchall()
    return {key: (id_type, provider) for key, id_type, provider in found}


def _sources(rows: pa.Table, linked: Any, codes: Any, nodes: int) -> tuple[Integers, list[list[str]]]:
    """The set of sources of each node, as an index into the distinct sets."""
    import pandas

    encoded = rows["source"].combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    of_rows = encoded.indices.to_numpy().astype(np.int64)
    of_nodes = np.concatenate([of_rows, of_rows[linked]])
    words = []
    for start in range(0, max(len(names), 1), 62):
        mask = np.zeros(nodes, np.int64)
        inside = (of_nodes >= start) & (of_nodes < start + 62)
        np.bitwise_or.at(mask, codes[inside], np.left_shift(np.int64(1), of_nodes[inside] - start))
        words.append(mask)
    frame = pandas.DataFrame(dict(enumerate(words)))
    if len(words) == 1:
        sets, distinct = pandas.factorize(words[0])
        masks: list[tuple[int, ...]] = [(int(mask),) for mask in distinct]
    else:
        grouped = frame.groupby(list(frame.columns), sort=False)
        sets = grouped.ngroup().to_numpy()
        masks = [tuple(int(part) for part in key) for key in grouped.size().index]
    lists = [
        sorted(name for index, name in enumerate(names) if mask[index // 62] >> (index % 62) & 1)
        for mask in masks
    ]
    return sets.astype(np.int64), lists
