"""Runs every maintenance job on the demo store in the running UI, dry and for real, and takes their pictures.

Part of `make screenshots`, after `make demo`, with Chromium installed. Ends with an error when a run is red.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from blotout_orchestration.maintenance.billing import job as billing
from blotout_orchestration.maintenance.upkeep import job as upkeep
from blotout_orchestration.settings import load_settings
from docs.take_screenshots import save
from tests.browser.dagster_ui import browser_page, dagster_ui, free_port
from tests.maintenance.test_in_the_ui import JOBS, launch


def main() -> None:
    """Start the UI on the home that the settings name, run the jobs, and take the pictures."""
    home = load_settings().blotout_home.absolute()
    log = Path(tempfile.mkdtemp()) / "ui.log"
    steps = {job: op for job, (op, _) in JOBS.items()}
    steps |= {billing.JOB: billing.OP, upkeep.JOB: upkeep.PURGE_OP}
    with dagster_ui(home, free_port(), log) as address, browser_page(1600, 1000) as page:
        for job, op in steps.items():
            for dry_run in (True, False):
                launch(address, job, op, dry_run)
                print(f"{job}: green {'as a dry run' if dry_run else 'for real'}", flush=True)
        page.goto(f"{address}/runs")
        save(page, "maintenance_runs")
        page.goto(f"{address}/asset-groups")
        save(page, "lineage")
        page.goto(f"{address}/automation")
        save(page, "automation")


if __name__ == "__main__":
    main()
