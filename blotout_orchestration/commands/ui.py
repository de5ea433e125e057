"""`blotout ui`: the Dagster UI with its daemon, on this deployment's instance."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blotout_orchestration.commands.common import current_settings, echo

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

    home = prepare_home(settings)
    echo("preparing the dbt manifest")
    ensure_manifest(settings)
    fail_runs_of_a_stopped_ui(settings, home / "ui.process")
    echo(f"Dagster on http://localhost:{port}, its home is {home}")
    dagster = Path(sys.executable).with_name("dagster")
    command = [
        str(dagster),
        "dev",
        "-w",
        str(REPOSITORY / "workspace.yaml"),
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    with exported({"DAGSTER_HOME": str(home), "BLOTOUT_HOME": str(settings.blotout_home.absolute())}):
        os.execv(command[0], command)


def fail_runs_of_a_stopped_ui(settings: Settings, record: Path) -> None:
    """Runs of a UI that was stopped are failed, unless another UI on this home is alive."""
    from blotout_orchestration.platform import runs
    from blotout_orchestration.platform.home import open_instance

    if not (record.is_file() and runs.process_is_alive(record.read_text())):
        with open_instance(settings) as instance:
            failed = runs.fail_killed_runs(instance) + runs.fail_orphaned_runs(instance)
        if failed:
            echo(f"{failed} run(s) that were under way when the last UI stopped are now marked as failed")
        record.write_text(runs.worker_of_this_process())
