"""A replay of raw bad events that is killed between its commits, or meets another run of the same hour."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events import kernel_sql, replay_raw
from blotout_orchestration.events.contract import EVENT_HOURS
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.events.replay import replay_bad, replayable_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

from .sdk_requests import HOUR, bad_rows, batch, core_rows, event, flatten_pending, put, request

OF_THE_RUN = ("run_id", "processed_at")
REPOSITORY = Path(__file__).resolve().parents[2]
LINES = [
    request(batch(event("a", evt=5), event("b"))),
    request(batch(event("b"), event("c"))),
    "{broken",
]
CHILD = """
import os, signal, sys
from pathlib import Path
from pyiceberg.table import Transaction
from blotout_orchestration.events.replay import replay_bad
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

left = int(sys.argv[2])
commit = Transaction.commit_transaction

def counted(self):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return commit(self)

Transaction.commit_transaction = counted
settings = Settings(_env_file=None, blotout_home=Path(sys.argv[1]), organisation="shop", environment="test")
replay_bad(Lake(settings), dry_run=False)
"""


def refused(home: Path, patch: pytest.MonkeyPatch) -> tuple[Lake, Path]:
    """An hour of which a defect, since then mended, refused two events, one of them delivered twice."""
    lake = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))
    kernel_sql.kernel_sql.cache_clear()
    with patch.context() as defect:
        defect.setattr(kernel_sql, "LATEST_MS", 1_000_000)
        path = put(lake, LINES)
        flatten_pending(lake)
    kernel_sql.kernel_sql.cache_clear()
    assert len(bad_rows(lake)) == 4
    return lake, path


def contents(lake: Lake) -> tuple[Any, ...]:
    ledger = lake.read(EVENT_HOURS).drop_columns(list(OF_THE_RUN)).to_pylist()
    return core_rows(lake), bad_rows(lake), ledger


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    lake, path = refused(tmp_path / "undisturbed", monkeypatch)
    path.unlink()
    assert replay_bad(lake, dry_run=False).recovered == 3
    (row,) = lake.read(EVENT_HOURS).to_pylist()
    assert [row[f"events_{name}"] for name in ("in", "good", "bad", "duplicate")] == [5, 3, 1, 1]
    return contents(lake)


@pytest.mark.parametrize("commits", range(5))
def test_killed_before_any_of_its_commits_it_is_ended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: tuple[Any, ...], commits: int
) -> None:
    home = tmp_path / "killed"
    lake, path = refused(home, monkeypatch)
    path.unlink()
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(home), str(commits)], cwd=REPOSITORY, check=False
    )
    assert ended.returncode == (-signal.SIGKILL if commits < 4 else 0)
    if 0 < commits < 4:
        assert replayable_hours(lake, HOUR, HOUR) == [HOUR]
    replay_bad(lake, dry_run=False)
    assert contents(lake) == undisturbed


def test_killed_while_it_flattened_landed_files_again_the_hour_is_pending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "killed"
    lake, _ = refused(home, monkeypatch)
    ended = subprocess.run([sys.executable, "-c", CHILD, str(home), "2"], cwd=REPOSITORY, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert [row["event_id"] for row in core_rows(lake)] == ["a", "b", "c"]
    assert [row["reason"] for row in bad_rows(lake)] == ["invalid_json"]


def test_another_run_that_flattens_the_hour_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, path = refused(tmp_path / "home", monkeypatch)
    content = path.read_bytes()
    path.unlink()
    plan = replay_raw.plan

    def plan_and_be_overtaken(lake: Lake, hour: Any) -> replay_raw.RawReplay:
        planned = plan(lake, hour)
        path.write_bytes(content)
        put(lake, [request(batch(event("d")))], name="part-1.jsonl.gz")
        flatten_hours(lake, [HOUR], engine="duckdb", run_id="other")
        return planned

    monkeypatch.setattr(replay_raw, "plan", plan_and_be_overtaken)
    replay_bad(lake, dry_run=False)
    assert [row["event_id"] for row in core_rows(lake)] == ["a", "b", "c", "d"]
    assert [row["reason"] for row in bad_rows(lake)] == ["invalid_json"]
    assert pending_hours(lake) == []


def test_two_replays_at_once_end_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: tuple[Any, ...]
) -> None:
    home = tmp_path / "both"
    lake, path = refused(home, monkeypatch)
    path.unlink()
    command = [sys.executable, "-c", CHILD, str(home), "99"]
    both = [subprocess.Popen(command, cwd=REPOSITORY) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert contents(lake) == undisturbed
