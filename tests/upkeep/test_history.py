"""Purging old runs: what is old goes, what anybody still needs stays, and nothing becomes missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dagster import (
    DagsterInstance,
    Definitions,
    MaterializeResult,
    StaticPartitionsDefinition,
    asset,
    define_asset_job,
)

from blotout_orchestration.maintenance.execution import carry_out
from blotout_orchestration.maintenance.plan import Plan
from blotout_orchestration.maintenance.upkeep.history import PURGE_RUN, Purge, plan_purge, runs_needed
from tests.alerts.conftest import instance

__all__ = ["instance"]

HOURS = StaticPartitionsDefinition(["1", "2", "3"])
RUN_AGE, OUTPUT_AGE = timedelta(days=60), timedelta(days=14)


@asset(partitions_def=HOURS)
def clicks() -> MaterializeResult[None]:
    """Hourly."""
    print("captured")
    return MaterializeResult()


@asset
def report() -> None:
    """Not partitioned."""


DEFINITIONS = Definitions(
    assets=[clicks, report],
    jobs=[define_asset_job("hourly", selection=["clicks"]), define_asset_job("daily", selection=["report"])],
)


def run(instance: DagsterInstance, job: str, partition: str | None = None) -> str:
    """A successful run's id."""
    return (
        DEFINITIONS.resolve_job_def(job).execute_in_process(instance=instance, partition_key=partition).run_id
    )


def plan(instance: DagsterInstance, days: int) -> Plan:
    """The plan that would be made in so many days."""
    return plan_purge(instance, datetime.now(UTC) + timedelta(days=days), RUN_AGE, OUTPUT_AGE)


def purge(instance: DagsterInstance, made: Plan) -> dict[str, int]:
    """Carry a plan out; its counts."""
    quiet = lambda *_: None  # noqa: E731
    return carry_out(
        made, Purge(instance), dry_run=False, maximum_failures=0, audit=quiet, progress=quiet
    ).counts()


def test_no_partition_becomes_missing_and_what_was_made_again_since_goes(instance: DagsterInstance) -> None:
    first = [run(instance, "hourly", hour) for hour in ("1", "2")]
    again = run(instance, "hourly", "1")
    old_report, new_report = run(instance, "daily"), run(instance, "daily")
    made = plan(instance, 61)
    assert {item.target for item in made.items if item.kind == PURGE_RUN} == {first[0], old_report}
    purge(instance, made)
    assert instance.get_materialized_partitions(clicks.key) == {"1", "2"}
    assert instance.get_latest_materialization_event(report.key) is not None
    assert {kept.run_id for kept in instance.get_runs()} == {first[1], again, new_report}


def test_what_is_young_stays(instance: DagsterInstance) -> None:
    for _ in range(2):
        run(instance, "daily")
    assert plan(instance, 13).items == ()


def test_captured_output_goes_before_the_run_does(instance: DagsterInstance) -> None:
    run_id = run(instance, "hourly", "1")
    made = plan(instance, 15)
    assert [(item.kind, item.target) for item in made.items] == [("remove captured output", run_id)]
    assert purge(instance, made)["done"] == 1
    assert plan(instance, 15).items == ()
    assert instance.get_run_by_id(run_id) is not None


def test_a_run_that_became_needed_since_the_plan_is_skipped(instance: DagsterInstance) -> None:
    first, second = run(instance, "daily"), run(instance, "daily")
    made = plan(instance, 61)
    assert [item.target for item in made.items if item.kind == PURGE_RUN] == [first]
    instance.delete_run(second)
    assert runs_needed(instance) == {first}
    counts = purge(instance, made)
    assert counts["skipped"] == 1
    assert instance.get_run_by_id(first) is not None


def test_a_killed_purge_is_carried_on_by_the_next_one(instance: DagsterInstance) -> None:
    runs = [run(instance, "daily") for _ in range(4)]
    made = plan(instance, 61)
    instance.delete_run(next(item.target for item in made.items if item.kind == PURGE_RUN))
    assert purge(instance, made)["skipped"] == 1
    assert [kept.run_id for kept in instance.get_runs()] == [runs[-1]]
