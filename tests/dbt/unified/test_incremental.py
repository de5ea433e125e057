"""An incremental build equals a full refresh, whatever arrived when and wherever a build was cut off."""

from __future__ import annotations

import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.analytics.dbt_project import dbt_arguments, dbt_environment, dbt_executable
from blotout_orchestration.elt.contract import CRM_PROFILES, OFFLINE_EVENTS
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

from . import shop

HOURS = 10


def _heavy(*values: int) -> list[Any]:
    return [pytest.param(value, marks=pytest.mark.heavy) for value in values]


@dataclass
class Content:
    """What the lake holds at one time."""

    hours: dict[Any, list[shop.Row]]
    ids: list[shop.Row]
    orders: list[shop.Row]
    profiles: list[shop.Row]


def _content(seed: int) -> Content:
    """A shop's lake with everything that makes incremental builds go wrong."""
    draw = random.Random(seed)
    events: list[shop.Row] = []
    for number in range(140):
        visitor = draw.randrange(8)
        minute = draw.uniform(0, 60 * HOURS - 90)
        delay = draw.choice([0, 0, 0, 20, 65, 85])
        columns: dict[str, Any] = {
            "session_id": draw.choice([None, f"s{visitor}", f"s{visitor % 3}"]),
            "user_id": draw.choice([None, f"u{visitor}", f"u{visitor}", f"u{visitor}"]),
            "channel": draw.choice([None, "Direct", "Paid Search"]),
            "is_bot": visitor == 7,
            "is_clock_skewed": draw.random() < 0.1,
            "persona_firstname": draw.choice([None, None, "Ada", "Grace"]),
        }
        name = f"e{number}"
        if draw.random() < 0.15:
            order = draw.choice([None, *(f"o{index}" for index in range(6))])
            columns["transaction_currency"] = draw.choice(["EUR", "EUR", "USD", None])
            row = shop.transaction(name, minute, order, f"{draw.randrange(1, 90)}.25", delay=delay, **columns)
        else:
            row = shop.event(name, minute, delay=delay, **columns)
        events.append(row)
        if draw.random() < 0.15:
            again = {**row, "received_at": row["received_at"] + shop.timedelta(hours=1)}
            again["arrival_hour"] = row["arrival_hour"] + shop.timedelta(hours=1)
            again["session_id"] = draw.choice([row["session_id"], "s1"])
            again["content_hash"] = draw.choice([row["content_hash"], "collision"])
            events.append(again)
    hours: dict[Any, list[shop.Row]] = {shop.at(60 * index): [] for index in range(HOURS + 1)}
    for row in events:
        hours[row["arrival_hour"]].append(row)
    ids = [
        shop.known_id("user_id", f"u{n}", f"p{draw.randrange(4)}") for n in range(8) if draw.random() < 0.8
    ]
    ids += [shop.known_id("map_id", f"c{n}", f"p{draw.randrange(4)}", "shopify") for n in range(4)]
    orders = [
        shop.offline_order(
            f"x{n}",
            draw.uniform(0, 500),
            f"o{draw.randrange(8)}",
            f"{draw.randrange(1, 90)}.50",
            event_name=draw.choice(["order_completed", "order_completed", "order_refunded"]),
            currency=draw.choice(["EUR", "USD", None]),
            person_id=draw.choice([None, f"c{draw.randrange(6)}"]),
            person_id_type="map_id",
            person_id_provider="shopify",
        )
        for n in range(10)
    ]
    profiles = [shop.profile(f"c{n}", first_name=draw.choice(["Ada", "Eve"])) for n in range(5)]
    return Content(hours, ids, orders, profiles)


def _interim(final: Content, other: Content, draw: random.Random) -> Content:
    """A state on the way: some hours still missing, some with other rows, other ids, orders, profiles."""
    hours = {}
    for hour, rows in final.hours.items():
        state = draw.choice(["final", "final", "other", "part", "missing"])
        if state == "final":
            hours[hour] = rows
        elif state == "other":
            hours[hour] = other.hours[hour]
        elif state == "part":
            hours[hour] = [row for row in rows if draw.random() < 0.5]
    pick = draw.choice([final, other])
    return Content(hours, draw.choice([final, other]).ids, pick.orders, draw.choice([final, other]).profiles)


def _put(lake: Lake, content: Content, landed: dict[Any, list[shop.Row]], draw: random.Random) -> None:
    hours = list(content.hours)
    draw.shuffle(hours)
    for hour in hours:
        if landed.get(hour) != content.hours[hour]:
            shop.land_hour(lake, hour, content.hours[hour])
            landed[hour] = content.hours[hour]
    shop.set_rows(lake, ID_GRAPH, content.ids)
    shop.set_rows(lake, OFFLINE_EVENTS, content.orders)
    shop.set_rows(lake, CRM_PROFILES, content.profiles)


def _lake(folder: Path) -> Lake:
    return Lake(Settings(_env_file=None, blotout_home=folder, organisation="shop", environment="test"))


def _differences(left: dict[str, list[str]], right: dict[str, list[str]]) -> dict[str, Any]:
    assert left.keys() == right.keys()
    return {
        name: {
            "only left": sorted(set(rows) - set(right[name]))[:2],
            "only right": sorted(set(right[name]) - set(rows))[:2],
        }
        for name, rows in left.items()
        if rows != right[name]
    }


@pytest.mark.parametrize("seed", [1, 2, *_heavy(3, 4, 5, 6, 7, 8)])
def test_hours_in_any_order_and_re_run_give_what_a_full_refresh_gives(tmp_path: Path, seed: int) -> None:
    final, other, draw = _content(10), _content(20 + seed), random.Random(seed)
    lake, landed = _lake(tmp_path), {}
    for _ in range(4):
        _put(lake, _interim(final, other, draw), landed, draw)
        shop.build(lake)
    _put(lake, final, landed, draw)
    shop.build(lake)
    incremental = shop.built_tables(lake)
    shop.build(lake, full_refresh=True)
    assert _differences(incremental, shop.built_tables(lake)) == {}
    assert len(incremental["sessions"]) > 20
    assert len(incremental["conversions"]) > 5
    assert len(incremental["duplicate_events"]) > 5


def test_a_build_without_changes_changes_nothing(tmp_path: Path) -> None:
    lake, draw = _lake(tmp_path), random.Random(0)
    _put(lake, _content(10), {}, draw)
    shop.build(lake)
    before = shop.built_tables(lake)
    shop.build(lake)
    assert shop.built_tables(lake) == before
    assert shop.query(lake, "select count(*) from changed_users where build_number > 1") == [(0,)]


@pytest.mark.parametrize("models_done", [7, 11, 19, *_heavy(1, 2, 4, 9, 14, 15, 17, 18, 21, 22, 23, 24)])
def test_a_build_that_was_cut_off_is_repaired_by_the_next_one(tmp_path: Path, models_done: int) -> None:
    first, second, third = _content(10), _content(11), _content(12)
    lake, landed, draw = _lake(tmp_path), {}, random.Random(models_done)
    _put(lake, first, landed, draw)
    order = list(shop.build(lake))
    _put(lake, second, landed, draw)
    shop.prepare_sources(lake)
    shop.dbt(lake, select=order[:models_done])
    # The lake goes on while nobody mends the build, and one hour even returns to what was taken in before.
    third.hours = {hour: (first if n % 2 else third).hours[hour] for n, hour in enumerate(third.hours)}
    _put(lake, third, landed, draw)
    shop.build(lake)
    repaired = shop.built_tables(lake)
    shop.build(lake, full_refresh=True)
    assert _differences(repaired, shop.built_tables(lake)) == {}


@pytest.mark.parametrize("models_done", [9, *_heavy(1, 18)])
def test_a_full_refresh_that_was_cut_off_is_repaired_by_the_next_build(
    tmp_path: Path, models_done: int
) -> None:
    lake, landed, draw = _lake(tmp_path), {}, random.Random(models_done)
    _put(lake, _content(10), landed, draw)
    order = list(shop.build(lake))
    _put(lake, _content(11), landed, draw)
    shop.prepare_sources(lake, full_refresh=True)
    shop.dbt(lake, select=order[:models_done], full_refresh=True)
    prepared = shop.prepare_sources(lake)
    assert prepared.full_refresh
    shop.dbt(lake)
    repaired = shop.built_tables(lake)
    shop.build(lake, full_refresh=True)
    assert _differences(repaired, shop.built_tables(lake)) == {}


@pytest.mark.heavy
def test_builds_that_are_killed_at_any_moment_end_as_an_undisturbed_one(tmp_path: Path) -> None:
    lake, landed, draw = _lake(tmp_path), {}, random.Random(9)
    _put(lake, _content(10), landed, draw)
    shop.build(lake)
    for seed in range(11, 17):
        _put(lake, _content(seed), landed, draw)
        shop.prepare_sources(lake)
        _kill_dbt(lake, after=draw.uniform(0, 1.2))
    _put(lake, _content(17), landed, draw)
    shop.build(lake)
    mended = shop.built_tables(lake)
    shop.build(lake, full_refresh=True)
    assert _differences(mended, shop.built_tables(lake)) == {}


def _kill_dbt(lake: Lake, *, after: float) -> None:
    """Start dbt in a process of its own and end it with SIGKILL, seconds after its first model."""
    arguments = dbt_arguments("run", lake.settings, select=["tag:events_unified_view"])
    with subprocess.Popen(
        [dbt_executable(), *arguments], env=dbt_environment(lake.settings), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "START" in line:
                break
        time.sleep(after)
        process.kill()
        assert process.wait() in (-9, 0)
