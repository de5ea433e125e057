"""The first launch and every maintenance job in the running UI: dry run and real, all green, with their reports."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance import jobs
from blotout_orchestration.settings import Settings
from tests.browser.dagster_ui import browser_page, dagster_ui, free_port, graphql
from tests.maintenance.lakes import CLICKS, contents, fill

LONGEST_SECONDS = 300
RUNS = "{ runsOrError { ... on Runs { results { runId jobName status } } } }"
LAUNCH = """
mutation launch($parameters: ExecutionParams!) {
  launchPipelineExecution(executionParams: $parameters) {
    ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
REPOSITORY = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
JOBS = {
    "one_time_setup": (jobs.SETUP_OP, jobs.SETUP_REPORT),
    "compression": (jobs.COMPACT_OP, jobs.COMPRESSION_REPORT),
    "cleanup_temp_tables": (jobs.CLEANUP_OP, jobs.CLEANUP_REPORT),
    "delete_idle_db_connections": (jobs.IDLE_OP, jobs.IDLE_REPORT),
}


def until(found: Callable[[], Any], what: str) -> Any:
    """Ask once a second until there is an answer."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(1)
    return pytest.fail(f"{what} did not happen")


def runs(address: str) -> list[dict[str, str]]:
    return list(graphql(address, RUNS)["runsOrError"]["results"])


def launch(address: str, job: str, op: str, dry_run: bool) -> None:
    """Launch a job as the Launchpad does, and wait until it is green."""
    node = graphql(address, REPOSITORY)["repositoriesOrError"]["nodes"][0]
    parameters = {
        "selector": {
            "repositoryName": node["name"],
            "repositoryLocationName": node["location"]["name"],
            "jobName": job,
        },
        "runConfigData": {"ops": {op: {"config": {"dry_run": dry_run}}}},
    }
    answer = graphql(address, LAUNCH, {"parameters": parameters})["launchPipelineExecution"]
    assert "run" in answer, answer
    run_id = answer["run"]["runId"]

    def ended() -> str | None:
        state = next(run["status"] for run in runs(address) if run["runId"] == run_id)
        return state if state in ("SUCCESS", "FAILURE", "CANCELED") else None

    assert until(ended, f"the end of {job}") == "SUCCESS"


@pytest.mark.browser
@pytest.mark.heavy
def test_the_first_launch_and_every_job_are_green_in_the_ui(tmp_path: Path):
    """With MAINTENANCE_PICTURES set to a folder, the pages are kept there as pictures."""
    home = tmp_path / "home"
    lake = Lake(Settings(_env_file=None, blotout_home=home))
    fill(lake, hours=30)
    before = contents(lake)
    pictures = os.environ.get("MAINTENANCE_PICTURES")
    with dagster_ui(home, free_port(), tmp_path / "ui.log") as address, browser_page() as page:
        first = until(
            lambda: [run for run in runs(address) if run["status"] == "SUCCESS"], "the first launch"
        )
        assert [run["jobName"] for run in first] == ["one_time_setup"]
        for job, (op, _) in JOBS.items():
            for dry_run in (True, False):
                launch(address, job, op, dry_run)
        assert len(lake.files(CLICKS)) == 2
        assert contents(lake) == before
        page.goto(f"{address}/runs")
        for job in JOBS:
            page.get_by_text(job).first.wait_for()
        for name in ("runs", *(report for _, report in JOBS.values())):
            if name != "runs":
                page.goto(f"{address}/assets/{name}?view=events")
                page.get_by_text("dry_run" if name != jobs.IDLE_REPORT else "skipped").first.wait_for()
            if pictures:
                page.screenshot(path=Path(pictures) / f"maintenance_{name}.png")
