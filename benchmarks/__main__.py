"""Run benchmarks and print their tables: python -m benchmarks [NAME...] [--quick] [--verbose] [--json FILE]

Belongs here: which benchmarks there are, and running each in a process of its own. Ends with 1 when a
benchmark fails to run; a missed target is shown in the table and does not fail.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("code_location", "six_steps", "tick", "registry_tick", "flatten", "stitching")
MODULES = {"flatten": ["benchmarks.engines", "flatten"], "stitching": ["benchmarks.engines", "stitching"]}
REPOSITORY = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmarks, all by default; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default all")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that they run")
    parser.add_argument("--verbose", action="store_true", help="print what helps to explain the figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; the benchmarks are: {', '.join(NAMES)}")
    results, failed = [], []
    switches = [f"--{name}" for name in ("quick", "verbose") if getattr(options, name)]
    for name in options.names or NAMES:
        print(f"\n{name} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="blotout-bench-") as folder:
            written = Path(folder) / "figures.json"
            command = [sys.executable, "-m", *MODULES.get(name, [f"benchmarks.{name}"])]
            process = subprocess.run(
                [*command, *switches, "--json", str(written)], cwd=REPOSITORY, check=False
            )
            if process.returncode == 0:
                results.append(json.loads(written.read_text(encoding="utf-8")))
            else:
                failed.append(name)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    missed = [
        f"{result['benchmark']}: {figure['name']}"
        for result in results
        for figure in result["figures"]
        if figure["met"] is False
    ]
    print()
    for title, names in (("targets missed", missed), ("failed to run", failed)):
        if names:
            print(f"{title}: {'; '.join(names)}")
    judged = sum(figure["met"] is not None for result in results for figure in result["figures"])
    print(f"{judged - len(missed)} of {judged} targets met")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
