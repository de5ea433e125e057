"""What a blocking test refused reaches no reader, and nothing is built on it, by automation or by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from dagster import (
    AssetKey,
    AssetSelection,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    evaluate_automation_conditions,
    materialize,
)

from blotout_orchestration.analytics.assets import REPORTS, UNIFIED, dbt_layers
from blotout_orchestration.analytics.dbt_project import ensure_manifest
from blotout_orchestration.analytics.warehouse import connect_published
from blotout_orchestration.lake import Lake
from tests.dbt.unified import shop

pytestmark = pytest.mark.heavy


class Warehouse:
    """A shop whose layers are built by Dagster, and automation that looks on."""

    def __init__(self, lake: Lake, instance: DagsterInstance) -> None:
        self.lake, self.instance = lake, instance
        self.layers = dbt_layers(lake, ensure_manifest(lake.settings))
        self.reports = {key.to_user_string() for key in self.layers[1].keys}
        self._cursor: Any = None

    def run(self, *groups: str) -> ExecuteInProcessResult:
        return materialize(
            self.layers,
            instance=self.instance,
            selection=AssetSelection.groups(*groups),
            raise_on_error=False,
        )

    def requested(self) -> set[str]:
        """Reports that their sensor requests now."""
        found = evaluate_automation_conditions(
            Definitions(self.layers), self.instance, AssetSelection.groups(*REPORTS), cursor=self._cursor
        )
        self._cursor = found.cursor
        return {result.key.to_user_string() for result in found.results if not result.true_subset.is_empty}

    def standing_on(self, name: str) -> set[str]:
        """Assets that have this one as an input."""
        inputs = [pair for layer in self.layers for pair in layer.asset_deps.items()]
        return {key.to_user_string() for key, deps in inputs if AssetKey(name) in deps}

    def write(self, sql: str) -> None:
        with duckdb.connect(str(self.lake.settings.warehouse_path)) as connection:
            connection.execute(f'set schema = "{self.lake.namespace}"')
            connection.execute(sql)

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """What a reader of the published copy sees."""
        with connect_published(self.lake.settings) as connection:
            return connection.execute(sql).fetchall()


def failure(result: ExecuteInProcessResult) -> str:
    assert not result.success
    return " ".join(str(event.step_failure_data.error) for event in result.get_step_failure_events())


@pytest.fixture
def warehouse(lake: Lake) -> Iterator[Warehouse]:
    """One order, built, reported and published."""
    shop.land(lake, [shop.event("a", 5, user_id="u"), shop.transaction("b", 6, "1", "10.00", user_id="u")])
    with DagsterInstance.ephemeral() as instance:
        made = Warehouse(lake, instance)
        assert made.run(UNIFIED, *REPORTS).success
        made.requested()
        yield made


EVENTS = "select count(*) from unified_events"


def test_readers_and_reports_keep_the_last_good_sessions(warehouse: Warehouse) -> None:
    shop.land(warehouse.lake, [shop.event("c", 125, user_id="v")])
    warehouse.write(
        "insert into conversions select * replace ('zz' as transaction_key) from conversions limit 1"
    )
    assert "session_revenue_is_the_revenue_of_online_conversions" in failure(warehouse.run(UNIFIED))
    assert warehouse.read(EVENTS) == [(2,)]
    assert {"campaign_sessions", "retention_people"} <= warehouse.standing_on("sessions")
    assert warehouse.requested() & warehouse.standing_on("sessions") == set()

    refused = failure(warehouse.run("retention"))
    assert "the last build of sessions did not end well" in refused
    assert "run events_unified_view first" in refused
    assert warehouse.read(EVENTS) == [(2,)]

    warehouse.write("delete from conversions where transaction_key = 'zz'")
    assert warehouse.run(UNIFIED).success
    assert warehouse.read(EVENTS) == [(3,)]
    assert warehouse.requested() >= warehouse.standing_on("sessions") & warehouse.reports
    assert warehouse.run(*REPORTS).success


def test_a_report_whose_test_fails_holds_up_no_other(warehouse: Warehouse) -> None:
    paid = "select count(*) from attribution where model = 'first_touch'"
    visits = "select count(*) from campaign_sessions"
    assert (warehouse.read(paid), warehouse.read(visits)) == ([(1,)], [(1,)])
    shop.land(warehouse.lake, [shop.transaction("c", 125, "2", "20.00", user_id="v")])
    assert warehouse.run(UNIFIED).success
    warehouse.write("insert into attribution select * replace ('nonsense' as model) from attribution limit 1")
    assert "accepted_values_attribution_model" in failure(warehouse.run(*REPORTS))
    assert warehouse.read(paid) == [(1,)]
    assert warehouse.read("select count(*) from attribution where model = 'nonsense'") == [(0,)]
    assert warehouse.read(visits) == [(2,)]

    assert warehouse.run(UNIFIED).success
    assert warehouse.read("select count(*) from attribution_report where model = 'nonsense'") == [(0,)]
    warehouse.write("delete from attribution where model = 'nonsense'")
    assert warehouse.run("attribution").success
    assert warehouse.read(paid) == [(2,)]
