"""Hour by hour in any order, through the whole way: the tables of everything at once."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from blotout_orchestration.analytics.data_driven import compute
from blotout_orchestration.analytics.dbt_project import run_dbt
from blotout_orchestration.analytics.warehouse import prepare_sources, publish
from blotout_orchestration.demo.landing import land_demo, load_offline
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import generate, write
from blotout_orchestration.events.landing import land
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.id_graph.contract import ID_GRAPH_MERGES
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.e2e.tables import (
    Rows,
    differences,
    lake_tables,
    people_in_use,
    redirected,
    redirects_that_lead_astray,
    warehouse_tables,
)

STORE = DemoOptions(people=60, days=3, events=2_000)
TICKS = 4
"""How often the id graph and the warehouse follow; the events of every hour are landed and flattened one by one."""
ORDERS = {"as_it_came": 0, "newest_first": 1, "shuffled": TICKS - 1}
"""The tick at which the offline tables come, by the order of the files of requests."""


@dataclass(frozen=True)
class Tick:
    """What arrives before one tick: files of requests, one a run, and whether the offline tables come with it."""

    files: Sequence[Path]
    offline: bool
    is_last: bool


def the_store(folder: Path) -> Path:
    """A written store in which every third hour has a second file, which may arrive much later."""
    write(generate(STORE), folder)
    for path in sorted(folder.rglob("part-0000.jsonl.gz"))[::3]:
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(lines[::2]), mtime=0))
        if lines[1::2]:
            path.with_name("part-0001.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[1::2]), mtime=0))
    return folder


def ticks(store: Path, order: str) -> list[Tick]:
    """The files in an order of arrival, cut into ticks; CRM, orders and spend come at another one each time."""
    files = sorted((store / "requests").rglob("*.gz"))
    if order == "newest_first":
        files.reverse()
    elif order == "shuffled":
        random.Random(order).shuffle(files)
    size = -(-len(files) // TICKS)
    return [
        Tick(
            files[number * size : (number + 1) * size],
            offline=number == ORDERS[order],
            is_last=number == TICKS - 1,
        )
        for number in range(TICKS)
    ]


def deployment(home: Path) -> Lake:
    return Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))


def follow(lake: Lake, command: str = "run") -> None:
    """Everything below the click stream, as a run after new hours does it; dbt's `build` tests it as well."""
    stitch(lake, run_id="tick")
    prepared = prepare_sources(lake)
    run_dbt(command, lake.settings, full_refresh=prepared.full_refresh)
    publish(lake.settings)


def all_tables(lake: Lake) -> dict[str, Rows]:
    """All but the redirects: they tell which people were known on the way, and everything at once has none."""
    compute(lake, run_id="end")
    found = {**warehouse_tables(lake.settings), **lake_tables(lake.settings)}
    del found[ID_GRAPH_MERGES.name]
    return found


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_hours_in_any_order_end_as_everything_at_once(tmp_path: Path) -> None:
    store = the_store(tmp_path / "store")
    whole = deployment(tmp_path / "whole")
    land_demo(whole, store)
    flatten_hours(whole, pending_hours(whole), engine="duckdb", run_id="whole")
    follow(whole, "build")
    assert redirected(whole) == set()
    expected = all_tables(whole)
    for name in ("bad_events", "duplicate_events", "attribution", "campaign", "attribution_data_driven"):
        assert expected[name], f"{name} is empty: nothing is compared"

    for order in ORDERS:
        lake = deployment(tmp_path / order)
        known: set[str] = set()
        for tick in ticks(store, order):
            for file in tick.files:
                land(lake, [file])
                flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id=order)
            if tick.offline:
                load_offline(lake, store)
            follow(lake, "build" if tick.is_last else "run")
            known |= people_in_use(lake)
        assert differences(expected, all_tables(lake)) == {}, order
        retired = known - people_in_use(lake)
        assert retired, f"{order}: nobody was merged on the way, so nothing is redirected"
        assert redirected(lake) == retired, order
        assert redirects_that_lead_astray(lake) == [], order
