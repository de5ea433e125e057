"""The dbt layers as assets: what surrounds dbt depends on the warehouse that it builds in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dagster import materialize

from blotout_orchestration.analytics import assets
from blotout_orchestration.analytics.dbt_project import ensure_manifest
from blotout_orchestration.analytics.source_columns import SOURCES
from blotout_orchestration.events.contract import EVENT_HOURS
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings


class RemoteDbt:
    """Stands where dbt would talk to a Trino server; remembers what it was asked for."""

    asked: list[tuple[str, tuple[str, ...]]]

    def __init__(self, *, target: str, **_: Any) -> None:
        self.target = target

    def cli(self, arguments: Sequence[str], **_: Any) -> RemoteDbt:
        self.asked.append((self.target, tuple(arguments)))
        return self

    def stream(self) -> list[Any]:
        return []


@pytest.fixture
def remote(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    RemoteDbt.asked = []
    monkeypatch.setattr(assets, "Dbt", RemoteDbt)
    uri = "http://dbt@127.0.0.1:1/iceberg"
    return settings.model_copy(update={"warehouse": "trino", "trino_uri": uri})


def test_a_warehouse_elsewhere_is_built_without_the_embedded_file(remote: Settings) -> None:
    layers = assets.dbt_layers(Lake(remote), ensure_manifest(remote))
    unified = [layer for layer in layers if layer.op.name == "build_unified_view"]
    assert materialize(unified).success
    assert RemoteDbt.asked == [("trino", ("build",))]
    assert not Path(remote.warehouse_path).exists()
    assert not Path(remote.published_path).exists()


def test_a_warehouse_elsewhere_finds_every_source_and_the_rows_that_some_have(remote: Settings) -> None:
    lake = Lake(remote)
    hour = datetime(2026, 3, 1, tzinfo=UTC)
    lake.append(
        EVENT_HOURS, pa.Table.from_pylist([{"arrival_hour": hour}], schema=EVENT_HOURS.arrow_schema), {}
    )
    layers = assets.dbt_layers(lake, ensure_manifest(remote))
    for _ in range(2):
        assert materialize([layers[0]]).success
        assert {
            spec.name: lake.read(spec).num_rows for spec in SOURCES.values() if lake.exists(spec.name)
        } == {spec.name: int(spec is EVENT_HOURS) for spec in SOURCES.values()}
