"""A run killed between any two commits, then run again: the tables of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH_BATCHES
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.id_graph.helpers import NO_RULES, MemorySource, edge, graph_rows, redirect_map

BEFORE = {"a": [edge("u1", "s1", 10), edge("u2", "s2", 20), edge("u3", "e1", 30)]}
AFTER = {
    "a": [edge("u1", "s1", 10), edge("u2", "s2", 20)],
    "b": [edge("u1", "s2", 40), edge("u4", "e1", 50)],
}
REPOSITORY = Path(__file__).resolve().parents[2]
CHILD = """
import os, signal, sys
from pathlib import Path
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from pyiceberg.table import Transaction
from tests.id_graph.helpers import NO_RULES, MemorySource
from tests.id_graph.test_kill import AFTER

left = int(sys.argv[2])
commit = Transaction.commit_transaction

def counted(self):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return commit(self)

Transaction.commit_transaction = counted
lake = Lake(Settings(_env_file=None, blotout_home=Path(sys.argv[1]), organisation="shop", environment="test"))
stitch(lake, rules=NO_RULES, run_id="killed", sources=[MemorySource(content=AFTER)])
"""


def _tables(lake: Lake) -> tuple[object, ...]:
    edges = sorted(str(row) for row in lake.read(ID_EDGES).to_pylist())
    batches = sorted(str(row) for row in lake.read(ID_GRAPH_BATCHES).to_pylist())
    return graph_rows(lake), redirect_map(lake), edges, batches


@pytest.mark.parametrize("commits", range(7))
def test_a_run_killed_before_any_of_its_commits_is_made_good_by_the_next(
    tmp_path: Path, commits: int
) -> None:
    lakes = []
    for name in ("killed", "undisturbed"):
        settings = Settings(
            _env_file=None, blotout_home=tmp_path / name, organisation="shop", environment="test"
        )
        lakes.append(Lake(settings))
        stitch(lakes[-1], rules=NO_RULES, run_id="before", sources=[MemorySource(content=BEFORE)])
    killed, undisturbed = lakes
    stitch(undisturbed, rules=NO_RULES, run_id="after", sources=[MemorySource(content=AFTER)])
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "killed"), str(commits)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert child.returncode in (-signal.SIGKILL, 0)
    assert child.returncode == -signal.SIGKILL or commits >= 5
    stitch(killed, rules=NO_RULES, run_id="after", sources=[MemorySource(content=AFTER)])
    assert _tables(killed) == _tables(undisturbed)
