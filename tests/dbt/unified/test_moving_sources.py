"""Sources that move on while a build runs, as on Trino and Athena: the next build takes in what came too late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blotout_orchestration.analytics.warehouse import prepare_sources
from blotout_orchestration.elt.contract import OFFLINE_EVENTS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

from . import shop

MODELS: list[str] = []
"""The models of the layer in the order of the last build."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A shop with one browser that the id graph knows, and one offline order; built."""
    lake = Lake(Settings(_env_file=None, blotout_home=tmp_path, organisation="shop", environment="test"))
    shop.land(lake, [shop.event("a", 0, user_id="u", session_id="1")])
    shop.set_rows(lake, ID_GRAPH, [shop.known_id("user_id", "u", "first")])
    shop.set_rows(lake, OFFLINE_EVENTS, [shop.offline_order("x", 5, "O-1", "10.00")])
    MODELS[:] = shop.build(lake)
    return lake


def _build_while(lake: Lake, moves: Callable[[], None], *, after: str, full_refresh: bool = False) -> None:
    """A build whose sources show, once a model is built, what happened meanwhile."""
    cut = MODELS.index(after) + 1
    parts = MODELS[:cut], MODELS[cut:]
    prepare_sources(lake, full_refresh=full_refresh)
    shop.dbt(lake, select=parts[0], full_refresh=full_refresh)
    moves()
    prepare_sources(lake, full_refresh=full_refresh)
    shop.dbt(lake, select=parts[1], full_refresh=full_refresh)


def _assert_as_after_a_full_refresh(lake: Lake) -> None:
    incremental = shop.built_tables(lake)
    shop.build(lake, full_refresh=True)
    rebuilt = shop.built_tables(lake)
    assert {name for name in rebuilt if rebuilt[name] != incremental[name]} == set()


@pytest.mark.parametrize("full_refresh", [False, True])
@pytest.mark.parametrize("after", ["changed_hours", "unique_events", "view_users"])
def test_an_hour_that_is_flattened_again_during_a_build_is_taken_in_by_the_next_one(
    lake: Lake, after: str, full_refresh: bool
) -> None:
    hour, early = shop.at(60), shop.event("b", 61, user_id="u", session_id="2")
    late = shop.transaction("c", 65, "O-9", "500.00", user_id="u", session_id="2")
    shop.land_hour(lake, hour, [early])
    _build_while(
        lake, lambda: shop.land_hour(lake, hour, [early, late]), after=after, full_refresh=full_refresh
    )
    assert prepare_sources(lake).changed_hours == (hour,)
    assert shop.query(
        lake, "select events_good from processed_hours where arrival_hour = '2026-03-02 01:00+00'"
    ) == [(1,)]
    shop.build(lake, "build")
    assert shop.query(lake, "select event_id from unique_events order by 1") == [("a",), ("b",), ("c",)]
    assert prepare_sources(lake).changed_hours == ()
    _assert_as_after_a_full_refresh(lake)


def test_an_id_without_events_that_moves_during_a_build_brings_its_person(lake: Lake) -> None:
    shop.set_rows(lake, ID_GRAPH, [shop.known_id("email", "a@example.org", "second")])
    third = [shop.known_id("email", "a@example.org", "third")]
    _build_while(lake, lambda: shop.set_rows(lake, ID_GRAPH, third), after="touched_ids")
    shop.build(lake)
    assert shop.query(lake, "select ids from view_users where global_user_id = 'third'") == [(1,)]
    _assert_as_after_a_full_refresh(lake)


def test_an_offline_event_that_moves_to_another_order_during_a_build_takes_its_revenue_along(
    lake: Lake,
) -> None:
    shop.set_rows(lake, OFFLINE_EVENTS, [shop.offline_order("x", 5, "O-2", "10.00")])
    third = [shop.offline_order("x", 5, "O-3", "10.00")]
    _build_while(lake, lambda: shop.set_rows(lake, OFFLINE_EVENTS, third), after="touched_offline_events")
    shop.build(lake)
    assert shop.query(lake, "select transaction_key, revenue from conversions") == [("O-3", 10)]
    _assert_as_after_a_full_refresh(lake)
