"""Figures of flatten.py and stitching.py: python -m benchmarks.engines flatten|stitching [--quick]

Belongs here: their sizes and targets as figures. What they do is in the two modules.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, benchmark_main, progress

FLATTEN_LINES = {True: 20_000, False: 2_000_000}
FLATTEN_FILES = {True: 4, False: 96}
STITCHING_EDGES = {True: 100_000, False: 5_000_000}


def flatten(options: argparse.Namespace) -> list[Figure]:
    """DuckDB against the bare query, against the part of it that only parses, and against Spark local[2]."""
    with tempfile.TemporaryDirectory(prefix="blotout-bench-") as folder:
        written = Path(folder) / "flatten.json"
        command = [sys.executable, "-u", str(Path(__file__).with_name("flatten.py")), "--json", str(written)]
        command += ["--lines", str(FLATTEN_LINES[options.quick])]
        command += ["--files", str(FLATTEN_FILES[options.quick])]
        subprocess.run(command, check=True)
        rows = {row["engine"]: row for row in json.loads(written.read_text(encoding="utf-8"))["engines"]}
    # At the quick size starting the process outweighs the work, so nothing is judged.
    target = None if options.quick else 1.3
    ours, bare, parse, spark = (rows[engine] for engine in ("duckdb", "bare", "parse", "spark"))
    return [
        Figure("DuckDB, CPU", ours["cpu_seconds"], "s", "bare query", bare["cpu_seconds"], target),
        Figure("DuckDB, wall", ours["wall_seconds"], "s", "bare query", bare["wall_seconds"]),
        Figure("DuckDB, CPU", ours["cpu_seconds"], "s", "parse and type only", parse["cpu_seconds"]),
        Figure("DuckDB, CPU", ours["cpu_seconds"], "s", "Spark local[2]", spark["cpu_seconds"]),
        Figure("DuckDB, wall", ours["wall_seconds"], "s", "Spark local[2]", spark["wall_seconds"]),
        Figure("DuckDB, peak memory", ours["peak_gb"], "GB", "Spark local[2]", spark["peak_gb"]),
    ]


def stitching(options: argparse.Namespace) -> list[Figure]:
    """A full run against scipy alone, and 1 % more edges against the full run."""
    from benchmarks.stitching import NO_RULES, measure
    from blotout_orchestration.id_graph.rules import Rules

    edges = STITCHING_EDGES[options.quick]
    limits = Rules(limits={"map_id": 50, "email_sha256": 50})
    figures = []
    judged = not options.quick
    cases: list[tuple[str, bool, Rules, dict[str, bool]]] = [
        ("one giant", True, NO_RULES, {}),
        ("one giant, joined by an older id", True, NO_RULES, {"older_joins": True}),
        ("small components, limits", False, limits, {}),
        ("small components, limits, random ends", False, limits, {"random_ends": True}),
    ]
    for name, giant, rules, increment in cases:
        progress(f"{name}: {edges:,} edges")
        row = measure(edges, giant, rules, 7, **increment)
        figures += [
            Figure(f"{name}: full", row["full"], "s", "scipy alone", row["scipy"], 1.5 if judged else None),
            Figure(f"{name}: +1 %", row["more"], "s", "full", row["full"], 0.05 if judged else None),
            Figure(f"{name}: +1 %, CPU", row["more_cpu"], "s", "full", row["full_cpu"]),
            Figure(f"{name}: +1 %", row["more"], "s", "first run, edges extracted", row["load"]),
        ]
    return figures


MEASURES = {"flatten": flatten, "stitching": stitching}


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in MEASURES:
        sys.exit(f"which one? python -m benchmarks.engines {'|'.join(MEASURES)}")
    benchmark_main(sys.argv[1], MEASURES[sys.argv[1]], __doc__, sys.argv[2:])
