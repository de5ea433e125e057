"""Funnels against ClickHouse's windowFunnel, run by chDB in this process: a live oracle that is not ours.

Both see the same events. Two rules of ours are kept out of the generated cases, since windowFunnel has none of
its own: an event is one step only, and strict attempts are asked one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.entities import warehouse as made

Stream = dict[str, list[tuple[int, str]]]
STEPS = ("a", "b", "c", "d")

streams = st.dictionaries(
    st.sampled_from(["p1", "p2", "p3"]),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([*STEPS, "other"])), min_size=1, max_size=14),
    min_size=1,
)
funnels = st.lists(st.sampled_from(STEPS), min_size=2, max_size=4, unique=True)


def _oracle(
    rows: Sequence[tuple[str, int, str]], steps: Sequence[str], window: int, mode: str = "", **options: bool
) -> dict[str, int]:
    """Levels by windowFunnel; rows are (unit, second, event)."""
    values = ", ".join(f"('{unit}', {second}, '{name}')" for unit, second, name in rows)
    source = f"values('unit String, second UInt64, name String', {values})"
    return _ask(source, steps, window, mode, **options)


def _ask(
    source: str, steps: Sequence[str], window: int, mode: str = "", *, any_order: bool = False
) -> dict[str, int]:
    """The level of each unit of a source with columns unit, second, name; the best of all orders if any_order."""
    import chdb

    options = f"{window}, '{mode}'" if mode else str(window)
    levels = []
    for order in itertools.permutations(steps) if any_order else [steps]:
        conditions = ", ".join(f"name = '{step}'" for step in order)
        levels.append(f"windowFunnel({options})(second, {conditions})")
    best = f"arrayMax([{', '.join(levels)}])"
    answer = chdb.query(
        f"select unit, {best} as level from {source} group by unit having level > 0", "TabSeparated"
    )
    lines = (line.split("\t") for line in str(answer).splitlines())
    return {unit: int(level) for unit, level in lines}


def _flat(stream: Stream) -> list[tuple[str, int, str]]:
    return [(person, second, name) for person, events in stream.items() for second, name in events]


def _ours(stream: Stream, steps: Sequence[str], window: int, order: str) -> dict[Any, int]:
    events = [made.event(person, name, second) for person, second, name in _flat(stream)]
    with made.warehouse(events=events) as connection:
        definition = made.funnel(steps, window=f"{window} seconds", order=order)
        return made.steps_reached(connection, definition)


@given(streams, funnels, st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_ordered_funnels_are_window_funnels(stream, steps, window):
    assert _ours(stream, steps, window, "ordered") == _oracle(_flat(stream), steps, window)


@given(streams, funnels, st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_the_best_attempt_of_a_strict_funnel_is_a_window_funnel_in_strict_order(stream, steps, window):
    """Each step-1 event opens an attempt: the events from it to the end of its window, asked on their own."""
    rows, owner = [], {}
    for person, events in stream.items():
        starts = sorted({second for second, name in events if name == steps[0]})
        for start in starts:
            unit = f"{person}/{start}"
            owner[unit] = person
            attempt = [
                (second, name)
                for second, name in events
                if start <= second <= start + window and (second > start or name in steps)
            ]
            rows += [(unit, second, name) for second, name in attempt]
    best: dict[str, int] = {}
    if rows:
        for unit, level in _oracle(rows, steps, window, "strict_order").items():
            best[owner[unit]] = max(best.get(owner[unit], 0), level)
    assert _ours(stream, steps, window, "strict") == best


@given(streams, funnels, st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_a_funnel_in_any_order_is_the_best_window_funnel_of_all_orders(stream, steps, window):
    best = _oracle(_flat(stream), steps, window, any_order=True)
    assert _ours(stream, steps, window, "any_order") == best


@given(streams, funnels, st.integers(1, 30))
@settings(max_examples=20, deadline=None)
def test_a_strict_funnel_reaches_at_least_what_strict_order_does_for_its_first_attempt(stream, steps, window):
    """Why they differ: windowFunnel gives up at the first interruption, ours goes on to the next attempt."""
    ours = _ours(stream, steps, window, "strict")
    ordered = _ours(stream, steps, window, "ordered")
    assert all(level <= ordered[person] for person, level in ours.items())
    assert set(ours) == set(ordered)


RECORDED = (
    "(select {unit} as unit, toUInt64(toUnixTimestamp(parseDateTimeBestEffort(timestamp, 'UTC'))) as second,"
    " event as name from file('{file}', 'CSVWithNames', 'user_id String, session_id String, event String,"
    " timestamp String, platform String, acquisition_channel String, user_cohort String, user_lifecycle String'))"
)


@pytest.fixture(scope="module")
def clicks(real_data: Path) -> Iterator[tuple[Any, Path]]:
    """The recorded click stream in a warehouse, and its file."""
    file = real_data / "ecom_clickstream" / "ecom.csv.gz"
    with made.warehouse() as connection:
        connection.execute(
            f"insert into {made.SCHEMA}.unified_events by name select 'e' || row_number() over () as event_key,"
            " user_id as global_user_id, session_id as session_key, event as event_name, false as is_bot,"
            f" timestamp at time zone 'UTC' as occurred_at from read_csv('{file}')"
        )
        assert connection.execute(f"select count(*) from {made.SCHEMA}.unified_events").fetchall() == [
            (31_106,)
        ]
        yield connection, file


@pytest.mark.parametrize("per", ["person", "session"])
@pytest.mark.parametrize(
    "steps",
    [
        ("product_view", "add_to_cart", "cart", "purchase"),
        ("home", "catalog", "product_view"),
        ("cart", "shipping_details", "payment_details", "purchase"),
    ],
)
def test_the_real_click_stream_gives_the_levels_of_window_funnel(clicks, per: str, steps: tuple[str, ...]):
    connection, file = clicks
    ours = made.steps_reached(connection, made.funnel(steps, window="30 minutes", per=per))
    unit = "session_id" if per == "session" else "user_id"
    expected = _ask(RECORDED.format(unit=unit, file=file), steps, 1800)
    assert max(expected.values()) == len(steps)
    assert {unit[1] if per == "session" else unit: level for unit, level in ours.items()} == expected


def test_strict_attempts_in_the_real_click_stream_are_window_funnels_in_strict_order(clicks):
    connection, file = clicks
    steps = ("product_view", "add_to_cart", "cart")
    recorded = RECORDED.format(unit="user_id", file=file)
    attempts = (
        "(select concat(starts.unit, '/', toString(starts.second)) as unit, later.second as second, later.name as name"
        f" from (select distinct unit, second from {recorded} where name = '{steps[0]}') as starts"
        f" inner join {recorded} as later on later.unit = starts.unit"
        " where later.second between starts.second and starts.second + 1800"
        f" and (later.second > starts.second or later.name in {steps}))"
    )
    best: dict[str, int] = {}
    for unit, level in _ask(attempts, steps, 1800, "strict_order").items():
        person = unit.split("/")[0]
        best[person] = max(best.get(person, 0), level)
    ours = made.steps_reached(connection, made.funnel(steps, window="30 minutes", order="strict"))
    assert ours == best
    assert set(best.values()) == {1, 2, 3}


def test_any_order_in_the_real_click_stream_is_the_best_window_funnel_of_all_orders(clicks):
    connection, file = clicks
    steps = ("search", "add_to_cart", "wishlist_add")
    best = _ask(RECORDED.format(unit="user_id", file=file), steps, 1800, any_order=True)
    ours = made.steps_reached(connection, made.funnel(steps, window="30 minutes", order="any_order"))
    assert ours == best


def test_an_event_stands_for_one_step_only_where_window_funnel_counts_it_twice():
    assert _oracle([("p", 0, "a")], ("a", "a"), 10) == {"p": 2}
    twice = [{"step": "first", "event": "a"}, {"step": "second", "event": "a"}]
    with made.warehouse(events=[made.event("p", "a", 0)]) as connection:
        assert made.steps_reached(connection, made.funnel(twice)) == {"p": 1}
    with made.warehouse(events=[made.event("p", "a", 0), made.event("p", "a", 1)]) as connection:
        assert made.steps_reached(connection, made.funnel(twice)) == {"p": 2}


def test_a_strict_attempt_after_an_interrupted_one_counts_where_strict_order_has_given_up():
    stream = {"p": [(0, "a"), (1, "other"), (2, "b"), (3, "a"), (4, "b")]}
    assert _oracle(_flat(stream), ("a", "b"), 10, "strict_order") == {"p": 1}
    assert _ours(stream, ("a", "b"), 10, "strict") == {"p": 2}
