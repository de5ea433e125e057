"""`blotout run` on maintenance jobs: dry until told otherwise, and the first launch before anything else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from dagster import Definitions, in_process_executor, op
from dagster import job as dagster_job
from typer.testing import CliRunner

from blotout_orchestration import settings as settings_module
from blotout_orchestration.cli import app
from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.jobs import compression_job, setup_job
from blotout_orchestration.platform.home import open_instance
from blotout_orchestration.platform.progress import PROGRESS_LOGGER, progress_logger
from blotout_orchestration.platform.setup import setup_done
from blotout_orchestration.settings import Settings
from tests.maintenance.lakes import CLICKS, fill


@op
def work() -> None:
    """Has no dry run."""


@dagster_job
def plain() -> None:
    work()


@pytest.fixture
def blotout(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[..., Any]:
    """The command line on three jobs in place of the platform's, in a home of the test's own."""
    lake = Lake(settings)
    module = ModuleType("blotout_orchestration.definitions")
    module.build_defs = lambda settings=None: Definitions(  # type: ignore[attr-defined]
        jobs=[setup_job(lake), compression_job(lake), plain],
        executor=in_process_executor,
        loggers={PROGRESS_LOGGER: progress_logger()},
    )
    monkeypatch.setitem(sys.modules, "blotout_orchestration.definitions", module)
    monkeypatch.setattr(settings_module, "read_settings", lambda *arguments: settings)
    settings_module.load_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(app, ["run", *arguments])
    settings_module.load_settings.cache_clear()


def jobs_run(settings: Settings) -> list[str]:
    with open_instance(settings) as instance:
        return [run.job_name for run in reversed(instance.get_runs())]


def test_the_first_job_of_a_fresh_home_sets_the_platform_up_before(blotout, settings):
    result = blotout("plain")
    assert result.exit_code == 0, result.output
    assert jobs_run(settings) == ["one_time_setup", "plain"]
    assert setup_done(settings)
    assert blotout("plain").exit_code == 0
    assert jobs_run(settings) == ["one_time_setup", "plain", "plain"]


def test_a_maintenance_job_only_reports_until_the_dry_run_is_switched_off(blotout, lake):
    fill(lake, hours=6)
    result = blotout("compression")
    assert "6 files become 1" in result.output
    assert "dry run: nothing was done" in result.output
    assert len(lake.files(CLICKS)) == 6
    assert blotout("compression", "--no-dry-run").exit_code == 0
    assert len(lake.files(CLICKS)) == 1


def test_dry_run_as_before_starts_nothing_and_names_the_steps(blotout, settings):
    result = blotout("compression", "--dry-run")
    assert "steps: compact_lake" in result.output
    assert jobs_run(settings) == []


def test_a_job_without_a_dry_run_refuses_the_option(blotout):
    result = blotout("plain", "--no-dry-run")
    assert result.exit_code == 2
    assert "plain has no dry run" in result.output


def test_a_setup_that_fails_keeps_the_job_from_running(blotout, settings, monkeypatch):
    monkeypatch.setattr(Lake, "ensure", lambda self, spec, namespace=None: 1 / 0)
    assert blotout("plain").exit_code == 1
    assert jobs_run(settings) == ["one_time_setup"]
