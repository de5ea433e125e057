"""The dbt layers as assets: what surrounds dbt depends on the warehouse that it builds in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dagster import materialize

from blotout_orchestration.analytics import assets
from blotout_orchestration.analytics.dbt_project import ensure_manifest
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
    assert materialize(unified, selection="view_users").success
    assert RemoteDbt.asked == [("trino", ("build",))]
    assert not Path(remote.warehouse_path).exists()
    assert not Path(remote.published_path).exists()
