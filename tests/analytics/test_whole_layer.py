"""The unified layer is built whole, whoever asks: a part of it would take hours in that the rest has not seen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from dagster import (
    AssetMaterialization,
    AssetSelection,
    DagsterInstance,
    DagsterInvalidDefinitionError,
    Definitions,
    asset,
    materialize,
)
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster._core.definitions.automation_tick_evaluation_context import AutomationTickEvaluationContext

from blotout_orchestration.analytics.assets import REPORTS, UNIFIED, dbt_layers
from blotout_orchestration.analytics.dbt_project import ensure_manifest
from blotout_orchestration.analytics.unfinished import begin
from blotout_orchestration.analytics.warehouse import connect_published
from blotout_orchestration.lake import Lake
from tests.dbt.unified import shop

COUNTED = ("unique_events", "unified_events", "sessions", "processed_hours")


@asset
def core_events() -> None:
    """As the click stream: made elsewhere."""


@asset
def id_graph() -> None:
    """As the graph: made elsewhere."""


class Platform:
    """The layers of dbt, the daemon that looks at their conditions, and inputs that are made elsewhere."""

    def __init__(self, lake: Lake, instance: DagsterInstance) -> None:
        self.lake, self.instance = lake, instance
        self.layers = dbt_layers(lake, ensure_manifest(lake.settings))
        self.definitions = Definitions([core_events, id_graph, *self.layers])
        self._cursor = AssetDaemonCursor.empty()

    def requested(self) -> list[set[str]]:
        """The assets of each run that the daemon asks for now."""
        tick = AutomationTickEvaluationContext(
            evaluation_id=self._cursor.evaluation_id + 1,
            instance=self.instance,
            asset_graph=self.definitions.resolve_asset_graph(),
            cursor=self._cursor,
            materialize_run_tags={},
            observe_run_tags={},
            emit_backfills=False,
            auto_observe_asset_keys=set(),
            asset_selection=AssetSelection.groups(UNIFIED),
            logger=logging.getLogger("tick"),
        )
        runs, self._cursor, _ = tick.evaluate()
        return [{key.to_user_string() for key in run.asset_selection or ()} for run in runs]

    def update(self, name: str) -> None:
        self.instance.report_runless_asset_event(AssetMaterialization(name))

    def run(self, selection: Any) -> bool:
        return materialize(
            self.layers, instance=self.instance, selection=selection, raise_on_error=False
        ).success

    def counts(self) -> list[int]:
        with connect_published(self.lake.settings) as connection:
            return [connection.execute(f"select count(*) from {name}").fetchall()[0][0] for name in COUNTED]


@pytest.fixture
def platform(lake: Lake) -> Iterator[Platform]:
    """One event of one hour, built."""
    shop.land(lake, [shop.event("a", 5, user_id="u")])
    with DagsterInstance.ephemeral() as instance:
        made = Platform(lake, instance)
        made.requested()
        yield made


@pytest.mark.parametrize("name", ["core_events", "id_graph"])
def test_whatever_comes_new_the_whole_layer_is_asked_for(platform: Platform, name: str) -> None:
    platform.update(name)
    [asked] = platform.requested()
    assert asked == {key.to_user_string() for key in platform.layers[0].keys}
    assert "changed_hours" in asked
    assert platform.requested() == []


def test_nobody_can_run_a_part_of_it(platform: Platform) -> None:
    with pytest.raises(DagsterInvalidDefinitionError):
        platform.run(["sessions"])


@pytest.mark.heavy
def test_a_new_hour_comes_into_the_reports_by_automation_alone(platform: Platform) -> None:
    assert platform.run(AssetSelection.groups(UNIFIED))
    assert platform.counts() == [1, 1, 1, 1]
    shop.land(platform.lake, [shop.event("b", 125, user_id="v")])
    platform.update("core_events")
    [asked] = platform.requested()
    assert platform.run(sorted(asked))
    assert platform.counts() == [2, 2, 2, 2]


@pytest.mark.heavy
def test_a_report_that_a_killed_run_left_unfinished_is_built_by_the_next_run_of_what_stands_on_it(
    platform: Platform,
) -> None:
    assert platform.run(AssetSelection.groups(UNIFIED, *REPORTS))
    project = {
        key.path[-1]: [dep.path[-1] for dep in deps] for key, deps in platform.layers[1].asset_deps.items()
    }
    import duckdb

    with duckdb.connect(str(platform.lake.settings.warehouse_path)) as connection:
        assert begin(connection, "reports", project, ["campaign_spend"]) == ()
        connection.execute(f"drop table {platform.lake.namespace}.campaign_spend")
    assert platform.run(["campaign"])
    with connect_published(platform.lake.settings) as connection:
        assert connection.execute("select count(*) from campaign_spend").fetchall() == [(0,)]
        assert connection.execute("select count(*) from builds.unfinished").fetchall() == [(0,)]
