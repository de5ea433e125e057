"""The graph as a whole: it loads alone, keeps the names people know, and changes only on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    BackfillPolicy,
    DagsterInstance,
    Definitions,
    SensorDefinition,
    build_schedule_context,
    build_sensor_context,
)

from blotout_orchestration.definitions import build_defs
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import hour_folder
from blotout_orchestration.settings import Settings

SNAPSHOT = Path(__file__).parent / "snapshots" / "definitions.json"
FIRST_LAUNCH = "one_time_setup_first_launch"
DAG_NAMES = {
    "events_incremental",
    "id_stitching_incremental",
    "events_unified_view",
    "attribution",
    "campaign",
    "derived_views",
    "retention",
    "one_time_setup",
    "compression",
    "entity_creation",
    "cleanup_temp_tables",
    "delete_idle_db_connections",
    "billing",
    "activation_stats",
}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    home = tmp_path_factory.mktemp("home")
    return build_defs(
        Settings(
            _env_file=None,
            blotout_home=home,
            organisation="shop",
            environment="test",
            events_start_hour="2026-03-01T00",
        )
    )


def inventory(definitions: Definitions) -> dict[str, Any]:
    """Everything people see by name: assets with group, inputs and checks, jobs, schedules, sensors."""
    graph = definitions.resolve_asset_graph()
    assets = {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "inputs": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "checks": sorted(check.name for check in graph.get(key).check_keys),
        }
        for key in graph.get_all_asset_keys()
    }
    repository = definitions.get_repository_def()
    return {
        "assets": dict(sorted(assets.items())),
        "jobs": sorted(job.name for job in repository.get_all_jobs()),
        "schedules": {s.name: s.cron_schedule for s in repository.schedule_defs},
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    }


def test_every_dag_name_is_a_job(definitions):
    assert {job.name for job in definitions.resolve_all_job_defs()} >= DAG_NAMES


def test_the_inventory_changes_only_on_purpose(definitions):
    """To accept a change: `python -m tests.test_definitions`, and read the difference."""
    assert inventory(definitions) == json.loads(SNAPSHOT.read_text())


def test_nothing_that_starts_runs_goes_before_the_first_launch(definitions):
    repository = definitions.get_repository_def()
    moment = datetime(2026, 3, 5, 17, tzinfo=UTC)
    said = {}
    with DagsterInstance.ephemeral() as instance:
        for schedule in repository.schedule_defs:
            with build_schedule_context(instance, moment) as context:
                said[schedule.name] = schedule.evaluate_tick(context).skip_message
        for sensor in repository.sensor_defs:
            # Automation conditions follow runs, and sensors without a target start none.
            if type(sensor) is SensorDefinition and sensor.targets and sensor.name != FIRST_LAUNCH:
                with build_sensor_context(instance) as context:
                    said[sensor.name] = sensor.evaluate_tick(context).skip_message
    assert {name for name, why in said.items() if "waiting for one_time_setup" not in (why or "")} == set()
    assert {"events_incremental_schedule", "events_incremental_gap_filler"} <= set(said)


def test_every_asset_says_what_it_is_and_whose_it_is(definitions):
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners == ["team:data-platform"], key
        assert node.kinds, key


def test_a_range_of_hours_is_one_run(definitions):
    node = definitions.resolve_asset_graph().get(AssetKey("core_events"))
    assert node.backfill_policy == BackfillPolicy.single_run()
    assert node.partitions_def.get_first_partition_key() == "2026-03-01-00:00"


def test_the_start_date_of_1977_makes_no_partitions(tmp_path):
    """Without EVENTS_START_HOUR the first landed hour is the first partition, whatever Airflow began with."""
    settings = Settings(_env_file=None, blotout_home=tmp_path, airflow_start_date="1977-10-01 00:00:00")
    landed = Path(Lake(settings).layer("landing")) / hour_folder(datetime(2026, 3, 1, 5, tzinfo=UTC))
    landed.mkdir(parents=True)
    (landed / "a.jsonl").write_text("{}\n")
    node = build_defs(settings).resolve_asset_graph().get(AssetKey("core_events"))
    assert node.partitions_def.get_first_partition_key() == "2026-03-01-05:00"


def test_an_empty_lake_begins_with_the_catch_up_window_so_that_landed_hours_are_partitions(tmp_path):
    empty = build_defs(Settings(_env_file=None, blotout_home=tmp_path, catch_up_hours=6))
    partitions = empty.resolve_asset_graph().get(AssetKey("core_events")).partitions_def
    assert 6 <= partitions.get_num_partitions() <= 8


def test_the_location_loads_in_a_fresh_interpreter_without_heavy_libraries(tmp_path):
    program = (
        "import sys, json\n"
        "from blotout_orchestration.definitions import defs\n"
        "defs().get_repository_def()\n"
        "print(json.dumps(sorted(set(sys.modules) & {'pyspark', 'matplotlib', 'scipy', 'boto3', 'phonenumbers'})))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={"BLOTOUT_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout.splitlines()[-1]) == []


def test_dagster_finds_the_definitions_valid(tmp_path):
    root = Path(__file__).parents[1]
    finished = subprocess.run(
        [
            str(Path(sys.executable).with_name("dagster")),
            "definitions",
            "validate",
            "-w",
            str(root / "workspace.yaml"),
        ],
        env={"BLOTOUT_HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        made = build_defs(
            Settings(_env_file=None, blotout_home=Path(folder), organisation="shop", environment="test")
        )
        SNAPSHOT.write_text(json.dumps(inventory(made), indent=1) + "\n")
