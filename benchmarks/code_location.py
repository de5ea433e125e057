"""Loading the code location in a fresh interpreter: python -m benchmarks.code_location [--quick] [--verbose]

The package and its environment are byte-compiled and the dbt manifest is prebuilt, as after `make demo`. The
yardstick is `import dagster` alone. `--verbose` lists the imports that take longest by themselves.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, Seconds, benchmark_main, progress, run_command

TARGET_SECONDS = 5.0
LOAD = """
import blotout_orchestration.definitions as location
location.defs().get_repository_def().load_all_definitions()
"""
BARE = "import dagster"
SHOWN = 15


def measure(options: argparse.Namespace) -> list[Figure]:
    """Median wall seconds of loading the location, and of importing Dagster alone."""
    package = Path(__file__).resolve().parent.parent / "blotout_orchestration"
    compileall.compile_dir(str(package), quiet=1)
    with tempfile.TemporaryDirectory(prefix="blotout-bench-") as home:
        environment = {**os.environ, "BLOTOUT_HOME": home}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        progress("building the dbt manifest, warming the file cache")
        for code in (LOAD, BARE):
            _fresh(code, environment, Path(home))
        times: dict[str, list[Seconds]] = {LOAD: [], BARE: []}
        for number in range(1 if options.quick else 5):
            for code, found in times.items():
                found.append(_fresh(code, environment, Path(home)))
            ours, bare = times[LOAD][-1], times[BARE][-1]
            progress(f"load {number + 1}: {ours.wall:.2f} s, import dagster {bare.wall:.2f} s")
        if options.verbose:
            print(_slowest_imports(_fresh(LOAD, environment, Path(home), "-X", "importtime").output))
    wall, cpu = (
        {code: statistics.median(getattr(one, kind) for one in found) for code, found in times.items()}
        for kind in ("wall", "cpu")
    )
    return [
        Figure("load, wall", wall[LOAD], "s", BARE, wall[BARE], target_value=TARGET_SECONDS),
        Figure("load, CPU", cpu[LOAD], "s", BARE, cpu[BARE]),
    ]


def _fresh(code: str, environment: dict[str, str], folder: Path, *switches: str) -> Seconds:
    return run_command([sys.executable, *switches, "-c", code], environment=environment, folder=folder)


def _slowest_imports(output: str) -> str:
    """The lines of `-X importtime` with the most own time, milliseconds."""
    rows = []
    for line in output.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and parts[0].strip().isdigit():
            rows.append((int(parts[0]) / 1000, int(parts[1]) / 1000, parts[2].strip()))
    rows.sort(reverse=True)
    lines = [f"  {own:8.1f} {total:8.1f}  {name}" for own, total, name in rows[:SHOWN]]
    return "\n".join(["  imports that take longest: own ms, with what they import, module", *lines])


if __name__ == "__main__":
    benchmark_main("code_location", measure, __doc__)
