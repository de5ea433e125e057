"""Flattening on Spark as a run: what each batch reports is in its log, and kill -9 of it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from blotout_orchestration.events.assets import events_assets, hourly_partitions
from blotout_orchestration.events.batches import BATCH_BYTES
from blotout_orchestration.events.contract import CORE_EVENTS
from blotout_orchestration.events.processing import pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.runs import range_tags
from blotout_orchestration.settings import Settings

from .sdk_requests import HOUR, batch, event, put, request

SECRET = "a-secret-of-the-environment"


def _lake(home: Path) -> Lake:
    return Lake(
        Settings(
            _env_file=None,
            blotout_home=home,
            organisation="shop",
            environment="test",
            events_engine="spark",
            spark_master="local[1]",
        )
    )


def _job(lake: Lake) -> dg.JobDefinition:
    return dg.Definitions(
        assets=events_assets(lake, hourly_partitions(lake)),
        jobs=[dg.define_asset_job("flatten", selection=[CORE_EVENTS.name])],
    ).resolve_job_def("flatten")


@pytest.mark.spark
def test_every_batch_of_a_run_reports_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = _lake(tmp_path)
    first = put(lake, [request(batch(event("a"), event("b"))), request(batch(event("a")))])
    second = put(lake, [request(batch(event("c")))], hour=HOUR + timedelta(hours=1))
    put(lake, [request(batch(event("d"), event("e")))], hour=HOUR + timedelta(hours=2))
    monkeypatch.setitem(BATCH_BYTES, "spark", first.stat().st_size + second.stat().st_size)
    with dg.DagsterInstance.ephemeral() as instance:
        tags = range_tags(HOUR, HOUR + timedelta(hours=2))
        result = _job(lake).execute_in_process(instance=instance, tags=tags)
        records = instance.all_logs(result.run_id)
    assert result.success
    assert pending_hours(lake) == []
    said = [record.user_message for record in records]
    assert [line.partition(" on ")[2] for line in said if line.startswith("Spark ")] == [
        "local[1]: 2 files in 1 tasks",
        "local[1]: 1 files in 1 tasks",
    ]
    assert [line for line in said if "events and lines read and written" in line] == [
        "4 events and lines read and written, 1 repeated within their hour",
        "2 events and lines read and written, 0 repeated within their hour",
    ]
    reported = [
        record.dagster_event.engine_event_data.metadata
        for record in records
        if record.dagster_event is not None
        and record.dagster_event.is_engine_event
        and record.user_message.startswith("flatten_events: ")
    ]
    assert [figures["events"].value for figures in reported] == [4, 2]
    assert [figures["duplicates"].value for figures in reported] == [1, 0]
    assert not [line for line in said if "unexpected message" in line or "did not receive" in line]
    assert not [line for line in said if "INFO SparkContext" in line], "Spark's own log drowns the steps'"


def _processes(home: Path) -> dict[int, str]:
    """Command lines of the living processes that name a folder of this test."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError):
            continue
        if folder.name.isdigit() and str(home) in line:
            found[int(folder.name)] = line
    return found


def _start(home: Path) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "BLOTOUT_HOME": str(home),
        "ORGANISATION": "shop",
        "ENVIRONMENT": "test",
        "EVENTS_ENGINE": "spark",
        "SPARK_MASTER": "local[1]",
        "ACTIVATION_HASH_KEY": SECRET,
        "SPARK_LOCAL_DIRS": str(home / "spark"),
        "TMPDIR": str(home / "tmp"),
        "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={home / 'tmp'}",
    }
    with (home / "run.log").open("ab") as log:
        command = [str(Path(sys.executable).with_name("blotout")), "run", "events_incremental"]
        return subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log)


@pytest.mark.spark
@pytest.mark.heavy
def test_kill_9_of_a_run_leaves_no_spark_and_the_next_run_finishes(tmp_path: Path) -> None:
    lake = _lake(tmp_path)
    put(lake, [request(batch(event("a"), event("b")))])
    for name in ("spark", "tmp"):
        (tmp_path / name).mkdir()
    log = tmp_path / "run.log"
    run = _start(tmp_path)
    deadline = time.monotonic() + 180
    while "files in 1 tasks" not in (log.read_text(errors="replace") if log.exists() else ""):
        assert run.poll() is None, log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
        time.sleep(0.1)
    alive = _processes(tmp_path)
    assert len(alive) >= 2, "the driver and its Java are not there: nothing is tested"
    assert [line for line in alive.values() if SECRET in line] == []
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 40
    while _processes(tmp_path):
        assert time.monotonic() < deadline, _processes(tmp_path)
        time.sleep(0.2)
    assert [str(left) for left in (tmp_path / "spark").iterdir()] == []
    assert [left.name for left in (tmp_path / "tmp").iterdir() if "spark" in left.name] == []

    assert _start(tmp_path).wait(300) == 0, log.read_text(errors="replace")[-2000:]
    assert sorted(lake.read(CORE_EVENTS)["event_id"].to_pylist()) == ["a", "b"]
