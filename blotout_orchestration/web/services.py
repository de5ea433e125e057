"""The processes of `blotout web`: code servers, the daemon, and the webserver in this process.

Belongs here: starting them together and ending them together. Does not belong here: who may come in.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from blotout_orchestration.errors import BlotoutError, UsageError
from blotout_orchestration.web.access import Access
from blotout_orchestration.web.address import LOOPBACK_NAMES

if TYPE_CHECKING:
    from dagster import DagsterInstance

LOOPBACK: Final = "127.0.0.1"
STOP_SECONDS: Final = 30
CLOSE_SECONDS: Final = 5
"""How long an open connection may delay the end of the webserver."""
STATEMENT_MILLISECONDS: Final = 15_000
"""A query of the UI to Postgres that takes longer is cut off; the value of Dagster's own webserver."""


def check_start(access: Access, host: str) -> None:
    """Raises UsageError when nobody could log in, or when passwords would go through an open network unasked."""
    if access.address.origin is None and host not in LOOPBACK_NAMES:
        raise UsageError(
            f"--host {host}: without DAGSTER_ADDRESS the door stands on the loopback address only. Set it to the "
            "address that people use, such as https://data.example.com/dagster, and put TLS in front"
        )
    if not access.directory.accounts() and not access.settings.web_oidc_issuer:
        raise UsageError(
            "nobody could log in: set DAGSTER_PASSWORD (user `admin`) in the environment or .env, "
            "add people with `blotout users add NAME --role viewer`, or set WEB_OIDC_ISSUER"
        )


def serve(
    access: Access, instance: DagsterInstance, workspace: Path, host: str, port: int, daemon: bool
) -> None:
    """Serve until SIGINT or SIGTERM. Raises BlotoutError when the daemon ends before."""
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.version import __version__

    from blotout_orchestration.web.server import web_app

    instance.optimize_for_webserver(STATEMENT_MILLISECONDS, pool_recycle=3600, max_overflow=20)
    with _code_servers(instance, workspace) as running, _daemon(running if daemon else None) as process:
        target = WorkspaceFileTarget([str(running)])
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            _run(web_app(context, access), host, port, process)


@contextmanager
def _code_servers(instance: DagsterInstance, workspace: Path) -> Iterator[Path]:
    """The workspace's code locations in servers of their own; a workspace file that names their sockets."""
    import yaml
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    manager = ProxyServerManager(instance, WorkspaceFileTarget([str(workspace)]), "WARNING")
    with manager as servers, tempfile.TemporaryDirectory() as folder:
        running = Path(folder) / "workspace.yaml"
        running.write_text(yaml.safe_dump({"load_from": servers.get_code_server_specs()}), encoding="utf-8")
        yield running


@contextmanager
def _daemon(workspace: Path | None) -> Iterator[subprocess.Popen[bytes] | None]:
    """The daemon that ticks schedules and sensors, when a workspace is given."""
    if workspace is None:
        yield None
        return
    command = [
        sys.executable,
        "-m",
        "dagster._daemon",
        "run",
        "--log-level",
        "warning",
        "--workspace",
        str(workspace),
    ]
    end_with_parent = shutil.which("setpriv")
    if end_with_parent:
        # A webserver that is killed must not leave a daemon behind that ticks beside the next one's.
        command = [end_with_parent, "--pdeathsig", "TERM", *command]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _run(app: object, host: str, port: int, daemon: subprocess.Popen[bytes] | None) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
    server = uvicorn.Server(config)
    ended_early: list[int] = []
    stopping = threading.Event()

    def watch() -> None:
        assert daemon is not None
        code = daemon.wait()
        if not stopping.is_set():
            ended_early.append(code)
            server.should_exit = True

    if daemon is not None:
        threading.Thread(target=watch, daemon=True).start()
    # uvicorn raises the signal anew when it has ended; by default that would end us before our processes.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        server.run()
    except KeyboardInterrupt:
        stopping.set()
    finally:
        signal.signal(signal.SIGTERM, before)
    if ended_early and not stopping.is_set():
        raise BlotoutError(f"the Dagster daemon ended with code {ended_early[0]}; its last lines are above")
    if not server.started:
        raise BlotoutError(f"the webserver could not start on {host}:{port}; is the port in use?")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
