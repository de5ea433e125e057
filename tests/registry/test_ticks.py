"""What a tick decides: partitions in step, one run a key, nothing removed on a doubt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.platform.registry.store import Contents
from blotout_orchestration.platform.registry.ticks import ADDED_AT_ONCE, Tick, plan_tick, read_cursor
from tests.registry.examples import pipeline

NOW = datetime(2026, 3, 5, 12, 0, 30, tzinfo=UTC)
ADDED = datetime(2026, 3, 1, tzinfo=UTC)


def contents(*names: str, removed: tuple[str, ...] = (), broken: tuple[str, ...] = (), **payload) -> Contents:
    live = {name: pipeline(name, **payload).model_copy(update={"created_at": ADDED}) for name in names}
    return Contents(live, dict.fromkeys(broken, "schedule: wrong"), frozenset(removed))


def tick(found: Contents, partitions=(), running=(), cursor=None, slots=100, now=NOW) -> Tick:
    return plan_tick(now, found, partitions=partitions, running=running, cursor=cursor, slots=slots)


def test_new_names_get_partitions_and_run_in_the_same_tick():
    made = tick(contents("a", "b"), partitions=["a"])
    assert (made.add, made.remove, set(made.runs)) == (("b",), (), {"a", "b"})


def test_names_that_were_removed_lose_their_partitions():
    made = tick(contents("a", removed=("b", "c")), partitions=["a", "b"])
    assert (made.add, made.remove) == ((), ("b",))


def test_the_last_name_can_be_removed_too():
    assert tick(contents(removed=("a",)), partitions=["a"]).remove == ("a",)


def test_a_registry_that_is_suddenly_empty_removes_nothing():
    made = tick(contents(), partitions=["a", "b"])
    assert (made.add, made.remove, made.runs) == ((), (), {})
    assert "2 partition(s) are not removed: the registry is empty (a, b)" in made.reason


def test_another_registry_removes_nothing_that_it_never_knew():
    made = tick(contents("c", removed=("b",)), partitions=["a", "b", "c"])
    assert made.remove == ("b",)
    assert "1 partition(s) are not removed: the registry has never known some of them (a)" in made.reason


def test_a_partition_is_not_removed_while_its_run_is_under_way():
    found = contents(removed=("a",))
    assert tick(found, partitions=["a"], running=["a"]).remove == ()
    assert tick(found, partitions=["a"]).remove == ("a",)


def test_a_key_with_a_run_under_way_waits_and_then_runs_once():
    first = tick(contents("a"), partitions=["a"], running=["a"])
    assert first.runs == {}
    second = tick(contents("a"), partitions=["a"], cursor=first.cursor, now=NOW + timedelta(hours=3))
    assert list(second.runs.values()) == [NOW.replace(second=0) + timedelta(hours=3)]
    assert (
        tick(contents("a"), partitions=["a"], cursor=second.cursor, now=NOW + timedelta(hours=3)).runs == {}
    )


def test_pausing_takes_effect_at_the_next_tick_and_keeps_the_partition():
    made = tick(contents("a", paused=True), partitions=["a"])
    assert (made.runs, made.remove) == ({}, ())
    assert made.reason == "nothing is due"


def test_a_definition_that_cannot_be_read_keeps_its_partition_and_hinders_no_other():
    made = tick(contents("a", broken=("b",)), partitions=["a", "b"])
    assert (set(made.runs), made.remove) == ({"a"}, ())
    assert "b cannot be run: schedule: wrong" in made.reason


def test_a_definition_that_cannot_be_read_gets_no_partition():
    assert tick(contents("a", broken=("with, comma",))).add == ("a",)


def test_more_due_keys_than_places_take_turns():
    names = [f"p{number}" for number in range(10)]
    found, cursor, done = contents(*names), None, []
    for _ in range(4):
        made = tick(found, partitions=names, cursor=cursor, slots=3)
        done += made.runs
        cursor = made.cursor
    assert sorted(done) == sorted(names)
    assert "7 due key(s) wait for a free place" in tick(found, partitions=names, slots=3).reason


def test_a_key_that_fails_all_the_time_takes_no_place_from_others():
    """The failing key runs every minute; the hourly ones have waited longer and come first."""
    eager = pipeline("eager", interval_seconds=60).model_copy(update={"created_at": ADDED})
    found = Contents({"eager": eager, **contents("a", "b").live})
    cursor = tick(found, partitions=["eager", "a", "b"]).cursor
    later = NOW + timedelta(minutes=63)
    assert list(tick(found, partitions=["eager", "a", "b"], cursor=cursor, now=later, slots=2).runs) == [
        "a",
        "b",
    ]


def test_partitions_are_added_in_parts():
    names = [f"p{number:04}" for number in range(ADDED_AT_ONCE + 20)]
    first = tick(contents(*names), slots=10_000)
    second = tick(contents(*names), partitions=first.add, cursor=first.cursor, slots=10_000)
    assert (len(first.add), len(second.add)) == (ADDED_AT_ONCE, 20)
    assert sorted([*first.runs, *second.runs]) == names


def test_the_cursor_forgets_what_was_removed():
    first = tick(contents("a", "b"), partitions=["a", "b"])
    second = tick(contents("a", removed=("b",)), partitions=["a", "b"], cursor=first.cursor)
    assert set(read_cursor(second.cursor)) == {"a"}


@given(st.text(max_size=40) | st.just('{"a": 5}') | st.just('["a"]'))
def test_a_cursor_that_somebody_wrote_over_stops_nothing(cursor):
    assert set(tick(contents("a"), partitions=["a"], cursor=cursor).runs) == {"a"}


NAMES = st.sampled_from("abcdefgh")


@given(st.sets(NAMES), st.sets(NAMES), st.sets(NAMES), st.sets(NAMES), st.integers(0, 9))
def test_whatever_holds_partitions_end_in_step_and_no_key_runs_twice(
    live, removed, partitions, running, slots
):
    removed -= live
    running &= partitions
    found = contents(*live, removed=tuple(removed))
    made = tick(found, partitions=partitions, running=running, slots=slots)
    after = (partitions | set(made.add)) - set(made.remove)
    assert live <= after
    assert not (after & removed) - running
    assert partitions - removed <= after
    assert not set(made.runs) & running
    assert set(made.runs) <= live
    assert len(made.runs) == min(slots, len(live - running))
