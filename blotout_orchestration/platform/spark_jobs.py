"""spark-submit as a child process: its command line, its log, the first error named; and what the job says.

Belongs here: what every Spark job of ours needs to start. Does not belong here: what a job reads and writes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_KEPT_LINES = 400


class SparkJobError(Exception):
    """The Spark job failed; the message is its first line that names an error."""


def submit_command(
    master: str, job: Path, arguments: Sequence[str], *, python: str = sys.executable
) -> list[str]:
    """The spark-submit command line of a job, with the Spark of the installed pyspark package."""
    import pyspark

    settings = {
        "spark.pyspark.python": python,
        "spark.pyspark.driver.python": python,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "2g",
        "spark.sql.shuffle.partitions": "16",
    }
    command = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", master]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    return [*command, str(job), *arguments]


def submit(command: list[str]) -> None:
    """Run spark-submit, its log on this process's stderr (Dagster keeps that as the step's compute log).

    What the job says of itself goes the way of `job_reporter`. Raises `SparkJobError` when it fails.
    """
    log: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.rstrip()
            log.append(text)
            del log[:-_KEPT_LINES]
            print(text, file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise SparkJobError(f"spark-submit ended with {process.returncode}: {first_error(log)}")


@contextmanager
def job_reporter() -> Iterator[Callable[[str], None]]:
    """Within a Spark job: how it tells its progress to the Dagster run that started it (Dagster Pipes).

    A job that somebody else submitted tells its own log.
    """
    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    if not PipesEnvVarParamsLoader().is_dagster_pipes_process():  # type: ignore[no-untyped-call]
        yield print
        return
    with open_dagster_pipes() as pipes:
        yield pipes.log.info


def first_error(log: list[str]) -> str:
    """The line of a Spark log that says what went wrong first."""
    named = [line.strip() for line in log if "Error:" in line or "Exception:" in line]
    refused = [line.strip() for line in log if " ERROR " in line]
    return next(iter(named or refused or log[-1:]), "it wrote no log")
