"""`make demo` as a command: figures on the screen and in summary.json, and nothing more the second time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROMISED = {
    "events_in", "events_good", "events_bad", "events_duplicate", "ids", "people", "sessions", "orders",
    "revenue", "attributed_revenue", "seconds",
}  # fmt: skip


def _demo(folder: Path) -> tuple[str, dict[str, Any]]:
    """Run a small demo in a working directory of its own; what it printed and what it wrote."""
    command = [str(Path(sys.executable).with_name("blotout")), "demo", "run", "--folder", "store"]
    size = ["--people", "80", "--days", "4", "--events", "3000"]
    environment = {**os.environ, "BLOTOUT_HOME": str(folder / "home")}
    done = subprocess.run(
        [*command, *size], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout, json.loads((folder / "store" / "summary.json").read_text())


@pytest.mark.heavy
def test_the_demo_adds_up_and_run_twice_adds_nothing(tmp_path: Path) -> None:
    printed, first = _demo(tmp_path)
    assert set(first) >= PROMISED
    assert first["events_in"] == first["events_good"] + first["events_bad"] + first["events_duplicate"]
    assert first["attributed_revenue"] == pytest.approx(first["revenue"], abs=0.005)
    assert min(first[name] for name in PROMISED) > 0
    assert "make ui" in printed
    _, second = _demo(tmp_path)
    assert {**second, "seconds": 0} == {**first, "seconds": 0}
