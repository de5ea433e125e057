"""A run killed between any two commits, then run again: the tables of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH_BATCHES
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.id_graph.helpers import NO_RULES, MemorySource, edge, graph_rows, redirect_map

BEFORE = {"a": [edge("u1", "s1", 10), edge("u2", "s2", 20), edge("u3", "e1", 30), edge("u1", "s3", 35)]}
AFTER = {
    "old": {
        "a": [edge("u1", "s1", 10), edge("u2", "s2", 20)],
        "b": [edge("u1", "s2", 40), edge("u4", "e1", 50)],
    },
    "new": BEFORE,
    "older": {**BEFORE, "b": [edge("u5", "s1", 5), edge("u5", "e1", 6)]},
}
"""Batches of the second run: others under the old rules, the same under new ones, an older id that joins two."""
RULES = {"old": NO_RULES, "new": Rules(map_id_limits={"shopify": 1}), "older": NO_RULES}
REPOSITORY = Path(__file__).resolve().parents[2]
CHILD = """
import os, signal, sys
from pathlib import Path
from blotout_orchestration.id_graph import rows
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from pyiceberg.table import Transaction
from tests.id_graph.helpers import MemorySource
from tests.id_graph.test_kill import AFTER, RULES

left = int(sys.argv[2])
commit = Transaction.commit_transaction

def counted(self):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return commit(self)

Transaction.commit_transaction = counted
if sys.argv[3] == "older":
    rows.FEW = 0  # Its rows are most of the table, which is written anew.
lake = Lake(Settings(_env_file=None, blotout_home=Path(sys.argv[1]), organisation="shop", environment="test"))
stitch(lake, rules=RULES[sys.argv[3]], run_id="killed", sources=[MemorySource(content=AFTER[sys.argv[3]])])
"""


def _tables(lake: Lake) -> tuple[object, ...]:
    edges = sorted(str(row) for row in lake.read(ID_EDGES).to_pylist())
    batches = sorted(str(row) for row in lake.read(ID_GRAPH_BATCHES).to_pylist())
    return graph_rows(lake), redirect_map(lake), edges, batches


@pytest.mark.parametrize(
    ("rules", "commits"),
    [
        *(("old", commits) for commits in range(7)),
        *((name, commits) for name in ("new", "older") for commits in (1, 2, 3)),
    ],
)
def test_a_run_killed_before_any_of_its_commits_is_made_good_by_the_next(
    tmp_path: Path, rules: str, commits: int
) -> None:
    lakes = []
    for name in ("killed", "undisturbed"):
        settings = Settings(
            _env_file=None, blotout_home=tmp_path / name, organisation="shop", environment="test"
        )
        lakes.append(Lake(settings))
        stitch(lakes[-1], rules=NO_RULES, run_id="before", sources=[MemorySource(content=BEFORE)])
    killed, undisturbed = lakes
    after = [MemorySource(content=AFTER[rules])]
    assert not stitch(undisturbed, rules=RULES[rules], run_id="after", sources=after).full
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "killed"), str(commits), rules],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert child.returncode in (-signal.SIGKILL, 0)
    assert child.returncode == -signal.SIGKILL or commits >= 5
    rerun = stitch(killed, rules=RULES[rules], run_id="after", sources=after)
    if child.returncode == -signal.SIGKILL and commits > 0:
        assert rerun.full
    assert _tables(killed) == _tables(undisturbed)
