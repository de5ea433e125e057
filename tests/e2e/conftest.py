"""The whole way once: demo store, landing, flattening, id graph, dbt, published warehouse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.analytics.dbt_project import run_dbt
from blotout_orchestration.analytics.warehouse import connect_published, prepare_sources, publish
from blotout_orchestration.demo.landing import land_demo
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import generate, write
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings

STORE = DemoOptions(people=160, days=12, events=7_000)


@dataclass(frozen=True)
class Shop:
    """A demo store, its truth, and the lake that it went through."""

    folder: Path
    lake: Lake

    @property
    def settings(self) -> Settings:
        return self.lake.settings

    @property
    def truth(self) -> dict[str, Any]:
        return json.loads((self.folder / "truth.json").read_text(encoding="utf-8"))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """people, sessions or orders of the truth."""
        text = (self.folder / f"{name}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the published warehouse."""
        with connect_published(self.settings) as connection:
            return connection.execute(sql).fetchall()


def build(lake: Lake, folder: Path, run_id: str) -> None:
    """Land whatever is new and bring everything up to date."""
    land_demo(lake, folder)
    flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id=run_id)
    stitch(lake, run_id=run_id)
    prepared = prepare_sources(lake)
    run_dbt("build", lake.settings, full_refresh=prepared.full_refresh)
    publish(lake.settings)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The store after the whole way; tests read it and change nothing."""
    base = tmp_path_factory.mktemp("shop")
    write(generate(STORE), base / "store")
    home = base / "home"
    settings = Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test")
    build(Lake(settings), base / "store", "first")
    return Shop(base / "store", Lake(settings))
