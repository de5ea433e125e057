"""kill -9 at any moment of a full tick, run again: the tables of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blotout_orchestration.analytics.warehouse import connect_published
from blotout_orchestration.demo.commands import MAIN_JOB
from blotout_orchestration.demo.landing import land_demo
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import generate, write
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_MERGES
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

KILLS = 10
LAKE_TABLES = (CORE_EVENTS, BAD_EVENTS, EVENT_HOURS, ID_GRAPH, ID_GRAPH_MERGES)
OF_THE_RUN = {"run_id", "processed_at"}
REPORTS = (
    "unique_events", "unified_events", "sessions", "conversions", "view_users", "attribution", "campaign",
    "retention",
)  # fmt: skip


def start(home: Path) -> subprocess.Popen[bytes]:
    """The main job by the command line, in a process group of its own."""
    environment = {
        **os.environ,
        "BLOTOUT_HOME": str(home),
        "ORGANISATION": "shop",
        "ENVIRONMENT": "test",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("blotout")), "run", MAIN_JOB],
        cwd=home,
        env=environment,
        stdout=(home / "run.log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run_to_the_end(home: Path) -> float:
    started = time.monotonic()
    code = start(home).wait()
    assert code == 0, (home / "run.log").read_text(encoding="utf-8", errors="replace")[-4000:]
    return time.monotonic() - started


def prepare(home: Path, store: Path) -> Settings:
    home.mkdir()
    settings = Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test")
    land_demo(Lake(settings), store)
    return settings


def sorted_rows(rows: pa.Table) -> list[str]:
    """Rows as text in a fixed order, without what only tells which run wrote them."""
    kept = rows.drop_columns([name for name in rows.column_names if name in OF_THE_RUN])
    return sorted(repr(sorted(row.items())) for row in kept.to_pylist())


def tables(settings: Settings) -> dict[str, list[str]]:
    lake = Lake(settings)
    found: dict[str, list[str]] = {spec.name: sorted_rows(lake.read(spec)) for spec in LAKE_TABLES}
    with connect_published(settings) as connection:
        for name in REPORTS:
            rows: Any = connection.execute(f"select * from {name}").to_arrow_table()
            found[name] = sorted_rows(rows)
    return found


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_a_tick_that_is_killed_ten_times_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(generate(DemoOptions(people=60, days=6, events=2_000)), store)
    undisturbed = prepare(tmp_path / "undisturbed", store)
    seconds = run_to_the_end(tmp_path / "undisturbed")
    expected = tables(undisturbed)
    assert all(expected[name] for name in ("core_events", "id_graph", "sessions", "attribution"))

    killed = prepare(tmp_path / "killed", store)
    rng = random.Random("kill -9")
    interrupted = 0
    for number in range(KILLS):
        # One moment from each tenth of the run, so that every part of it is hit.
        moment = seconds * (number + rng.random()) / KILLS
        process = start(tmp_path / "killed")
        time.sleep(moment)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            interrupted += 1
        process.wait()
    run_to_the_end(tmp_path / "killed")
    assert interrupted >= KILLS // 2
    found = tables(killed)
    for name, rows in expected.items():
        assert found[name] == rows, f"{name} differs after kills"
