"""The registries' append logs lie in the lake as well, whole."""

from __future__ import annotations

import json

import pytest
from dagster import DagsterInstance, Definitions, build_sensor_context

from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import (
    CHANNELS,
    PIPELINES,
    add_channels,
    add_pipelines,
    pause,
    remove,
)
from blotout_orchestration.platform.registry.assets import (
    registry_assets,
    registry_job,
    registry_mirror_sensor,
)
from blotout_orchestration.platform.registry.mirror import (
    ACTIVATION_CHANNEL,
    CONNECTION_PIPELINE,
    MirrorError,
    mirror,
)
from tests.registry.databases import with_database
from tests.registry.examples import channel, pipeline


def test_the_lake_holds_every_row_of_the_log(registry_settings):
    lake = Lake(registry_settings)
    assert mirror(lake, "connection_pipeline", "r0") == 0
    add_pipelines(registry_settings, [pipeline(connection={"password": "env:P"}), pipeline("b")])
    pause(registry_settings, PIPELINES, "b")
    remove(registry_settings, PIPELINES, "b")
    add_channels(registry_settings, [channel()])
    assert (mirror(lake, "connection_pipeline", "r1"), mirror(lake, "activation_channel", "r1")) == (4, 1)
    rows = lake.read(CONNECTION_PIPELINE).sort_by("id").to_pylist()
    expected = [dict(row) for row in PIPELINES.log(registry_settings)]
    assert [{**row, "payload": json.loads(row["payload"])} for row in rows] == expected
    (row,) = lake.read(ACTIVATION_CHANNEL).to_pylist()
    assert {**row, "payload": json.loads(row["payload"])} == CHANNELS.log(registry_settings)[0]


def test_a_log_without_news_makes_no_commit(settings):
    lake = Lake(settings)
    add_pipelines(settings, [pipeline()])
    for run_id in ("r1", "r2"):
        mirror(lake, "connection_pipeline", run_id)
    table = lake.ensure(CONNECTION_PIPELINE)
    assert len(table.metadata.snapshots) == 1


def test_an_empty_registry_does_not_empty_the_lake(settings, tmp_path):
    lake = Lake(settings)
    add_pipelines(settings, [pipeline()])
    mirror(lake, "connection_pipeline", "r1")
    other = Lake(with_database(settings, f"sqlite:///{tmp_path / 'other.sqlite'}"))
    with pytest.raises(MirrorError, match="0 rows in PLATFORM_DATABASE and 1 in the lake"):
        mirror(other, "connection_pipeline", "r2")
    assert lake.read(CONNECTION_PIPELINE).num_rows == 1


def test_the_sensor_asks_for_a_copy_once_for_each_change(settings):
    lake, job = Lake(settings), registry_job()
    sensor = registry_mirror_sensor(lake, job)
    definitions = Definitions(registry_assets(lake), jobs=[job], sensors=[sensor])
    with DagsterInstance.ephemeral() as instance:

        def keys(cursor: str | None) -> tuple[list[str | None], str | None]:
            with build_sensor_context(instance, cursor) as context:
                data = sensor.evaluate_tick(context)
            return [request.run_key for request in data.run_requests or []], data.cursor

        assert keys(None) == ([], None)
        add_pipelines(settings, [pipeline()])
        first, cursor = keys(None)
        assert first == ["1:0"]
        assert definitions.resolve_job_def(job.name).execute_in_process(instance=instance).success
        assert keys(cursor)[0] == []
        add_channels(settings, [channel()])
        assert keys(cursor)[0] == ["1:1"]
    assert lake.read(CONNECTION_PIPELINE).num_rows == 1
