"""A sync in a process of its own, which a test may kill: at a request, a commit of the lake or a journal line.

Run as `python -m tests.activation.child HOME CHANNEL_JSON RUN_ID WHAT COUNT`; WHAT is `commit`, `fsync` or
`request` (then the fake does the killing).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from blotout_orchestration.platform.registry.channel import Channel
from tests.activation.fakes.server import FakeServer

REPOSITORY = Path(__file__).resolve().parents[2]


def start(
    home: Path, channel: Channel, run_id: str, what: str = "request", count: int = 0
) -> subprocess.Popen[str]:
    """The process, started."""
    document = channel.model_dump_json(exclude={"created_at", "updated_at"})
    command = [sys.executable, "-m", "tests.activation.child", str(home), document, run_id, what, str(count)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run_killed(fake: FakeServer, process: subprocess.Popen[str]) -> int:
    """Let it go once it is ready, with the fake's faults for it; returns how it ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    fake.victim = process.pid
    output, _ = process.communicate("go\n", timeout=120)
    fake.victim = None
    assert process.returncode in (0, -signal.SIGKILL), output
    return process.returncode


def _die_after(count: int, function: Any) -> Any:
    left = count

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return function(*given, **named)

    return counted


def _main() -> None:
    from pyiceberg.table import Transaction

    from blotout_orchestration.activation.sync import sync_channel
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.settings import Settings
    from tests.activation.helpers import SimulatedClock

    home, document, run_id, what, count = sys.argv[1:]
    settings = Settings(_env_file=None, blotout_home=Path(home), organisation="shop", environment="test")
    if what == "commit":
        Transaction.commit_transaction = _die_after(int(count), Transaction.commit_transaction)  # type: ignore[method-assign]
    elif what == "fsync":
        os.fsync = _die_after(int(count), os.fsync)
    channel = Channel.model_validate(json.loads(document))
    print("ready", flush=True)
    sys.stdin.readline()
    sync_channel(settings, Lake(settings), channel, run_id, clock=SimulatedClock())


if __name__ == "__main__":
    _main()
