"""kill -9 at random moments of ten ticks, each with work to do, run again: the tables of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blotout_orchestration.demo.commands import MAIN_JOB
from blotout_orchestration.demo.landing import load_offline
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import generate, write
from blotout_orchestration.events.landing import land
from blotout_orchestration.id_graph.contract import ID_GRAPH_MERGES
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.e2e.tables import (
    Rows,
    differences,
    lake_tables,
    people_in_use,
    redirected,
    redirects_that_lead_astray,
    warehouse_tables,
)

KILLS = 10
MAXIMUM_RUNS = 30


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
    """Seconds of an undisturbed run."""
    started = time.monotonic()
    assert start(home).wait() == 0, said(home)
    return time.monotonic() - started


def said(home: Path) -> str:
    return (home / "run.log").read_text(encoding="utf-8", errors="replace")[-4000:]


def is_killed_after(home: Path, seconds: float) -> bool:
    """Start a run and kill it with all its children; False when it had ended before, successfully."""
    process = start(home)
    try:
        assert process.wait(timeout=seconds) == 0, said(home)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def deployment(home: Path, store: Path) -> Lake:
    """A lake with the offline tables; requests land later."""
    home.mkdir()
    lake = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))
    load_offline(lake, store)
    return lake


def portions(store: Path) -> list[list[Path]]:
    """The files of requests in as many portions as there are kills, so that every tick has new hours."""
    files = sorted((store / "requests").rglob("*.gz"))
    random.Random("portions").shuffle(files)
    return [files[number::KILLS] for number in range(KILLS)]


def all_tables(lake: Lake) -> dict[str, Rows]:
    """All but the redirects: they tell which people were known on the way, which a kill changes."""
    found = {**warehouse_tables(lake.settings), **lake_tables(lake.settings)}
    del found[ID_GRAPH_MERGES.name]
    return found


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_ten_killed_ticks_end_like_an_undisturbed_one(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(generate(DemoOptions(people=60, days=4, events=2_000)), store)
    undisturbed = deployment(tmp_path / "undisturbed", store)
    land(undisturbed, [store / "requests"])
    seconds = run_to_the_end(tmp_path / "undisturbed")
    assert "START sql" not in said(tmp_path / "undisturbed"), "dbt's own lines drown those of the steps"
    expected = all_tables(undisturbed)
    for name in ("core_events", "id_edges", "sessions", "attribution", "attribution_data_driven"):
        assert expected[name], f"{name} is empty: nothing is compared"

    lake = deployment(tmp_path / "killed", store)
    rng = random.Random("kill -9")
    # One moment from each tenth of a tick, in any order; a tick that ended before its moment is drawn again.
    tenths = rng.sample(range(KILLS), KILLS)
    kills, runs = 0, 0
    known: set[str] = set()
    for tenth, files in zip(tenths, portions(store), strict=True):
        land(lake, files)
        while not is_killed_after(tmp_path / "killed", seconds * (tenth + rng.random()) / KILLS):
            known |= people_in_use(lake)
            runs += 1
            assert runs < MAXIMUM_RUNS, f"{kills} kills only: the ticks end before {seconds:.0f} s"
            seconds *= 0.9
        known |= people_in_use(lake)
        kills += 1
    run_to_the_end(tmp_path / "killed")
    assert kills == KILLS
    assert differences(expected, all_tables(lake)) == {}
    assert known - people_in_use(lake) <= redirected(lake)
    assert redirects_that_lead_astray(lake) == []
