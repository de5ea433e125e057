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
from tests.e2e.tables import Rows, differences, lake_tables, redirects_that_lead_astray, warehouse_tables

STORE = DemoOptions(people=60, days=3, events=2_000)
TICKS = 3
RUN = 3
"""Files that a run over hours takes at once."""
ORDERS = ("as_it_came", "newest_first", "shuffled")


@dataclass(frozen=True)
class Tick:
    """What arrives before one tick: files of requests, and whether the offline tables come with it."""

    files: Sequence[Path]
    offline: bool


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
        Tick(files[number * size : (number + 1) * size], offline=number == ORDERS.index(order))
        for number in range(TICKS)
    ]


def deployment(home: Path) -> Lake:
    return Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))


def follow(lake: Lake) -> None:
    """Everything below the click stream, as a run after new hours does it."""
    stitch(lake, run_id="tick")
    prepared = prepare_sources(lake)
    run_dbt("build", lake.settings, full_refresh=prepared.full_refresh)
    publish(lake.settings)


def all_tables(lake: Lake) -> dict[str, Rows]:
    compute(lake, run_id="end")
    found = {**warehouse_tables(lake.settings), **lake_tables(lake.settings)}
    del found[ID_GRAPH_MERGES.name]
    return found


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_hours_in_any_order_end_as_everything_at_once(tmp_path: Path) -> None:
    store = the_store(tmp_path / "store")
    whole = deployment(tmp_path / "whole")
    land_demo(whole, store)
    flatten_hours(whole, pending_hours(whole), engine="duckdb", run_id="whole")
    follow(whole)
    expected = all_tables(whole)
    for name in ("bad_events", "duplicate_events", "attribution", "campaign", "attribution_data_driven"):
        assert expected[name], f"{name} is empty: nothing is compared"

    for order in ORDERS:
        lake = deployment(tmp_path / order)
        for tick in ticks(store, order):
            for first in range(0, len(tick.files), RUN):
                land(lake, tick.files[first : first + RUN])
                flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id=order)
            if tick.offline:
                load_offline(lake, store)
            follow(lake)
        assert differences(expected, all_tables(lake)) == {}, order
        assert redirects_that_lead_astray(lake) == [], order
