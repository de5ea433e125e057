"""`blotout ui` and `web` start alone on a home and on a free port, or say at once why not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blotout_orchestration.commands import ui
from blotout_orchestration.commands.ui import daemons_of, living_ui, require_free_port, take_home
from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform import runs
from blotout_orchestration.settings import Settings

COMMAND = str(Path(sys.executable).with_name("blotout"))
STARTS = [("ui",), ("web",)]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Another process of this host."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def refused(home: Path, *command: str) -> str:
    """What a start that must be refused says; a start that is not is ended after a while."""
    environment = {**os.environ, "BLOTOUT_HOME": str(home), "DAGSTER_PASSWORD": "a password of the test"}
    answer = subprocess.run(
        ["timeout", "--kill-after=5", "40", COMMAND, *command], env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 2, answer.stdout + answer.stderr
    return answer.stderr


def record_of(process: subprocess.Popen[bytes]) -> str:
    """The record of a UI that is this process."""
    started = runs.process_started_at(process.pid)
    assert started is not None
    return f"{socket.gethostname()}:{process.pid}\n{started.timestamp():.0f}\n"


@pytest.mark.parametrize("command", STARTS)
def test_a_port_that_is_taken_is_told_and_no_daemon_starts(tmp_path: Path, command: tuple[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        said = refused(tmp_path / "home", *command, "--port", port)
    assert f"nothing can listen on 127.0.0.1:{port} (Address already in use)" in said
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", STARTS)
def test_a_second_start_on_a_home_is_refused(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], command: tuple[str]
) -> None:
    record = tmp_path / "home" / "dagster" / "ui.process"
    record.parent.mkdir(parents=True)
    record.write_text(record_of(sleeper))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    assert f"runs on this home already (process {sleeper.pid})" in refused(
        tmp_path / "home", *command, "--port", port
    )
    assert record.read_text() == record_of(sleeper)


def test_a_webserver_without_a_daemon_may_stand_beside_it(
    settings: Settings, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    record = tmp_path / "ui.process"
    record.write_text(record_of(sleeper))
    take_home(settings, record, daemon=False)
    assert record.read_text() == record_of(sleeper)
    with pytest.raises(UsageError, match="stop it first"):
        take_home(settings, record)


def test_a_daemon_may_start_beside_a_webserver_without_one(
    settings: Settings, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    record = tmp_path / "ui.process"
    record.write_text(f"{record_of(sleeper)}webserver\n")
    take_home(settings, record)
    assert record.read_text().split()[::2] == [runs.worker_of_this_process(), "daemon"]


def test_a_daemon_that_a_killed_ui_left_behind_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has the arguments and the variable of a daemon; it does nothing."""
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()", "-m", "dagster._daemon", "run"]
    with subprocess.Popen(
        waiting, stdin=subprocess.PIPE, env={**os.environ, "DAGSTER_HOME": str(tmp_path)}
    ) as left_behind:
        while "dagster._daemon" not in Path(f"/proc/{left_behind.pid}/cmdline").read_text():
            time.sleep(0.01)
        monkeypatch.setattr(ui, "DAEMON_PATIENCE", 0.0)
        with pytest.raises(UsageError, match=rf"process {left_behind.pid}\) still ticks on this home.*`kill"):
            take_home(settings, tmp_path / "ui.process")
        take_home(settings, tmp_path / "ui.process", daemon=False)
        assert daemons_of(tmp_path / "another") == []
        monkeypatch.undo()
        threading.Timer(1.0, left_behind.kill).start()
        take_home(settings, tmp_path / "ui.process")
    assert (tmp_path / "ui.process").read_text().split()[::2] == [runs.worker_of_this_process(), "daemon"]


def test_a_ui_that_ended_is_no_obstacle_even_when_its_number_was_given_to_another_process(
    settings: Settings, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    record = tmp_path / "ui.process"
    worker = record_of(sleeper).split()[0]
    record.write_text(f"{worker}\n1000000000\n")
    assert living_ui(record) is None
    take_home(settings, record)
    assert record.read_text().split()[0] == runs.worker_of_this_process()
    assert living_ui(record) is None, "a process is no obstacle to itself"
    record.write_text(worker)
    assert living_ui(record) == sleeper.pid, "a record of an older version"
    for other in ("", "another-host:1"):
        record.write_text(other)
        assert living_ui(record) is None
    assert living_ui(tmp_path / "missing") is None


def test_a_free_port_is_free_again_after_the_question() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for _ in range(2):
        require_free_port("127.0.0.1", port)
    with socket.create_server(("0.0.0.0", 0)) as holder, pytest.raises(UsageError, match="another --port"):
        require_free_port("127.0.0.1", holder.getsockname()[1])
