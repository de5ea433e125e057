"""The hourly tick after a day and after 100 days of history: python -m benchmarks.tick [--quick]

One demo store is landed in two homes: all hours before noon of its last day, and only the last 24 of them.
Both are brought up to date in bulk; then the same next hours are landed and run in both, one after the other,
each job as a process of its own. What is compared is the median of the hours.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.figures import Figure, Seconds, benchmark_main, progress, run_command

TARGET_RATIO = 1.3
BULK_JOB = "clickstream_to_reports"
HOURLY = "events_incremental"
JOBS = (HOURLY, "id_stitching_incremental", "events_unified_view",
        "attribution", "campaign", "retention", "derived_views")  # fmt: skip
LAND = "land"
STARTUP = "start-up alone"
BLOTOUT = Path(sys.executable).with_name("blotout")


@dataclass(frozen=True)
class Size:
    """Days of the long history, people and events of its store, hours run, and the jobs of a tick."""

    days: int
    people: int
    events: int
    hours: int
    jobs: tuple[str, ...] = JOBS


FULL = Size(days=100, people=2_000, events=100_000, hours=3)
QUICK = Size(days=10, people=100, events=2_000, hours=1, jobs=JOBS[:4])


def measure(options: argparse.Namespace) -> list[Figure]:
    """Median seconds of each job and of the whole tick, after the long history and after a day."""
    size = QUICK if options.quick else FULL
    with _folder(options.keep) as folder:
        store, noon = make_store(folder / "store", size)
        homes = {"a day": folder / "day", f"{size.days} days": folder / "history"}
        for (name, home), days in zip(homes.items(), (1, size.days), strict=True):
            progress(f"history of {name}")
            part = history(store, folder / f"store-{home.name}", noon - timedelta(days=days), noon)
            _blotout(home, "demo", "land", "--folder", str(part))
            progress(f"history of {name}: built in {_blotout(home, 'run', BULK_JOB).wall:.0f} s")
        ticks: dict[str, list[dict[str, Seconds]]] = {name: [] for name in homes}
        for hour in _hours_with_events(store, noon)[: options.hours or size.hours]:
            for name, home in homes.items():
                tick = _tick(home, store, hour, size.jobs)
                ticks[name].append(tick)
                walls = ", ".join(f"{job} {seconds.wall:.1f}" for job, seconds in tick.items())
                progress(f"{hour:%d %H:00} after {name}, wall s: {walls}")
    short, long = ticks.values()
    return _figures(size, long, short)


def _figures(size: Size, long: list[dict[str, Seconds]], short: list[dict[str, Seconds]]) -> list[Figure]:
    def median(ticks: list[dict[str, Seconds]], names: tuple[str, ...], kind: str) -> float:
        return float(statistics.median(sum(getattr(tick[name], kind) for name in names) for tick in ticks))

    def figure(label: str, names: tuple[str, ...], kind: str, target: float | None = None) -> Figure:
        values = median(long, names, kind), median(short, names, kind)
        return Figure(label, values[0], "s", "after a day", values[1], target)

    steps = (LAND, *size.jobs)
    figures = []
    for kind, name in (("wall", "wall"), ("cpu", "CPU")):
        figures += [figure(f"{step}, {name}", (step,), kind) for step in (STARTUP, *steps)]
        figures.append(figure(f"whole tick, {name}", steps, kind, TARGET_RATIO))
    # Landing starts no Dagster, so only the jobs are freed of its start.
    net = [
        median(ticks, size.jobs, "cpu") - len(size.jobs) * median(ticks, (STARTUP,), "cpu")
        for ticks in (long, short)
    ]
    figures.append(Figure("all jobs, CPU without start-up", net[0], "s", "after a day", net[1]))
    return figures


def make_store(folder: Path, size: Size) -> tuple[Path, datetime]:
    """The demo store, and noon of its last day, up to which history goes."""
    from blotout_orchestration.demo.options import DemoOptions
    from blotout_orchestration.demo.store import generate, write, written_options

    options = DemoOptions(days=size.days + 1, people=size.people, events=size.events)
    if written_options(folder) != options:
        progress(f"generating {size.events:,} events over {options.days} days")
        write(generate(options), folder)
    last = options.last_day
    return folder, datetime(last.year, last.month, last.day, 12, tzinfo=UTC)


def _hours_with_events(store: Path, first: datetime) -> list[datetime]:
    """Hours of arrival from `first` on, within two days, that the store has requests for."""
    from blotout_orchestration.lake.layers import hour_folder

    hours = [first + timedelta(hours=number) for number in range(48)]
    return [hour for hour in hours if (store / "requests" / hour_folder(hour)).is_dir()]


def history(store: Path, part: Path, start: datetime, end: datetime) -> Path:
    """A store of what arrived from `start` to before `end`; of offline rows those that happened by then."""
    from blotout_orchestration.lake.layers import hour_folder

    shutil.rmtree(part, ignore_errors=True)
    hour = start
    while hour < end:
        source = store / "requests" / hour_folder(hour)
        if source.is_dir():
            shutil.copytree(source, part / "requests" / hour_folder(hour))
        hour += timedelta(hours=1)
    for path in store.glob("offline/*/*.jsonl"):
        target = part / path.relative_to(store)
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _within(line, start, end)]
        target.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    shutil.copyfile(store / "truth.json", part / "truth.json")
    return part


def _within(line: str, start: datetime, end: datetime) -> bool:
    """Whether an event or a day of spend lies in the period; people and their ids always do."""
    row = json.loads(line)
    moment = row.get("event_datetime") or row.get("date")
    return moment is None or start.isoformat() <= str(moment) < end.isoformat()


def _tick(home: Path, store: Path, hour: datetime, jobs: tuple[str, ...]) -> dict[str, Seconds]:
    """Land an hour and run its jobs; the seconds of each process."""
    from blotout_orchestration.lake.layers import hour_folder

    one = home.parent / f"hour-{hour:%d-%H}" / "requests"
    if not one.is_dir():
        shutil.copytree(store / "requests" / hour_folder(hour), one / hour_folder(hour))
    seconds = {STARTUP: _blotout(home, "run", jobs[-1], "--dry-run"), LAND: _blotout(home, "land", str(one))}
    for job in jobs:
        only = ["--hours", f"{hour:%Y-%m-%dT%H}..{hour:%Y-%m-%dT%H}"] if job == HOURLY else []
        seconds[job] = _blotout(home, "run", job, *only)
    return seconds


def _blotout(home: Path, *arguments: str) -> Seconds:
    environment = {**os.environ, "BLOTOUT_HOME": str(home), "CATCH_UP_HOURS": "48"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return run_command([str(BLOTOUT), *arguments], environment=environment, folder=home.parent)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        for name in ("day", "history"):
            shutil.rmtree(keep / name, ignore_errors=True)
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="blotout-bench-") as text:
        yield Path(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there and keep store and homes")
    parser.add_argument("--hours", type=int, metavar="N", help=f"hours to run; default {FULL.hours}")


if __name__ == "__main__":
    benchmark_main("tick", measure, __doc__, extend=add_options)
