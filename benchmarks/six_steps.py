"""Six light chained steps from trigger to done: python -m benchmarks.six_steps [--quick]

A generated code location of six chained assets that do nothing is served by `dagster dev` (webserver, daemon,
code server) in a home of its own, and launched through GraphQL, as the UI does. Once with this repository's
executor and `dagster.yaml`, once with Dagster's defaults (multiprocess executor, queued run coordinator).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, benchmark_main, progress

AIRFLOW_SECONDS = 7.5
"""Trigger to success of six chained empty tasks, Airflow 3.3.2, LocalExecutor, SQLite; docs/benchmarks.md."""
REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 300
RUN_SECONDS = 300
POLL_SECONDS = 0.05
MODULE = """
from dagster import Definitions, asset, define_asset_job{imported}


def step(number):
    @asset(name=f"step_{{number}}", deps=[f"step_{{number - 1}}"] if number > 1 else [])
    def nothing():
        return None

    return nothing


defs = Definitions(
    assets=[step(number) for number in range(1, 7)],
    jobs=[define_asset_job("six_steps")],{executor}
)
"""
DEFAULTS_YAML = "nux: {enabled: false}\ntelemetry: {enabled: false}\n"
LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
STATUS = """query Status($id: ID!) { runOrError(runId: $id) { ... on Run {
  status startTime endTime stepStats { startTime } } } }"""
READY = """{ workspaceOrError { ... on Workspace { locationEntries {
  locationOrLoadError { __typename ... on PythonError { message } } } } }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"""


@dataclass(frozen=True)
class Timing:
    """Seconds from the launch request until the client sees success, and until the first step starts."""

    done: float
    first_step: float


def measure(options: argparse.Namespace) -> list[Figure]:
    """Medians of our executor and coordinator, and of Dagster's defaults."""
    runs = 3 if options.quick else 5
    slow_runs = 1 if options.quick else runs
    ours = _measure_instance("this repository's", _our_module(), REPOSITORY / "dagster.yaml", runs)
    defaults = _measure_instance(
        "Dagster's defaults", MODULE.format(imported="", executor=""), None, slow_runs
    )
    name = "Dagster's defaults"

    def median(kind: str, timings: list[Timing]) -> float:
        return float(statistics.median(getattr(timing, kind) for timing in timings))

    return [
        Figure(
            "trigger to done", median("done", ours), "s", name, median("done", defaults),
            target_value=AIRFLOW_SECONDS,
        ),
        Figure(
            "trigger to first step", median("first_step", ours), "s", name, median("first_step", defaults)
        ),
    ]  # fmt: skip


def _our_module() -> str:
    return MODULE.format(imported=", in_process_executor", executor="\n    executor=in_process_executor,")


def _measure_instance(name: str, module: str, instance: Path | None, runs: int) -> list[Timing]:
    with tempfile.TemporaryDirectory(prefix="blotout-bench-") as text:
        folder = Path(text)
        (folder / "six_steps_location.py").write_text(module, encoding="utf-8")
        if instance is None:
            (folder / "dagster.yaml").write_text(DEFAULTS_YAML, encoding="utf-8")
        else:
            shutil.copyfile(instance, folder / "dagster.yaml")
        started = time.perf_counter()
        with _dagster(folder) as url:
            progress(f"{name}: dagster dev is ready after {time.perf_counter() - started:.1f} s")
            _run_once(url)  # the first run of an instance also creates its tables and byte code
            timings = []
            for number in range(1, runs + 1):
                timings.append(_run_once(url))
                progress(f"{name}: run {number} done after {timings[-1].done:.2f} s")
        return timings


@contextmanager
def _dagster(folder: Path) -> Iterator[str]:
    """`dagster dev` on a free port, its location loaded and its daemons healthy; its GraphQL address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "DAGSTER_HOME": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "-m", "six_steps_location", "-h", "127.0.0.1", "-p", str(port)]
    log = folder / "dagster.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}/graphql"
        deadline = time.monotonic() + START_SECONDS
        while not _ready(url):
            if process.poll() is not None or time.monotonic() > deadline:
                end = log.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise RuntimeError(f"dagster dev is not ready:\n{end}")
            time.sleep(0.5)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _ready(url: str) -> bool:
    try:
        answer = _ask(url, READY)
    except (urllib.error.URLError, OSError):
        return False
    entries = answer["workspaceOrError"].get("locationEntries") or []
    locations = [entry["locationOrLoadError"] for entry in entries]
    for location in locations:
        if location and location["__typename"] == "PythonError":
            raise RuntimeError(location["message"])
    daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    healthy = all(daemon["healthy"] for daemon in daemons if daemon["required"])
    return bool(locations) and all(locations) and bool(daemons) and healthy


def _run_once(url: str) -> Timing:
    """Launch the job as the UI's button does and poll until it has succeeded."""
    selector = {
        "repositoryLocationName": "six_steps_location",
        "repositoryName": "__repository__",
        "jobName": "six_steps",
    }
    params = {"selector": selector, "runConfigData": {}, "mode": "default"}
    launched, clock = time.perf_counter(), time.time()
    answer = _ask(url, LAUNCH, {"params": params})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise RuntimeError(f"the run was not launched: {answer}")
    run_id = answer["run"]["runId"]
    while True:
        run = _ask(url, STATUS, {"id": run_id})["runOrError"]
        done = time.perf_counter() - launched
        if run["status"] == "SUCCESS":
            starts = [stats["startTime"] for stats in run["stepStats"] if stats["startTime"]]
            return Timing(done, min(starts) - clock)
        if run["status"] in ("FAILURE", "CANCELED") or done > RUN_SECONDS:
            raise RuntimeError(f"run {run_id} is {run['status']} after {done:.0f} s")
        time.sleep(POLL_SECONDS)


def _ask(url: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    if answer.get("errors"):
        raise RuntimeError(f"GraphQL: {answer['errors'][0]['message']}")
    return dict(answer["data"])


if __name__ == "__main__":
    benchmark_main("six_steps", measure, __doc__)
