"""A hundred thousand people to Klaviyo: bound by its rate limits only, memory flat, and then only what changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MEMBERS = 100_000


def _measure(real_data: Path, home: Path, members: int) -> dict[str, float]:
    """Both syncs in a process of their own, whose memory is measured."""
    command = [sys.executable, "-m", "tests.activation.scale", str(real_data), str(home), str(members)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(figures)
    return figures


@pytest.mark.heavy
def test_a_hundred_thousand_members(real_data, tmp_path):
    small = _measure(real_data, tmp_path / "small", 20_000)
    large = _measure(real_data, tmp_path / "large", MEMBERS)
    assert (large["members"], large["throttled"]) == (MEMBERS, 0)
    # Ten imports and their polls fit into one burst; what remains is Klaviyo's own work on the jobs.
    assert large["import_calls"] <= MEMBERS / 10_000 + 2
    assert large["seconds_at_klaviyo"] <= large["allowed_seconds"]
    assert large["memory_growth_mb"] - small["memory_growth_mb"] < 100
    assert (large["second_sent"], large["second_removed"]) == (MEMBERS // 100, MEMBERS // 200)
    assert large["second_imported"] == MEMBERS // 100
    assert large["second_members"] == MEMBERS
