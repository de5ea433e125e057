"""Freshness: a pipeline is late when the run that its schedule asked for has not ended well."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from dagster import DagsterInstance, Definitions, in_process_executor

from blotout_orchestration.elt.assets import elt_assets, elt_job
from blotout_orchestration.elt.checks import JOB, elt_checks, elt_freshness_job
from blotout_orchestration.elt.freshness import freshness
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import PIPELINE_PARTITIONS, Pipeline, add_pipelines
from tests.elt.conftest import Database, pipeline, stream

ADDED = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 5, 12, 30, tzinfo=UTC)


def made(**payload: Any) -> Pipeline:
    found = pipeline("postgres", {"database": "d"}, stream("a"), **payload)
    return found.model_copy(update={"created_at": ADDED})


@pytest.mark.parametrize(
    ("payload", "loaded", "late"),
    [
        ({"schedule": "0 * * * *"}, datetime(2026, 3, 5, 11, 5, tzinfo=UTC), False),
        ({"schedule": "0 * * * *"}, datetime(2026, 3, 5, 10, 5, tzinfo=UTC), True),
        ({"schedule": "0 * * * *"}, None, True),
        ({"schedule": "0 3 * * *"}, datetime(2026, 3, 5, 3, 1, tzinfo=UTC), False),
        ({"schedule": "0 3 * * *"}, datetime(2026, 3, 4, 3, 1, tzinfo=UTC), True),
        ({"interval_seconds": 86400}, datetime(2026, 3, 5, 0, 1, tzinfo=UTC), False),
        ({"schedule": "0 * * * *", "paused": True}, None, False),
        ({"schedule": "manual"}, None, False),
    ],
)
def test_a_pipeline_is_late_when_it_was_due_and_not_loaded_since(
    payload: dict[str, Any], loaded: datetime | None, late: bool
) -> None:
    (found,) = freshness(NOW, {"shop": made(**payload)}, {"shop": loaded} if loaded else {})
    assert found.is_late is late


def test_the_check_names_the_late_pipeline_and_not_the_fresh_one(database: Database, lake: Lake) -> None:
    database.run("create table a (id int primary key)")
    fresh = pipeline("postgres", database.connection, stream("a"))
    late = fresh.model_copy(update={"name": "forgotten", "source_name": "Other"})
    add_pipelines(lake.settings, [fresh, late])
    definitions = Definitions(
        assets=elt_assets(lake),
        asset_checks=elt_checks(lake),
        jobs=[elt_job(), elt_freshness_job()],
        executor=in_process_executor,
    )
    with DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(PIPELINE_PARTITIONS, ["shop"])
        load = definitions.resolve_job_def("elt_pipelines")
        assert load.execute_in_process(instance=instance, partition_key="shop").success
        result = definitions.resolve_job_def(JOB).execute_in_process(instance=instance)
        assert result.success
    checks = {one.asset_key.to_user_string(): one for one in result.get_asset_check_evaluations()}
    assert set(checks) >= {"elt/postgres", "elt/shopify"}
    assert checks["elt/shopify"].passed
    assert checks["elt/postgres"].metadata["pipelines"].value == 2
    table = str(checks["elt/postgres"].metadata["freshness"].value)
    assert "`forgotten` | never" in table
    assert "`shop` | never" not in table
