"""A standalone Spark cluster of one master and two workers, from the installed pyspark package."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def standalone_cluster(folder: Path, workers: int = 2) -> Iterator[str]:
    """The URL of a running master with its workers; all stopped at the end."""
    import pyspark

    home = Path(pyspark.__file__).parent
    port, pages = _free_port(), _free_port()
    master = f"spark://127.0.0.1:{port}"
    environment = os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    launch = [str(home / "bin" / "spark-class")]
    processes = []

    def start(name: str, *arguments: str) -> None:
        with (folder / f"{name}.log").open("wb") as log:
            command = [*launch, *arguments]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    try:
        start(
            "master", "org.apache.spark.deploy.master.Master",
            "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(pages),
        )  # fmt: skip
        for number in range(workers):
            start(
                f"worker-{number}", "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1",
                "--cores", "1", "--memory", "2g", "--webui-port", "0",
                "--work-dir", str(folder / f"work-{number}"), master,
            )  # fmt: skip
        _wait_for_workers(f"http://127.0.0.1:{pages}/json/", workers)
        yield master
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def _wait_for_workers(address: str, workers: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.read().count(b'"ALIVE"') >= workers + 1:
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"the cluster at {address} has not {workers} workers after 120 s")
