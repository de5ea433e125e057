"""spark-submit as a child: what it is given, what its failures are called, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform import spark_errors, spark_jobs
from blotout_orchestration.platform.spark_errors import failure, first_error
from blotout_orchestration.platform.spark_jobs import (
    SparkJobError,
    SparkNotReadyError,
    submit,
    submit_command,
)

JOB = Path("spark/flatten_events.py")
SUBMIT = """
import sys
from blotout_orchestration.platform import spark_jobs
spark_jobs._PATIENCE = 2
spark_jobs.submit(sys.argv[1:])
"""


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until(happened: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it has not happened within {seconds} s"
        time.sleep(0.05)


def _sleeper(folder: Path, on_term: str = "exit 1") -> list[str]:
    """A command that writes its pid to `folder/pid` and would sleep for minutes; `on_term` is its trap."""
    script = f"trap '{on_term}' TERM; trap '' PIPE; echo $$ > {folder}/pid; while :; do sleep 0.2; echo alive; done"
    return ["/bin/sh", "-c", script]


def _pid(folder: Path) -> int:
    _wait_until(lambda: (folder / "pid").exists() and (folder / "pid").read_text().strip() != "")
    return int((folder / "pid").read_text())


def test_the_command_names_master_job_and_plan() -> None:
    command = submit_command(
        "spark://host:7077", JOB, ["--plan", "s3://bucket/plan.json"], python="/opt/python"
    )
    assert command[0].endswith("bin/spark-submit")
    assert command[command.index("--master") + 1] == "spark://host:7077"
    assert command[-3].endswith("flatten_events.py")
    assert command[-2:] == ["--plan", "s3://bucket/plan.json"]
    assert "spark.pyspark.python=/opt/python" in command


def test_without_pyspark_the_error_says_what_to_install_or_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_jobs, "find_spec", lambda name: None)
    with pytest.raises(SparkNotReadyError, match=r"pyspark is not installed: .* EVENTS_ENGINE=duckdb"):
        submit_command("local[1]", JOB, [])


def test_without_java_the_error_names_java_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SparkNotReadyError, match=r"no Java 17 or newer: .*JAVA_HOME"):
        submit(submit_command("local[1]", JOB, []))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("dirname", "bash", "env", "sleep"):
        (tools / name).symlink_to(f"/usr/bin/{name}" if Path(f"/usr/bin/{name}").exists() else f"/bin/{name}")
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(SparkNotReadyError, match=r"no Java 17 or newer: .*JAVA_HOME"):
        submit(submit_command("local[1]", JOB, []))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ERROR Backend: Application has been killed. Reason: All masters are unresponsive! Giving up.",
         "no Spark master answers at SPARK_MASTER=spark://host:7077: start it, or change SPARK_MASTER"),
        ("java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found",
         "Spark cannot read LAKE_LOCATION=s3://.*hadoop-aws"),
        ("Error: java.lang.UnsupportedClassVersionError: org/apache/spark/launcher/Main", "no Java 17"),
    ],
)  # fmt: skip
def test_what_a_person_can_mend_is_one_line_that_names_the_setting(line: str, said: str) -> None:
    log = ["org.apache.spark.SparkException: Exception thrown in awaitResult: ", line, "INFO end"]
    error = failure(1, "spark://host:7077", log)
    assert isinstance(error, BlotoutError)
    assert "\n" not in str(error)
    with pytest.raises(SparkNotReadyError, match=said):
        raise error


def test_the_page_of_spark_explains_every_such_line() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "spark.md").read_text("utf-8")
    explained = [row.split("`")[1].removesuffix("...") for row in page.splitlines() if row.startswith("| `")]
    for message in spark_errors._NOT_READY.values():
        said = message.format(master="yarn")
        assert [start for start in explained if said.startswith(start)], f"docs/spark.md lacks: {said}"


def test_the_first_error_of_a_log_is_the_one_reported() -> None:
    log = [
        "INFO start",
        "26/03/02 ERROR Executor: lost",
        "org.apache.spark.api.python.PythonException: [PYTHON_EXCEPTION] An exception was thrown: Traceback",
        "ValueError: bad plan",
        "SparkException: aborted: x",
    ]
    assert first_error(log) == "ValueError: bad plan"
    assert first_error(["py4j.Py4JJavaError: o1.write.", ": java.io.IOException: full"]) == (
        "java.io.IOException: full"
    )
    assert first_error(["26/03/02 ERROR Executor: lost", "INFO end"]) == "26/03/02 ERROR Executor: lost"
    assert first_error(["INFO only"]) == "INFO only"
    assert first_error([]) == "it wrote no log"


def test_the_error_is_found_however_long_the_log_goes_on() -> None:
    script = (
        "echo ValueError: bad plan; i=0; while [ $i -lt 2000 ]; do echo INFO $i; i=$((i+1)); done; exit 3"
    )
    with pytest.raises(SparkJobError, match="ended with 3: ValueError: bad plan"):
        submit(["/bin/sh", "-c", script])


def test_a_log_that_is_not_utf8_is_read_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    submit(["/bin/sh", "-c", r"printf 'caf\351\n'; echo end"])
    assert capsys.readouterr().err.endswith("end\n")


def test_a_job_that_was_killed_is_called_so() -> None:
    with pytest.raises(SparkJobError, match="was killed by SIGKILL"):
        submit(["/bin/sh", "-c", "kill -KILL $$"])


@pytest.mark.parametrize("on_term", ["exit 1", ":"], ids=["ends when asked", "must be killed"])
def test_kill_9_of_the_process_that_submitted_ends_the_job(tmp_path: Path, on_term: str) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", SUBMIT, *_sleeper(tmp_path, on_term)], stderr=subprocess.DEVNULL
    )
    job = _pid(tmp_path)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    _wait_until(lambda: not _is_alive(job))


def test_an_interrupted_run_waits_for_its_job_to_end(tmp_path: Path) -> None:
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            submit(_sleeper(tmp_path, f"seq 100000; touch {tmp_path}/ended; exit 1"))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert (tmp_path / "ended").exists()
    assert not _is_alive(_pid(tmp_path))


@pytest.mark.spark
def test_a_deployment_tunes_spark_by_its_own_defaults_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "from blotout_orchestration.platform.spark_driver import spark_session\n"
        "names = ('spark.sql.shuffle.partitions', 'spark.sql.session.timeZone')\n"
        "spark = spark_session('job')\n"
        "most = spark._jvm.java.lang.Runtime.getRuntime().maxMemory() >> 20\n"
        "print('found', *(spark.conf.get(name) for name in names), most, flush=True)\n"
    )
    for tuned in (False, True):
        if tuned:
            defaults = tmp_path / "spark-defaults.conf"
            defaults.write_text("spark.sql.shuffle.partitions 7\nspark.driver.memory 700m\n")
            monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
        submit(submit_command("local[1]", job, []))
    found = [line.split() for line in capsys.readouterr().err.splitlines() if line.startswith("found ")]
    assert [line[1:3] for line in found] == [["16", "UTC"], ["7", "UTC"]]
    assert [round(int(line[3]), -2) for line in found] == [2000, 700]


@pytest.mark.spark
def test_s3_is_named_as_this_spark_knows_it_and_the_lack_of_its_client_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tmp_path / "job.py"
    job.write_text(
        "from pyspark.sql import SparkSession\n"
        "from blotout_orchestration.platform.spark_driver import spark_location\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "print(spark_location(spark, '/lake/emr'), spark_location(spark, 's3://b/c d/'), flush=True)\n"
        "hadoop = spark.sparkContext._jsc.hadoopConfiguration()\n"
        "hadoop.set('fs.s3.impl', 'com.amazon.ws.emr.hadoop.fs.EmrFileSystem')\n"
        "print(spark_location(spark, 's3://b/c'), flush=True)\n"
        "spark.read.parquet('s3a://b/c')\n"
    )
    with pytest.raises(SparkNotReadyError, match=r"org\.apache\.hadoop:hadoop-aws"):
        submit(submit_command("local[1]", job, []))
    lines = capsys.readouterr().err.splitlines()
    assert "/lake/emr s3a://b/c d/" in lines
    assert "s3://b/c" in lines
