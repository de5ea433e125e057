"""Flatten synthetic requests: the DuckDB engine against the bare DuckDB query and against Spark local.

    python benchmarks/flatten.py [--lines 2000000] [--files 96] [--engines parse,bare,duckdb,spark] [--json FILE]

Every engine runs in a process of its own; CPU seconds are those of the process and its children. `bare` is one
straightforward statement for the columns of core_events, `parse` the part of it that only reads, parses, types
and writes (bare_query.py says what either leaves out).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Run as a file, each engine in a process of its own, the folder above is not on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bare_query import bare_query
from benchmarks.sdk_requests import synthesise


def run_engine(engine: str, home: Path, landing: Path) -> int:
    """Flatten in this process; rows written."""
    if engine in ("bare", "parse"):
        import duckdb

        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(bare_query(landing, home / "bare.parquet", narrow=engine == "parse"))
        return int(connection.execute(f"select count(*) from '{home / 'bare.parquet'}'").fetchall()[0][0])
    from blotout_orchestration.events.processing import flatten_hours, pending_hours
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.settings import Settings

    lake = Lake(Settings(_env_file=None, blotout_home=home, spark_master="local[2]"))  # type: ignore[call-arg]
    target = Path(lake.layer("landing"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(landing, target_is_directory=True)
    results = flatten_hours(
        lake,
        pending_hours(lake),
        engine=engine,  # type: ignore[arg-type]
        run_id="benchmark",
        progress=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )
    return sum(result.events_good for result in results)


def measure(engine: str, landing: Path, folder: Path) -> dict[str, float | int | str]:
    """Run one engine in a process of its own; seconds, CPU seconds, peak resident GB."""
    home = folder / engine
    home.mkdir()
    command = [sys.executable, __file__, "--run", engine, "--home", str(home), "--landing", str(landing)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rows, peak = process.stdout.split()[-2:]
    return {
        "engine": engine,
        "rows": int(rows),
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_gb": round(int(peak) / 1e6, 2),
    }


def main() -> None:
    """Synthesise, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--files", type=int, default=96)
    parser.add_argument("--engines", default="parse,bare,duckdb,spark")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--landing", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        rows = run_engine(options.run, options.home, options.landing)
        usage = [
            resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        print(rows, max(usage))
        return
    with tempfile.TemporaryDirectory(prefix="blotout-bench-") as text:
        folder = Path(text)
        print(f"writing {options.lines:,} requests into {options.files} files ...", flush=True)
        size = synthesise(folder / "landing", options.lines, options.files)
        print(f"{size / options.lines:,.0f} bytes a line, {size / 1e9:.2f} GB unpacked", flush=True)
        figures = []
        for engine in options.engines.split(","):
            figures.append(measure(engine, folder / "landing", folder))
            print(f"{engine} done in {figures[-1]['wall_seconds']} s", flush=True)
    base = next((row["cpu_seconds"] for row in figures if row["engine"] == "bare"), None)
    print(f"\n{'engine':<8}{'rows':>12}{'wall s':>9}{'CPU s':>9}{'peak GB':>9}{'x bare CPU':>12}")
    for row in figures:
        ratio = f"{float(row['cpu_seconds']) / float(base):.2f}" if base else "-"
        print(
            f"{row['engine']:<8}{row['rows']:>12,}{row['wall_seconds']:>9}{row['cpu_seconds']:>9}"
            f"{row['peak_gb']:>9}{ratio:>12}"
        )
    if options.json:
        options.json.write_text(json.dumps({"lines": options.lines, "engines": figures}, indent=2))


if __name__ == "__main__":
    main()
