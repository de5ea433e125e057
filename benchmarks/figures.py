"""Figures of a benchmark: their table, their JSON, and the seconds of a command.

Belongs here: what every benchmark prints and how a process is timed. What is measured is in the others.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


class CommandError(RuntimeError):
    """A measured command failed; the message carries the end of its output."""


@dataclass(frozen=True)
class Figure:
    """One measured value, the yardstick measured in the same run, and at most one target.

    `target_ratio` bounds measured / yardstick, `target_value` bounds the measured value itself; without
    either the figure only informs.
    """

    name: str
    measured: float
    unit: str = "s"
    yardstick_name: str = ""
    yardstick: float | None = None
    target_ratio: float | None = None
    target_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """Measured / yardstick; None without a yardstick."""
        return self.measured / self.yardstick if self.yardstick else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.target_value is not None:
            return self.measured <= self.target_value
        if self.target_ratio is not None and self.ratio is not None:
            return self.ratio <= self.target_ratio
        return None


@dataclass(frozen=True)
class Seconds:
    """Wall clock and CPU seconds (user and system, children included) of a command, and what it printed."""

    wall: float
    cpu: float
    output: str


def run_command(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Seconds:
    """Run a command to its end and time it; its standard error is kept with its output.

    Raises CommandError when it does not end with 0. CPU seconds are of waited-for children, so commands
    must not be timed at the same time.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=None if environment is None else dict(environment),
        cwd=folder,
        check=False,
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        raise CommandError(f"{' '.join(command)} ended with {process.returncode}:\n{process.stdout[-3000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(wall, cpu, process.stdout)


def table(title: str, figures: Sequence[Figure]) -> str:
    """The figures as a table with one line each."""
    head = ("", "measured", "yardstick", "", "ratio", "target", "met")
    rows = [head, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, 3) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _cells(figure: Figure) -> tuple[str, ...]:
    target = ""
    if figure.target_value is not None:
        target = f"<= {figure.target_value:g} {figure.unit}"
    elif figure.target_ratio is not None:
        target = f"<= {figure.target_ratio:g} x"
    return (
        figure.name,
        f"{figure.measured:,.2f} {figure.unit}",
        "" if figure.yardstick is None else f"{figure.yardstick:,.2f} {figure.unit}",
        figure.yardstick_name,
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        target,
        {None: "", True: "yes", False: "NO"}[figure.met],
    )


def benchmark_main(
    name: str,
    measure: Callable[[argparse.Namespace], list[Figure]],
    description: str | None,
    arguments: Sequence[str] | None = None,
    extend: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """The command line that all benchmarks share: `--quick`, `--verbose`, `--json FILE`; prints the table."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--quick", action="store_true", help="a small size: shows that it runs")
    parser.add_argument("--verbose", action="store_true", help="print what helps to explain the figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    if extend is not None:
        extend(parser)
    options = parser.parse_args(arguments)
    load, started = os.getloadavg()[0], time.perf_counter()
    figures = measure(options)
    seconds = time.perf_counter() - started
    size = "quick size" if options.quick else "full size"
    note = f"{size}, {os.cpu_count()} cores, load before {load:.1f}, {seconds:.0f} s"
    print(f"\n{table(f'{name} ({note})', figures)}", flush=True)
    if options.json is not None:
        rows = [{**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures]
        result = {
            "benchmark": name,
            "quick": options.quick,
            "cores": os.cpu_count(),
            "load_before": round(load, 2),
            "seconds": round(seconds, 1),
            "figures": rows,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def progress(text: str) -> None:
    """One line of progress, at once."""
    print(f"  {text}", flush=True)
