"""Maintenance that is killed at random moments: run again, and everything is as if nothing had happened."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.compression import CompressionAction, plan_compression
from blotout_orchestration.maintenance.execution import carry_out
from tests.maintenance.lakes import CLICKS, FIRST_HOUR, clicks, contents, fill

PROGRAM = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.compression import CompressionAction, plan_compression
from blotout_orchestration.maintenance.execution import carry_out
from blotout_orchestration.settings import Settings

home = Path(sys.argv[1])
lake = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))
now = datetime.now(UTC) + timedelta(days=int(sys.argv[2]))
plan = plan_compression(lake, now)
print("planned", len(plan.items), flush=True)
report = carry_out(
    plan, CompressionAction(lake, "run", now), dry_run=False, maximum_failures=0,
    audit=lambda item, outcome, details: None, progress=lambda line: None,
)
print("done", report.counts(), flush=True)
"""
KILLS = 8


def start(lake: Lake, days: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(lake.settings.blotout_home), str(days)],
        stdout=subprocess.PIPE,
        text=True,
    )


def run_to_its_end(lake: Lake, days: int) -> None:
    now = datetime.now(UTC) + timedelta(days=days)
    report = carry_out(
        plan_compression(lake, now),
        CompressionAction(lake, "last", now),
        dry_run=False,
        maximum_failures=0,
        audit=lambda item, outcome, details: None,
        progress=lambda line: None,
    )
    assert report.counts()["failed"] == 0


@pytest.mark.heavy
@pytest.mark.parametrize("days", [0, 10], ids=["compacting", "expiring and sweeping"])
def test_killed_again_and_again_nothing_is_lost_and_a_last_run_finishes_the_work(lake, days):
    dice = random.Random(days)
    fill(lake, hours=24 * 4, rows_an_hour=3)
    if days:
        run_to_its_end(lake, 0)
    before = contents(lake)
    killed = 0
    for _ in range(KILLS):
        process = start(lake, days)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("planned")
        try:
            process.wait(timeout=dice.uniform(0.0, 0.8))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
        process.stdout.close()
        assert contents(lake) == before
        # New small files, so that the next one has work again.
        for number in range(2):
            hour = FIRST_HOUR + timedelta(hours=number)
            lake.append(CLICKS, clicks(hour, 3, 10**6 + number), {"run_id": "more"})
        before = contents(lake)
    assert killed > 0
    for later in (0, 20, 20):
        run_to_its_end(lake, later)
    assert contents(lake) == before
    assert len(lake.files(CLICKS)) <= 4 + 2
    folder = Path(lake.ensure(CLICKS).location().removeprefix("file://")) / "data"
    assert {str(path) for path in folder.rglob("*.parquet")} == set(lake.files(CLICKS))
