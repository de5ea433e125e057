"""The frame of every maintenance job: a frozen plan, re-check, act, verify, audit, and when a run is red."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.maintenance.execution import (
    STOP_AFTER,
    MaintenanceFailedError,
    OvertakenError,
    Report,
    VerificationError,
    carry_out,
    raise_for_failures,
)
from blotout_orchestration.maintenance.plan import Plan, PlanItem, human_bytes

NOW = datetime(2026, 3, 5, 17, tzinfo=UTC)
WORDS = st.text(min_size=1, max_size=20)
ITEMS = st.builds(
    PlanItem,
    kind=WORDS,
    target=WORDS,
    why=WORDS,
    count=st.integers(0, 9),
    bytes=st.integers(0, 10**12),
    details=st.dictionaries(WORDS, st.one_of(st.integers(), WORDS, st.lists(WORDS, max_size=3)), max_size=3),
)


class Shelf:
    """A world of boxes to be thrown away, some of which make trouble."""

    def __init__(self, *trouble: str) -> None:
        self.trouble = set(trouble)
        self.gone: list[str] = []

    def recheck(self, item: PlanItem) -> str | None:
        return "in use again" if item.target in self.trouble and item.target.startswith("used") else None

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        if item.target in self.trouble and item.target.startswith("stuck"):
            raise OSError("it is stuck")
        if item.target in self.trouble and item.target.startswith("taken"):
            raise OvertakenError("somebody took it")
        self.gone.append(item.target)
        return {"boxes": 1}

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        if item.target in self.trouble and item.target.startswith("ghost"):
            raise VerificationError("it is still there")


def plan_of(*targets: str, refused: tuple[PlanItem, ...] = ()) -> Plan:
    return Plan("clear", NOW, tuple(PlanItem("throw", name, "old", bytes=10) for name in targets), refused)


def run(
    plan: Plan, shelf: Shelf, *, dry_run: bool = False, maximum_failures: int = 0
) -> tuple[Report, list[str]]:
    log: list[str] = []
    report = carry_out(
        plan,
        shelf,
        dry_run=dry_run,
        maximum_failures=maximum_failures,
        audit=lambda item, outcome, details: log.append(f"{outcome} {item.target}"),
        progress=lambda line: None,
    )
    return report, log


@given(st.lists(ITEMS, max_size=4), st.lists(ITEMS, max_size=2))
def test_a_plan_survives_being_written_and_read(items, refused):
    plan = Plan("clear", NOW, tuple(items), tuple(refused))
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.digest == plan.digest


def test_a_plan_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        plan_of("a").items = ()  # type: ignore[misc]


def test_a_dry_run_does_nothing_and_says_what_it_would_do():
    shelf = Shelf()
    report, log = run(plan_of("a", "b"), shelf, dry_run=True)
    assert shelf.gone == []
    assert report.counts() == {"planned": 2, "refused": 0}
    assert log == ["planned clear"]


def test_every_item_is_done_and_written_down():
    shelf = Shelf()
    report, log = run(plan_of("a", "b"), shelf)
    assert shelf.gone == ["a", "b"]
    assert log == ["planned clear", "done a", "done b"]
    assert report.total("boxes") == 2


def test_an_item_that_is_needed_again_or_was_taken_by_somebody_is_skipped():
    report, log = run(plan_of("used", "taken", "free"), Shelf("used", "taken"))
    assert log[1:] == ["skipped used", "skipped taken", "done free"]
    raise_for_failures(report, 0)


@pytest.mark.parametrize("trouble", ["stuck", "ghost"])
def test_a_failure_does_not_keep_the_others_from_being_done_and_makes_the_run_red(trouble):
    shelf = Shelf(trouble)
    report, log = run(plan_of(trouble, "b"), shelf)
    assert "b" in shelf.gone
    assert log[1:] == [f"failed {trouble}", "done b"]
    with pytest.raises(MaintenanceFailedError, match=f"1 of 2 items failed, 0 are allowed: throw {trouble}"):
        raise_for_failures(report, 0)
    raise_for_failures(report, 1)


def test_many_failures_in_a_row_stop_the_run():
    names = [f"stuck{number}" for number in range(20)]
    report, _ = run(plan_of(*names, "free"), Shelf(*names))
    assert report.counts() == {
        "done": 0,
        "skipped": 0,
        "failed": STOP_AFTER + 1,
        "refused": 0,
        "not_tried": 10,
    }


def test_what_was_refused_for_safety_makes_the_run_red_after_the_rest_is_done():
    shelf = Shelf()
    report, log = run(plan_of("a", refused=(PlanItem("throw", "everything", "too much"),)), shelf)
    assert shelf.gone == ["a"]
    assert "refused everything" in log
    with pytest.raises(MaintenanceFailedError, match="refused for safety: throw everything: too much"):
        raise_for_failures(report, 5)


def test_the_table_of_a_plan_keeps_its_columns_whatever_the_names():
    text = Plan("clear", NOW, (PlanItem("throw", "a|b", "one\ntwo"),)).markdown()
    assert len(text.splitlines()) == 3
    assert "a\\|b" in text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB")]
)
def test_bytes_are_written_for_people(size, text):
    assert human_bytes(size) == text
