"""spark-submit as a child process: its command line, its log, its end.

Belongs here: what starting any Spark job of ours needs. Does not belong here: what a job reads and writes, what
it needs within its driver (spark_driver.py), what its errors mean (spark_errors.py).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from blotout_orchestration.platform.pipes import child_reports
from blotout_orchestration.platform.spark_errors import (
    INSTEAD,
    SparkJobError,
    SparkNotReadyError,
    failure,
    is_telling,
)
from blotout_orchestration.settings import environment_variable, exported

__all__ = ["SparkJobError", "SparkNotReadyError", "submit", "submit_command"]

_KEPT_LINES = 400
_MEMORY = "SPARK_DRIVER_MEMORY"
_DRIVER_MEMORY = "2g"
"""Told by the variable: `spark.driver.memory` of a deployment's spark-defaults.conf goes before that."""
_PATIENCE = 20
"""Seconds that a job is given to end when it is asked to."""
_ENDED_WITH_ITS_STARTER = """
exec 3<&0 </dev/null
seconds=$1
shift
"$@" 3<&- &
job=$!
{
    read -r ended <&3
    kill -TERM $job
    while [ $seconds -gt 0 ] && sleep 1 && kill -0 $job; do seconds=$((seconds - 1)); done
    kill -KILL $job
} >/dev/null 2>&1 &
watch=$!
wait $job
code=$?
kill -KILL $watch 2>/dev/null
exit $code
"""
"""Runs the arguments after the first until they end, or its standard input does: even kill -9 of the starter
closes that. Spark is asked to end first, so that it removes its temporary folders. PR_SET_PDEATHSIG, the
kernel's way, would be Linux only."""


def submit_command(
    master: str, job: Path, arguments: Sequence[str], *, python: str = sys.executable
) -> list[str]:
    """The spark-submit command line of a job, with the Spark of the installed pyspark package.

    Everybody on the machine can read a command line: no secret may be among the arguments. Raises
    `SparkNotReadyError` when pyspark is not installed.
    """
    package = find_spec("pyspark")
    folders = package.submodule_search_locations if package else None
    program = Path(next(iter(folders or []), "")) / "bin" / "spark-submit"
    if not folders or not program.is_file():
        missing = f"{program} is missing" if folders else "pyspark is not installed"
        raise SparkNotReadyError(f"{missing}: install pyspark, {INSTEAD}")
    settings = {
        "spark.pyspark.python": python,
        "spark.pyspark.driver.python": python,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    command = [str(program), "--master", master]
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    return [*command, str(job), *arguments]


def submit(command: Sequence[str]) -> None:
    """Run spark-submit, its log on this process's stderr (Dagster keeps that as the step's compute log).

    Within a Dagster step the job reports to the run, in a session of its own. The job ends with this process,
    however that ends. Raises `SparkJobError` when it fails, `SparkNotReadyError` when the ground is the reason.
    """
    with child_reports() as variables:
        code, log = _run(command, variables)
        if code != 0:
            master = command[command.index("--master") + 1] if "--master" in command else "-"
            raise failure(code, master, log)


def _run(command: Sequence[str], variables: Mapping[str, str]) -> tuple[int, list[str]]:
    """Exit code of the command, and the lines of its log that can tell why."""
    memory = environment_variable(_MEMORY) or _DRIVER_MEMORY
    with exported({**variables, _MEMORY: memory}):
        process = subprocess.Popen(
            ["/bin/sh", "-c", _ENDED_WITH_ITS_STARTER, "spark-submit", str(_PATIENCE), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    telling: list[str] = []
    text = ""
    with process:
        try:
            for line in process.stdout:
                text = line.rstrip()
                if len(telling) < _KEPT_LINES and is_telling(text):
                    telling.append(text)
                print(text, file=sys.stderr, flush=True)
        except BaseException:
            process.stdin.close()
            for _ in process.stdout:
                """What it says while it ends: nobody reads it, but a full pipe would stop it."""
            raise
    return process.returncode, [*telling, text]
