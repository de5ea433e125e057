"""Assets follow their inputs: once for each update, never missing one, and never on what a check refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from dagster import (
    AssetCheckResult,
    AssetMaterialization,
    AssetSelection,
    DagsterInstance,
    Definitions,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    asset,
    asset_check,
    define_asset_job,
    evaluate_automation_conditions,
)

from blotout_orchestration.platform.automation import follows_its_inputs

HOURS = HourlyPartitionsDefinition(start_date="2026-01-01-00:00", end_date="2026-01-01-04:00")
FIRST, SECOND, THIRD = HOURS.get_partition_keys()[:3]


@asset(partitions_def=HOURS)
def hourly() -> None:
    """As core_events: partitioned, its check is not."""


@asset
def other() -> None:
    """An input without checks."""


@asset(partitions_def=DynamicPartitionsDefinition(name="pipelines"))
def without_partitions() -> None:
    """As the table of pipelines of which nobody has made one."""


@asset(deps=[hourly, other, without_partitions], automation_condition=follows_its_inputs())
def above() -> None:
    return None


@asset(deps=[above], automation_condition=follows_its_inputs())
def below() -> None:
    return None


@asset_check(asset=above)
def is_pretty() -> AssetCheckResult:
    return AssetCheckResult(passed=False)


class Toy:
    """The assets above with blocking checks on `hourly` and `above`, on an instance of their own."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance
        self.is_good = True
        self._cursor = None

        @asset_check(asset=hourly, blocking=True)
        def hours_are_good() -> AssetCheckResult:
            return AssetCheckResult(passed=self.is_good)

        @asset_check(asset=above, blocking=True)
        def above_is_good() -> AssetCheckResult:
            return AssetCheckResult(passed=self.is_good)

        self.definitions = Definitions(
            [hourly, other, without_partitions, above, below],
            asset_checks=[hours_are_good, above_is_good, is_pretty],
            jobs=[
                define_asset_job("make_hours", AssetSelection.assets("hourly")),
                define_asset_job("make_hours_unchecked", AssetSelection.assets("hourly").without_checks()),
                define_asset_job("check_hours", AssetSelection.checks(hours_are_good)),
                define_asset_job("make_above", AssetSelection.assets("above")),
            ],
        )
        self.tick()

    def tick(self) -> list[str]:
        """Names of the assets that are requested now."""
        found = evaluate_automation_conditions(self.definitions, self.instance, cursor=self._cursor)
        self._cursor = found.cursor
        return sorted(
            result.key.to_user_string() for result in found.results if not result.true_subset.is_empty
        )

    def update(self, name: str) -> None:
        """As if a run elsewhere had made it."""
        self.instance.report_runless_asset_event(AssetMaterialization(name))

    def run(self, job: str, *, good: bool = True, hour: str | None = None) -> bool:
        """Whether the run of a job succeeds, with checks that pass or fail."""
        self.is_good = good
        found = self.definitions.resolve_job_def(job)
        return found.execute_in_process(
            instance=self.instance, raise_on_error=False, partition_key=hour
        ).success


@pytest.fixture
def toy() -> Iterator[Toy]:
    with DagsterInstance.ephemeral() as instance:
        yield Toy(instance)


def ticks(toy: Toy, count: int) -> Sequence[list[str]]:
    return [toy.tick() for _ in range(count)]


def test_an_update_is_followed_once(toy):
    toy.update("other")
    assert toy.tick() == ["above", "below"]
    toy.run("make_above")
    toy.tick()
    assert ticks(toy, 3) == [[], [], []]


def test_an_update_that_arrives_during_the_run_is_followed_after_it(toy):
    toy.update("other")
    assert toy.tick() == ["above", "below"]
    toy.update("other")
    toy.run("make_above")
    assert "above" in toy.tick()


def test_what_a_blocking_check_refused_is_not_followed(toy):
    assert not toy.run("make_hours", good=False, hour=FIRST)
    assert ticks(toy, 3) == [[], [], []]


def test_a_refused_update_is_followed_once_when_a_later_hour_passed(toy):
    toy.run("make_hours", good=False, hour=FIRST)
    toy.tick()
    assert toy.run("make_hours", hour=SECOND)
    assert ticks(toy, 3) == [["above", "below"], [], []]


def test_a_refused_update_is_followed_once_when_its_check_passed_by_hand(toy):
    toy.run("make_hours", good=False, hour=FIRST)
    toy.tick()
    assert toy.run("check_hours")
    assert ticks(toy, 3) == [["above", "below"], [], []]


def test_what_was_made_after_its_check_had_passed_waits_for_the_check(toy):
    toy.run("make_hours", hour=FIRST)
    toy.tick()
    toy.run("make_hours_unchecked", hour=SECOND)
    assert toy.tick() == []
    toy.run("check_hours")
    assert toy.tick() == ["above", "below"]


def test_another_input_waits_as_long_as_one_is_refused(toy):
    toy.run("make_hours", good=False, hour=FIRST)
    toy.update("other")
    assert toy.tick() == []
    toy.run("make_hours", hour=THIRD)
    assert toy.tick() == ["above", "below"]


def test_an_input_that_was_never_made_refuses_nothing(toy):
    toy.update("other")
    assert toy.tick() == ["above", "below"]


def test_a_check_that_does_not_block_refuses_nothing(toy):
    assert toy.run("make_above")
    assert toy.tick() == ["below"]


def test_what_stands_below_a_refused_step_is_requested_with_the_step_that_mends_it(toy):
    assert not toy.run("make_above", good=False)
    assert toy.tick() == []
    toy.update("other")
    assert toy.tick() == ["above", "below"]
