"""`blotout run` really runs a job in the instance that the UI shows, and its exit code tells how it went."""

import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import dagster as dg
import pytest

from blotout_orchestration.errors import BlotoutError
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


class _RulesError(BlotoutError):
    """An error that people can mend."""


@dg.asset
def refused() -> None:
    """Fails with a message for people, which a library's error caused."""
    try:
        int("5a")
    except ValueError as error:
        raise _RulesError("rules.yaml: limit must be a number\nand is 5a") from error


@dg.asset
def interrupted() -> None:
    """Gets a Ctrl-C, as DuckDB tells of one."""
    raise RuntimeError("Query interrupted")


@dg.asset(
    partitions_def=dg.HourlyPartitionsDefinition(datetime(2099, 1, 1, tzinfo=UTC)),
)
def later() -> None:
    """Has no hours yet."""


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
            ("refuses", refused),
            ("interrupts", interrupted),
            ("begins_later", later),
            ("hourly", flatten),
            (PIPELINE_PARTITIONS, loaded),
        )
    ]
    return dg.Definitions(
        assets=[healthy, broken, refused, interrupted, later, flatten, loaded],
        jobs=jobs,
        loggers={PROGRESS_LOGGER: progress_logger()},
    )


@pytest.fixture(autouse=True)
def _small_platform(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """A few jobs in place of the platform's, in a home of their own."""
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
        assert (
            "'nope'; the jobs are: begins_later, elt_pipelines, fails, hourly, interrupts, refuses, works"
            in result.stderr
        )


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
    named = blotout("run", "elt_pipelines", "--partition", "orders", "--dry-run")
    assert "orders of elt_pipelines" in named.stdout


def test_a_dry_run_refuses_the_partition_that_a_run_would_refuse(blotout: Any, settings: Settings) -> None:
    add_pipelines(settings, [pipeline("orders")])
    for job, said in (
        ("elt_pipelines", "--partition nosuch is none of them; there are: orders"),
        ("works", "leave --partition out"),
    ):
        result = blotout("run", job, "--partition", "nosuch", "--dry-run")
        assert result.exit_code == 2
        assert said in result.stderr


def test_a_message_for_people_is_told_and_not_the_library_error_beneath_it(blotout: Any) -> None:
    result = blotout("run", "refuses")
    assert result.exit_code == 1
    assert "refused: rules.yaml: limit must be a number and is 5a\n" in result.stdout
    assert "invalid literal" not in result.stdout


def test_a_query_of_a_step_that_ctrl_c_ended_ends_the_command_with_130(blotout: Any) -> None:
    assert blotout("run", "interrupts").exit_code == 130


def test_hours_of_a_job_whose_first_hour_is_to_come_are_refused(blotout: Any) -> None:
    for more in ([], ["--dry-run"]):
        result = blotout("run", "begins_later", "--hours", "2026-03-05T01", *more)
        assert result.exit_code == 2
        assert "begins_later has no hours yet" in result.stderr
        assert "EVENTS_START_HOUR is in the future" in result.stderr
