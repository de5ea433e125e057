"""Stitching against scipy's own time: python benchmarks/stitching.py [--edges 5000000] [--seed 7]

Makes a graph, keeps its edges as the table id_edges, and times in one process: scipy alone (np.unique of the
ids as read, connected_components), a full run (table read, components, id_graph written), and a run with 1 %
more edges (extracted, components joined, five tables committed). First with one giant component and the rules
off, so that scipy and the run find the same; then with small components and limits. The increment is compared
with a full rebuild. The ids are texts of 36 characters.

The 1 % are the last edges of the same graph: ids seen again, and some ids and small components that they join.
`--random-ends` links random ids of the whole graph instead, which no population does: with small components every
edge then merges two of them, and a tenth or more of all rows changes its person. The giant holds the oldest id. `--older-joins` gives that to a small component instead, which the increment joins
to the giant: then the giant loses its global_user_id by the rule that the older one keeps its, and all its rows
are rewritten.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH, ID_GRAPH_BATCHES, ID_GRAPH_QUARANTINE
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

START_US = 1_767_225_600_000_000
NO_RULES = Rules(limits={}, maximum_links={}, maximum_ids_per_person=None)


class TableSource:
    """Edges made beforehand, by batch."""

    name = "benchmark"

    def __init__(self) -> None:
        self.tables: dict[str, pa.Table] = {}

    def batches(self, lake: Lake, connection: Any, held: Mapping[str, str]) -> dict[str, str]:
        return {name: str(table.num_rows) for name, table in self.tables.items()}

    def edges(self, lake: Lake, connection: Any, batches: Sequence[str], rules: Rules) -> pa.Table:
        return pa.concat_tables([self.tables[name] for name in batches])


class EdgesInTheLake(TableSource):
    """The same, but edges of `base` are taken to be in the table already: only later batches are read."""

    def __init__(self, source: TableSource) -> None:
        self.tables = source.tables

    def batches(self, lake: Lake, connection: Any, held: Mapping[str, str]) -> dict[str, str]:
        return {
            name: rows for name, rows in super().batches(lake, connection, held).items() if name != "base"
        }


def pairs(edges: int, giant: bool, random: np.random.Generator) -> tuple[Any, Any, int]:
    """Edges between numbered ids, and how many ids there are: 0.56 ids an edge.

    With a giant two thirds of the ids are one component; the others are components of about ten. Every id is
    linked to an earlier one of its component, and the remaining edges lie anywhere within components.
    """
    ids = int(edges * 0.5625)
    inside = int(ids * 0.676) if giant else 0
    numbers = np.arange(ids)
    start = np.where(numbers < inside, 0, inside + (numbers - inside) // 10 * 10)
    tree = numbers[numbers > start]
    more = edges - len(tree)
    some = random.integers(0, ids, more)
    left = np.concatenate([tree, some])
    width = np.where(left < inside, inside, np.minimum(10, ids - start[left]))
    right = start[left] + (random.random(edges) * width).astype(np.int64)
    right[: len(tree)] = start[tree] + (random.random(len(tree)) * (tree - start[tree])).astype(np.int64)
    right = np.where(right == left, start[left], right)
    order = random.permutation(edges)
    return left[order], right[order], ids


def edge_table(
    batch: str, left: Any, right: Any, offset: int, random: np.random.Generator, oldest: int | None = None
) -> pa.Table:
    """Rows of id_edges: browsers (36 characters, as the SDK makes them) linked to map ids and e-mail hashes."""
    import duckdb

    seen = START_US + random.integers(1, 10**12, len(left))
    if oldest is not None:
        seen[np.flatnonzero(left == oldest)[:1]] = START_US
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.register("pairs", pa.table({"l": left, "r": right, "seen": seen}))
    kind = "case when {0} % 4 < 2 then 'user_id' when {0} % 4 = 2 then 'map_id' else 'email_sha256' end"
    rows = connection.sql(
        f"""select '{batch}' as batch, make_timestamptz({START_US + offset}) as batch_hour,
                   case when r % 2 = 0 then 'core_events.map_id' else 'core_events.persona_email' end as source,
                   {kind.format("l")} as id_a_type, case when l % 4 = 2 then 'shopify' end as id_a_provider,
                   md5(l::varchar)::uuid::varchar as id_a,
                   {kind.format("r")} as id_b_type, case when r % 4 = 2 then 'shopify' end as id_b_provider,
                   md5(r::varchar)::uuid::varchar as id_b,
                   make_timestamptz(seen) as first_seen, make_timestamptz(seen + 1000) as last_seen,
                   1::bigint as count from pairs"""
    ).to_arrow_table()
    return rows.cast(ID_EDGES.arrow_schema)


def scipy_alone(lake: Lake) -> int:
    """The baseline: ids as read, np.unique, scipy's connected components."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = lake.read(ID_EDGES, columns=("id_a", "id_b"))
    ids = np.concatenate([rows[name].to_numpy(zero_copy_only=False) for name in ("id_a", "id_b")])
    started = time.perf_counter()
    names, codes = np.unique(ids.astype("S36"), return_inverse=True)
    pairs = (codes[: rows.num_rows], codes[rows.num_rows :])
    weights = np.ones(rows.num_rows, np.bool_)
    graph = coo_matrix((weights, pairs), shape=(len(names), len(names)))
    found, _ = connected_components(graph, directed=False)
    scipy_alone.seconds = time.perf_counter() - started  # type: ignore[attr-defined]
    return int(found)


def timed(action: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, wall seconds and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure(
    edges: int, giant: bool, rules: Rules, seed: int, *, older_joins: bool = False, random_ends: bool = False
) -> dict[str, Any]:
    """One lake: everything taken in, full run, scipy, one per cent more. Seconds; `_cpu` are CPU seconds."""
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Settings(_env_file=None, blotout_home=Path(folder)))  # type: ignore[call-arg]
        source = TableSource()
        more = max(edges // 100, 1)
        left, right, ids = pairs(edges + more, giant, random)
        oldest = ids - 1 if older_joins else 1
        source.tables["base"] = edge_table("base", left[:edges], right[:edges], 0, random, oldest)
        ends = left[edges:], right[edges:]
        if random_ends or older_joins:
            ends = random.integers(0, ids, more), random.integers(0, ids, more)
            ends[0][0], ends[1][0] = ids - 1, 1
        _, load, load_cpu = timed(lambda: stitch(lake, rules=rules, run_id="load", sources=[source]))
        print(f"{edges:,} edges extracted, stored and stitched in {load:.1f} s", flush=True)
        components, _, _ = timed(lambda: scipy_alone(lake))
        for spec in (ID_GRAPH, ID_GRAPH_BATCHES, ID_GRAPH_QUARANTINE):
            lake.replace(spec, spec.arrow_schema.empty_table(), AlwaysTrue(), {})
        held = EdgesInTheLake(source)
        full, full_wall, full_cpu = timed(lambda: stitch(lake, rules=rules, run_id="full", sources=[held]))
        source.tables["more"] = edge_table("more", *ends, 3_600_000_000, random)
        added, more_wall, more_cpu = timed(lambda: stitch(lake, rules=rules, run_id="more", sources=[held]))
        check = stitch(lake, rules=rules, run_id="check", sources=[held], full=True, dry_run=True)
        assert (check.ids, check.people) == (added.ids, added.people), "increment differs from a rebuild"
        return {
            "ids": full.ids,
            "people": full.people,
            "components": components,
            "scipy": scipy_alone.seconds,  # type: ignore[attr-defined]
            "load": load,
            "load_cpu": load_cpu,
            "full": full_wall,
            "full_cpu": full_cpu,
            "more": more_wall,
            "more_cpu": more_cpu,
            "merges": added.merges,
            "touched": added.touched_components,
        }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--older-joins", action="store_true")
    parser.add_argument("--random-ends", action="store_true")
    options = parser.parse_args()
    cases = [
        ("one giant, no rules", True, NO_RULES),
        ("small components, default rules", False, Rules()),
    ]
    for name, giant, rules in cases:
        row = measure(
            options.edges,
            giant,
            rules,
            options.seed,
            older_joins=options.older_joins,
            random_ends=options.random_ends,
        )
        print(f"\n{name}: {row['ids']:,} ids, {row['people']:,} people, {row['components']:,} components")
        print(f"  {'scipy alone':34} {row['scipy']:8.2f} s   1.00")
        print(
            f"  {'full run':34} {row['full']:8.2f} s   {row['full'] / row['scipy']:.2f} of scipy (target 1.5)"
            f"   CPU {row['full_cpu']:.1f} s"
        )
        print(f"  {'first run, edges extracted':34} {row['load']:8.2f} s   CPU {row['load_cpu']:.1f} s")
        print(
            f"  {'+1 % edges':34} {row['more']:8.2f} s   {row['more'] / row['full']:.1%} of full (target 5 %)"
            f", {row['more'] / row['load']:.1%} of the first run"
            f"   CPU {row['more_cpu']:.1f} s, {row['touched']:,} touched, {row['merges']:,} merged"
        )


if __name__ == "__main__":
    main()
