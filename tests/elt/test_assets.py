"""The job `elt_pipelines` as Dagster runs it: one pipeline a partition, everything told as metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    EventRecordsFilter,
    ExecuteInProcessResult,
    in_process_executor,
)

from blotout_orchestration.elt.assets import JOB, elt_assets, elt_job
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import PIPELINE_PARTITIONS, Pipeline, add_pipelines
from tests.elt.conftest import Database, incremental, pipeline, stream, table


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def run(lake: Lake, instance: DagsterInstance, made: Pipeline, **options: Any) -> ExecuteInProcessResult:
    """Add the pipeline as a user does, and run its partition."""
    add_pipelines(lake.settings, [made])
    instance.add_dynamic_partitions(PIPELINE_PARTITIONS, [made.name])
    definitions = Definitions(assets=elt_assets(lake), jobs=[elt_job()], executor=in_process_executor)
    config = {"ops": {"load_pipeline": {"config": options}}} if options else None
    return definitions.resolve_job_def(JOB).execute_in_process(
        instance=instance, partition_key=made.name, run_config=config, raise_on_error=False
    )


def materialized(instance: DagsterInstance, *key: str) -> list[dict[str, Any]]:
    """Metadata of every materialization of an asset, oldest first."""
    records = instance.get_event_records(
        EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION, asset_key=AssetKey(key)), ascending=True
    )
    found = [record.event_log_entry.asset_materialization for record in records]
    return [
        {"partition": one.partition, **{name: value.value for name, value in one.metadata.items()}}
        for one in found
        if one is not None
    ]


def test_a_run_materializes_the_asset_of_its_kind_and_each_stream_with_its_figures(
    database: Database, lake: Lake, instance: DagsterInstance
) -> None:
    database.run(
        "create table members (id int primary key, mail text, at timestamptz)",
        "insert into members values (1, 'a@b.example', '2026-01-01'), (2, 'c@d.example', '2026-01-02')",
    )
    mapping = [
        {"map_column": "id", "map_provider": "crm", "map_id": True},
        {"map_column": "mail", "map_provider": "email", "map_id": False},
    ]
    made = pipeline(
        "postgres", database.connection, incremental("members", "at", metadata={"id_mapping": mapping})
    )
    first = run(lake, instance, made)
    assert first.success
    (whole,) = materialized(instance, "elt", "postgres")
    assert whole["partition"] == "shop"
    assert (whole["dagster/row_count"], whole["rows_added"]) == (2, 2)
    assert whole["new_columns"] == "members.at, members.id, members.mail"
    assert whole["bytes"] > 0
    (one,) = materialized(instance, "elt", "shop_test", "members")
    assert one["dagster/table_name"] == "shop_test.members"
    assert one["cursor_after"] == "2026-01-02T00:00:00+00:00"
    (fed,) = materialized(instance, "id_mappings")
    assert fed["rows_of_source"] == 2
    assert materialized(instance, "elt", "shopify") == []
    assert "a@b.example" not in repr([whole, one, fed])

    database.run("insert into members values (3, null, '2026-01-03')")
    assert run(lake, instance, made).success
    latest = materialized(instance, "elt", "shop_test", "members")[-1]
    assert latest["cursor_before"] == "2026-01-02T00:00:00+00:00"
    assert (latest["rows_read"], latest["rows_added"], latest["dagster/row_count"]) == (2, 1, 3)


def test_a_failed_stream_makes_the_run_red_and_those_that_were_loaded_are_told(
    database: Database, lake: Lake, instance: DagsterInstance
) -> None:
    database.run("create table good (id int primary key)", "insert into good values (1)")
    made = pipeline("postgres", database.connection, stream("missing"), stream("good"))
    result = run(lake, instance, made)
    assert not result.success
    assert materialized(instance, "elt", "postgres") == []
    assert [one["rows_added"] for one in materialized(instance, "elt", "shop_test", "good")] == [1]


def test_a_run_takes_a_backfill_a_full_refresh_and_single_streams(
    database: Database, lake: Lake, instance: DagsterInstance
) -> None:
    database.run(
        "create table a (id int primary key, v int, at timestamptz)",
        "create table b (id int primary key)",
        "insert into a values (1, 1, '2026-01-01'), (2, 1, '2026-01-02'), (3, 1, '2026-01-03')",
    )
    made = pipeline("postgres", database.connection, incremental("a", "at"), stream("b"))
    assert run(lake, instance, made).success
    database.run("update a set v = 2")
    assert run(lake, instance, made, backfill_from="2026-01-02", streams=["a"]).success
    assert table(lake, "a", "id", "v") == [(1, 1), (2, 2), (3, 2)]
    assert len(materialized(instance, "elt", "shop_test", "b")) == 1
    assert run(lake, instance, made, full_refresh=True).success
    assert table(lake, "a", "id", "v") == [(1, 2), (2, 2), (3, 2)]
    assert not run(lake, instance, made, backfill_from="yesterday").success


def test_a_pipeline_that_is_not_in_the_registry_is_refused(lake: Lake, instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions(PIPELINE_PARTITIONS, ["gone"])
    definitions = Definitions(assets=elt_assets(lake), jobs=[elt_job()], executor=in_process_executor)
    result = definitions.resolve_job_def(JOB).execute_in_process(
        instance=instance, partition_key="gone", raise_on_error=False
    )
    assert not result.success
