"""A tick of the registry's sensor over 500 pipelines: python -m benchmarks.registry_tick [--quick]

The sensor of the ELT pipelines with its job on an instance of SQLite, evaluated as the code server does it: first the tick
that finds all pipelines new and adds their partitions, then ticks over pipelines that have run before.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from dagster import (
    AddDynamicPartitionsRequest,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    SensorEvaluationContext,
)

from benchmarks.figures import Figure, benchmark_main, progress
from blotout_orchestration.elt.assets import JOB, elt_assets, elt_job
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry import Pipeline, add_pipelines
from blotout_orchestration.platform.registry.sensors import registry_sensors
from blotout_orchestration.settings import Settings

TARGET_SECONDS = 10.0
SENSOR = "elt_pipelines_sensor"
RUNS = 100
STREAMS_EACH = 10


def measure(options: argparse.Namespace) -> list[Figure]:
    """Wall seconds of the first tick with its partitions, and the median of later ones."""
    count = 50 if options.quick else 500
    with tempfile.TemporaryDirectory(prefix="blotout-bench-") as folder:
        settings = Settings(_env_file=None, blotout_home=Path(folder) / "home")
        lake = Lake(settings)
        definitions = Definitions(
            elt_assets(lake),
            jobs=[elt_job()],
            sensors=registry_sensors(settings, pipeline_job=JOB, channel_job=None),
        )
        repository = definitions.get_repository_def()
        add_pipelines(settings, [_pipeline(number) for number in range(count)])
        (Path(folder) / "dagster").mkdir()
        with DagsterInstance.local_temp(str(Path(folder) / "dagster")) as instance:
            started = time.perf_counter()
            data = _tick(instance, repository, None)
            evaluated = time.perf_counter() - started
            if not data.dynamic_partitions_requests:
                raise RuntimeError(f"the tick added no partitions: {data.skip_message}")
            for request in data.dynamic_partitions_requests:
                assert isinstance(request, AddDynamicPartitionsRequest)
                instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            added = time.perf_counter() - started
            progress(f"making {RUNS} runs of before")
            _history(instance, repository, count)
            later = []
            for _ in range(5):
                started = time.perf_counter()
                _tick(instance, repository, data.cursor)
                later.append(time.perf_counter() - started)
    what = f"tick over {count} pipelines"
    return [
        Figure(f"first {what}, evaluation", evaluated),
        Figure(f"first {what}, with its partitions", added, target_value=TARGET_SECONDS),
        Figure(f"later {what}, {RUNS} runs before", statistics.median(later), target_value=TARGET_SECONDS),
    ]


def _pipeline(number: int) -> Pipeline:
    streams = [
        {
            "stream": {"name": f"stream_{one}"},
            "config": {"syncMode": "incremental", "cursorField": ["updated_at"]},
        }
        for one in range(STREAMS_EACH)
    ]
    payload = {"syncCatalog": {"streams": streams}, "schedule": f"{number % 60} */2 * * *"}
    fields = {"name": f"pipeline_{number}", "source_name": f"Source {number}", "source_type": "rest_api"}
    return Pipeline.model_validate({**fields, "payload": payload})


def _tick(instance: DagsterInstance, repository: Any, cursor: str | None) -> Any:
    context = SensorEvaluationContext(
        instance_ref=instance.get_ref(),
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=cursor,
        repository_name=None,
        instance=instance,
        repository_def=repository,
        sensor_name=SENSOR,
    )
    return repository.get_sensor_def(SENSOR).evaluate_tick(context)


def _history(instance: DagsterInstance, repository: Any, count: int) -> None:
    job = repository.get_job(JOB)
    for number in range(RUNS):
        tags = {"dagster/partition": f"pipeline_{number % count}"}
        instance.create_run_for_job(job, tags=tags, status=DagsterRunStatus.SUCCESS)


if __name__ == "__main__":
    benchmark_main("registry_tick", measure, __doc__)
