"""What funnels have beside windowFunnel: exclusions, sessions, the same property, periods, time to convert."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.entities.fields import DefinitionError
from blotout_orchestration.entities.funnel_sql import compile_funnel
from tests.entities import warehouse as made

events = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from("abcx")), min_size=1, max_size=12, unique_by=lambda e: e[0]
)


def _best(stream: list[tuple[int, str]], steps: str, window: int, after: int, before: int) -> int:
    """Every chain of the steps, tried one by one: the longest without an x where none may be."""
    ordered = sorted(stream)
    best = 0

    def grow(chain: list[int]) -> None:
        nonlocal best
        best = max(best, len(chain))
        if len(chain) == len(steps):
            return
        for place in range(chain[-1] + 1 if chain else 0, len(ordered)):
            second, name = ordered[place]
            if name != steps[len(chain)] or (chain and second - ordered[chain[0]][0] > window):
                continue
            step = len(chain) + 1
            between = ordered[chain[-1] + 1 : place] if chain else []
            if after < step <= before and any(other == "x" for _, other in between):
                continue
            grow([*chain, place])

    grow([])
    return best


@given(events, st.integers(1, 30), st.sampled_from([(1, 3), (1, 2), (2, 3)]))
@settings(max_examples=60, deadline=None)
def test_an_excluded_event_ends_the_attempts_that_it_falls_into(stream, window, span):
    after, before = span
    expected = _best(stream, "abc", window, after, before)
    with made.warehouse(events=[made.event("p", name, second) for second, name in stream]) as connection:
        exclude = [{"event": "x", "after": after, "before": before}]
        definition = made.funnel("abc", window=f"{window} seconds", exclude=exclude)
        assert made.steps_reached(connection, definition) == ({"p": expected} if expected else {})


def test_a_funnel_per_session_does_not_join_two_visits():
    visits = [
        made.event("p", "a", 0, session_key="s1"),
        made.event("p", "b", 10, session_key="s2"),
        made.event("p", "a", 20, session_key="s2"),
        made.event("p", "b", 30, session_key="s2"),
        made.event("p", "b", 40),
    ]
    with made.warehouse(events=visits) as connection:
        assert made.steps_reached(connection, made.funnel("ab", per="session")) == {
            ("p", "s1"): 1,
            ("p", "s2"): 2,
        }
        assert made.steps_reached(connection, made.funnel("ab")) == {"p": 2}


@pytest.mark.parametrize("order", ["ordered", "any_order"])
def test_the_same_property_must_go_through_all_steps(order):
    looks = [
        made.event("mixed", "a", 0, item_sku="red"),
        made.event("mixed", "b", 10, item_sku="blue"),
        made.event("true", "a", 0, item_sku="red"),
        made.event("true", "a", 5, item_sku="blue"),
        made.event("true", "b", 10, item_sku="red"),
        made.event("none", "a", 0),
    ]
    with made.warehouse(events=looks) as connection:
        reached = made.steps_reached(connection, made.funnel("ab", same="item_sku", order=order))
        assert reached == {"mixed": 1, "true": 2}


def test_only_events_of_the_period_and_not_of_the_future_count():
    rows = [
        made.event("p", "a", 0),
        made.event("p", "b", 10),
        made.event("q", "a", 86_400 * 29),
        made.event("r", "a", 86_400 * 31),
    ]
    with made.warehouse(events=rows) as connection:
        assert made.steps_reached(connection, made.funnel("ab", period="7 days")) == {"q": 1}
        assert made.steps_reached(connection, made.funnel("ab")) == {"p": 2, "q": 1}


def test_robots_and_events_without_a_person_are_left_out():
    rows = [made.event("p", "a", 0, is_bot=True), {**made.event("x", "a", 0), "global_user_id": None}]
    with made.warehouse(events=rows) as connection:
        assert made.steps_reached(connection, made.funnel("ab")) == {}


@pytest.mark.parametrize("order", ["ordered", "strict", "any_order"])
def test_time_to_convert_is_that_of_the_attempt_that_got_there_first(order):
    """Repeats open attempts of their own and never lengthen one: of two that reach b together, the later counts."""
    rows = [
        made.event("p", name, second)
        for name, second in (("a", 0), ("a", 4), ("b", 6), ("a", 100), ("b", 101))
    ]
    with made.warehouse(events=rows) as connection:
        query = compile_funnel(made.funnel("ab", order=order), made.columns(), made.AS_OF).sql("duckdb")
        found = {row[2]: (row[3], row[4]) for row in connection.execute(query).fetchall()}
    start = made.START
    assert found == {1: (start, start), 2: (start + timedelta(seconds=4), start + timedelta(seconds=6))}


def test_strict_funnels_can_be_told_what_interrupts():
    rows = [made.event("p", name, second) for second, name in enumerate(["a", "scroll", "b", "home", "c"])]
    with made.warehouse(events=rows) as connection:
        assert made.steps_reached(connection, made.funnel("abc", order="strict")) == {"p": 1}
        home = made.funnel("abc", order="strict", interrupted_by=["HOME"])
        assert made.steps_reached(connection, home) == {"p": 2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order": "strict", "exclude": [{"event": "x"}]}, "ordered funnels only"),
        ({"interrupted_by": ["x"]}, "belongs to strict funnels"),
        ({"exclude": [{"event": "x", "after": 3}]}, "must be a step before"),
        ({"exclude": [{"event": "x", "before": 9}]}, "must be one of 3 steps"),
        ({"order": "strict", "same": "item_sku"}, "cannot be combined with strict"),
        ({"window": "0 days"}, "longer than 0"),
        ({"window": "soon"}, "is no duration"),
        (
            {"steps": [{"step": "a", "event": "a"}, {"step": "a", "event": "b"}]},
            "steps need names of their own",
        ),
        (
            {"steps": [{"step": "a", "event": "A"}, {"step": "b", "event": "a"}], "order": "any_order"},
            "belongs to one step",
        ),
    ],
)
def test_options_without_a_meaning_are_refused(options: dict[str, Any], said: str):
    with pytest.raises(DefinitionError, match=said):
        made.funnel(**{"steps": "abc", **options})


def test_a_funnel_names_every_column_that_is_not_there():
    steps = [
        {"step": "a", "where": {"property": "no_such", "operator": "EQUAL", "value": "x"}},
        {"step": "b", "where": {"property": "neither", "operator": "EQUAL", "value": "x"}},
    ]
    with pytest.raises(DefinitionError) as refused:
        compile_funnel(made.funnel(steps), made.columns(), made.AS_OF)
    assert "no column no_such" in str(refused.value)
    assert "no column neither" in str(refused.value)
