"""Kill -9 in the middle of a tick: the table is as it was or as it should be, and the next run ends the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blotout_orchestration.entities import registry
from blotout_orchestration.entities.contract import FUNNEL_DROPOFFS, FUNNEL_REPORT, SEGMENT_MEMBERSHIP
from blotout_orchestration.entities.funnels import update_funnels
from blotout_orchestration.entities.membership import update_membership
from blotout_orchestration.lake import Lake
from tests.entities import warehouse as made

PROGRAM = """
import os, signal, sys
from pathlib import Path
from blotout_orchestration.entities import funnels, membership
from blotout_orchestration.lake import Lake, catalog, commits
from blotout_orchestration.lake import merge_on_read
from blotout_orchestration.settings import Settings

home, moment = Path(sys.argv[1]), sys.argv[2]
lake = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))

def killed_before(owner, name, number=1):
    real, calls = getattr(owner, name), []
    def instead(*arguments, **options):
        calls.append(name)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    setattr(owner, name, instead)

if moment == "before the commit":
    killed_before(merge_on_read, "replace_positions")
elif moment == "in the commit":
    killed_before(merge_on_read, "_write_delete_file")
elif moment == "after the commit":
    killed_before(Lake, "rewrite_if_fragmented")
elif moment == "between the tables":
    killed_before(commits, "replace_rows", 2)
membership.update_membership(lake, run_id="killed")
funnels.update_funnels(lake, run_id="killed")
"""
TABLES = (SEGMENT_MEMBERSHIP, FUNNEL_REPORT, FUNNEL_DROPOFFS)


def _rows(lake: Lake) -> list[list[tuple[object, ...]]]:
    return [
        sorted((tuple(row.values()) for row in lake.read(table).to_pylist()), key=str) for table in TABLES
    ]


def _shop(home: Path, settings) -> Lake:
    """A lake after a first tick, with a warehouse in which somebody has left, entered and gone on since."""
    lake = Lake(settings.model_copy(update={"blotout_home": home}))
    buyers = made.segment({"profile": "orders", "operator": "GREATER_THAN", "value": 0}, "buyers")
    registry.add(lake.settings, [buyers, made.funnel("ab")], "me")
    before = [{"global_user_id": name, "orders": 1} for name in ("ann", "bob")]
    made.publish(lake.settings, before, [made.event("ann", "a", 0), made.event("bob", "a", 0)])
    update_membership(lake, run_id="first")
    update_funnels(lake, run_id="first")
    after = [{"global_user_id": "bob", "orders": 1}, {"global_user_id": "cyd", "orders": 2}]
    made.publish(lake.settings, after, [made.event("ann", "a", 0), made.event("ann", "b", 5)], days=31)
    return lake


@pytest.mark.parametrize(
    "moment", ["before the commit", "in the commit", "after the commit", "between the tables"]
)
def test_a_killed_tick_run_again_gives_the_rows_of_one_that_was_not(tmp_path, settings, moment):
    smooth = _shop(tmp_path / "smooth", settings)
    update_membership(smooth, run_id="second")
    update_funnels(smooth, run_id="second")

    broken = _shop(tmp_path / "broken", settings)
    before = _rows(broken)
    died = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "broken"), moment], capture_output=True, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    left = _rows(broken)
    for now, was, shall_be in zip(left, before, _rows(smooth), strict=True):
        assert now in (was, shall_be)
    update_membership(broken, run_id="second")
    update_funnels(broken, run_id="second")
    assert _rows(broken) == _rows(smooth)
