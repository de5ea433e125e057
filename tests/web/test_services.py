"""`blotout web` as processes: a start, a stop, and a kill -9, on this repository's own definitions."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.conftest import free_port

pytestmark = pytest.mark.heavy
BLOTOUT = Path(sys.executable).with_name("blotout")


def environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def processes_of(home: Path, words: bytes = b"") -> set[int]:
    """Living processes that were started with this home."""
    mark = f"BLOTOUT_HOME={home}\0".encode()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_alive = b"\nState:\tZ" not in (process / "status").read_bytes()
            if is_alive and mark in environ(process) and words in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


def wait_until(condition, seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.3)
    return bool(condition())


@contextlib.contextmanager
def web(home: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(BLOTOUT), "web", "--port", str(port)],
            env={**os.environ, "BLOTOUT_HOME": str(home), "DAGSTER_PASSWORD": "a password of the test"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5).close()
        except OSError:
            return process.poll() is not None
        return True

    try:
        assert wait_until(answers, 180)
        assert process.poll() is None, log.read_text()[-3000:]
        yield process
    finally:
        for left in processes_of(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        process.wait(timeout=30)


def daemons(home: Path) -> set[int]:
    return processes_of(home, b"dagster._daemon")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_every_process(tmp_path, how):
    home, log = tmp_path / "home", tmp_path / "log"
    with web(home, log) as process:
        assert "only this machine" in log.read_text()
        assert len(daemons(home)) == 1
        process.send_signal(how)
        assert process.wait(timeout=90) == 0, log.read_text()[-3000:]
        assert not daemons(home)
        assert wait_until(lambda: not processes_of(home)), processes_of(home)


def test_a_killed_webserver_leaves_no_daemon_and_starts_again(tmp_path):
    home, log = tmp_path / "home", tmp_path / "log"
    with web(home, log) as process:
        process.kill()
        process.wait(timeout=30)
        assert wait_until(lambda: not daemons(home))
    with web(home, log):
        assert len(daemons(home)) == 1


def test_a_daemon_that_ends_ends_the_webserver_with_an_error(tmp_path):
    home, log = tmp_path / "home", tmp_path / "log"
    with web(home, log) as process:
        (daemon,) = daemons(home)
        os.kill(daemon, signal.SIGKILL)
        assert process.wait(timeout=90) == 1
        assert "the Dagster daemon ended with code -9" in log.read_text()
