"""`blotout run` really runs a job in the instance that the UI shows, and its exit code tells how it went."""

import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

from blotout_orchestration.events.assets import FLATTEN_OP
from blotout_orchestration.platform.home import open_instance
from blotout_orchestration.platform.progress import PROGRESS_LOGGER, progress_logger
from blotout_orchestration.platform.registry import PIPELINE_PARTITIONS, PIPELINES, add_pipelines, remove
from blotout_orchestration.settings import Settings, load_settings
from tests.registry.examples import pipeline


class _Config(dg.Config):
    only_pending: bool = False


SEEN: list[str] = []


@dg.asset
def healthy() -> None:
    """Succeeds."""


@dg.asset
def broken() -> None:
    """Fails."""
    raise RuntimeError("the reason\nin two lines")


@dg.multi_asset(
    name=FLATTEN_OP,
    specs=[dg.AssetSpec("hours")],
    partitions_def=dg.HourlyPartitionsDefinition(datetime(2026, 3, 5, tzinfo=UTC)),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def flatten(context: dg.AssetExecutionContext, config: _Config) -> dg.MaterializeResult[None]:
    """Remembers the hours that it was run for."""
    SEEN.extend(context.partition_keys)
    return dg.MaterializeResult()


@dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name=PIPELINE_PARTITIONS))
def loaded(context: dg.AssetExecutionContext) -> None:
    """Remembers the pipeline that it was run for."""
    SEEN.append(context.partition_key)


def _definitions(settings: Settings | None = None) -> dg.Definitions:
    jobs = [
        dg.define_asset_job(name, selection=[asset], executor_def=dg.in_process_executor)
        for name, asset in (
            ("works", healthy),
            ("fails", broken),
            ("hourly", flatten),
            (PIPELINE_PARTITIONS, loaded),
        )
    ]
    return dg.Definitions(
        assets=[healthy, broken, flatten, loaded], jobs=jobs, loggers={PROGRESS_LOGGER: progress_logger()}
    )


@pytest.fixture(autouse=True)
def _small_platform(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Four jobs in place of the platform's, in a home of their own."""
    module = ModuleType("blotout_orchestration.definitions")
    module.build_defs = _definitions  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "blotout_orchestration.definitions", module)
    monkeypatch.setenv("BLOTOUT_HOME", str(settings.blotout_home))
    SEEN.clear()


def test_a_job_that_succeeds_ends_with_zero_and_is_in_the_instance(blotout: Any) -> None:
    result = blotout("run", "works")
    assert result.exit_code == 0, result.output
    assert "works: succeeded" in result.stdout
    with open_instance(load_settings()) as instance:
        assert [run.job_name for run in instance.get_runs()] == ["works"]


def test_a_job_that_fails_ends_with_one_and_its_first_error(blotout: Any) -> None:
    result = blotout("run", "fails")
    assert result.exit_code == 1
    assert "the reason in two lines" in result.stdout
    assert "fails: FAILED" in result.stdout


def test_an_unknown_job_ends_with_two_and_the_names_of_all(blotout: Any) -> None:
    for arguments in (["run", "nope"], ["run", "nope", "--dry-run"]):
        result = blotout(*arguments)
        assert result.exit_code == 2
        assert "'nope'; the jobs are: elt_pipelines, fails, hourly, works" in result.stderr


def test_hours_are_run_with_both_ends(blotout: Any) -> None:
    result = blotout("run", "hourly", "--hours", "2026-03-05T17..2026-03-05T19")
    assert result.exit_code == 0, result.output
    assert SEEN == ["2026-03-05-17:00", "2026-03-05-18:00", "2026-03-05-19:00"]


def test_hours_that_cannot_be_read_start_nothing(blotout: Any) -> None:
    result = blotout("run", "hourly", "--hours", "2026-03-05T17:30")
    assert result.exit_code == 2
    assert "is not an hour or a day" in result.stderr
    assert SEEN == []


def test_hours_for_a_job_without_hours_are_refused(blotout: Any) -> None:
    result = blotout("run", "works", "--hours", "2026-03-05")
    assert result.exit_code != 0
    assert "run it without --hours" in result.stderr


def test_a_dry_run_says_what_would_run_and_runs_nothing(blotout: Any) -> None:
    result = blotout("run", "hourly", "--hours", "2026-03-05T17..2026-03-05T19", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "2026-03-05 17:00" in result.stdout
    assert "2026-03-05 19:00" in result.stdout
    assert SEEN == []


def test_a_registered_pipeline_is_run_by_its_name_whether_or_not_a_sensor_has_seen_it(
    blotout: Any, settings: Settings
) -> None:
    add_pipelines(settings, [pipeline("orders"), pipeline("customers")])
    result = blotout("run", "elt_pipelines", "--partition", "orders")
    assert result.exit_code == 0, result.output
    assert SEEN == ["orders"]
    with open_instance(load_settings()) as instance:
        assert [run.tags["dagster/partition"] for run in instance.get_runs()] == ["orders"]


def test_a_job_over_a_registry_wants_one_of_its_names(blotout: Any, settings: Settings) -> None:
    assert "there are: none yet" in blotout("run", "elt_pipelines").stderr
    add_pipelines(settings, [pipeline("orders"), pipeline("customers")])
    remove(settings, PIPELINES, "customers")
    for arguments, said in (
        ([], "name one with --partition; there are: orders"),
        (["--partition", "customers"], "--partition customers is none of them; there are: orders"),
        (["--partition", "orders", "--hours", "2026-03-05"], "has no hours"),
    ):
        result = blotout("run", "elt_pipelines", *arguments)
        assert result.exit_code == 2
        assert said in result.stderr
    assert "leave --partition out" in blotout("run", "works", "--partition", "orders").stderr
    assert SEEN == []
    planned = blotout("run", "elt_pipelines", "--dry-run")
    assert "one of elt_pipelines, which --partition names" in planned.stdout
