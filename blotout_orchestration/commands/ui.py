"""`blotout ui`: the Dagster UI with its daemon, on this deployment's instance.

Belongs here: the command, and what it shares with `blotout web`: a free port, and one daemon on a home.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blotout_orchestration.commands.common import current_settings, echo
from blotout_orchestration.errors import UsageError

LOOPBACK = "127.0.0.1"
DAEMON_PATIENCE = 15.0
"""Seconds that the daemon of a UI that was just stopped is given to end."""
_WEBSERVER = "webserver"
"""Third word of the record of a UI that has no daemon."""

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings


def ui(
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port on the loopback address.")
    ] = 3000,
) -> None:
    """Start Dagster (webserver, daemon, code location) on http://localhost:PORT until Ctrl+C."""
    settings = current_settings()
    from blotout_orchestration.analytics.dbt_project import ensure_manifest
    from blotout_orchestration.platform.home import REPOSITORY, prepare_home
    from blotout_orchestration.settings import exported

    require_free_port(LOOPBACK, port)
    home = prepare_home(settings)
    take_home(settings, home / "ui.process")
    echo("preparing the dbt manifest")
    ensure_manifest(settings)
    echo(f"Dagster on http://localhost:{port}, its home is {home}")
    dagster = Path(sys.executable).with_name("dagster")
    command = [
        str(dagster),
        "dev",
        "-w",
        str(REPOSITORY / "workspace.yaml"),
        "-h",
        LOOPBACK,
        "-p",
        str(port),
    ]
    with exported({"DAGSTER_HOME": str(home), "BLOTOUT_HOME": str(settings.blotout_home.absolute())}):
        os.execv(command[0], command)


def require_free_port(host: str, port: int) -> None:
    """Raises UsageError where the webserver could not listen: its daemon would tick without it, beside another's."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror  # Below 0: of the name of the host.
        raise UsageError(
            f"nothing can listen on {host}:{port} ({reason}); end what holds it, such as the webserver of a"
            " `blotout ui` that was killed, or choose another --port"
        ) from None


def take_home(settings: Settings, record: Path, daemon: bool = True) -> None:
    """Note this process as the UI of the home, and fail what runs of a UI that was stopped are left.

    Raises UsageError when another daemon on this home is alive: two would tick every schedule twice. A UI without
    a daemon may stand beside one that has it, whichever is started first; its runs are left alone.
    """
    from blotout_orchestration.platform import runs
    from blotout_orchestration.platform.home import open_instance

    with record.with_name("ui.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = living_ui(record)
        if daemon:
            _refuse_second_daemon(record, other)
        if other is None:
            with open_instance(settings) as instance:
                failed = runs.fail_killed_runs(instance) + runs.fail_orphaned_runs(instance)
            if failed:
                echo(f"{failed} run(s) that were under way when the last UI stopped are now marked as failed")
        if daemon or other is None:
            tags = runs.worker_tags()
            noted = (
                tags[runs.WORKER_TAG],
                tags.get(runs.WORKER_START_TAG, "-"),
                "daemon" if daemon else _WEBSERVER,
            )
            record.write_text("".join(f"{line}\n" for line in noted), encoding="utf-8")


def _refuse_second_daemon(record: Path, other: int | None) -> None:
    if other is not None and _WEBSERVER not in record.read_text(encoding="utf-8").split():
        raise UsageError(
            f"`blotout ui` or `web` runs on this home already (process {other}); stop it first. If that process"
            f" is another program, remove {record}"
        )
    # `dagster dev` leaves its daemon behind when it is killed; one that was stopped is given time to end.
    patience = time.monotonic() + DAEMON_PATIENCE
    while daemons := daemons_of(record.parent):
        if time.monotonic() > patience:
            raise UsageError(
                f"a Dagster daemon (process {daemons[0]}) still ticks on this home, left behind by a UI that was"
                f" killed: `kill {daemons[0]}` first"
            )
        time.sleep(0.2)


def daemons_of(dagster_home: Path) -> list[int]:
    """Processes of this host that are a Dagster daemon on the home; none where there is no /proc."""
    variable = f"DAGSTER_HOME={dagster_home}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            is_daemon = any(text.endswith((b"dagster._daemon", b"dagster-daemon")) for text in arguments)
            if is_daemon and variable in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue  # It has ended, or is somebody else's.
    return sorted(found)


def living_ui(record: Path) -> int | None:
    """The process that a record names (`host:pid` and its start), when it is another one of this host that runs."""
    from blotout_orchestration.platform import runs

    noted = record.read_text(encoding="utf-8").split() if record.is_file() else []
    worker, start = [*noted, "", ""][:2]
    tags = {runs.WORKER_TAG: worker, runs.WORKER_START_TAG: start}
    if not runs.process_is_alive(worker) or runs.worker_is_gone(tags):
        return None
    pid = int(worker.rpartition(":")[2])
    return None if pid == os.getpid() else pid
