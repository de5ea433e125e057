"""What a failed spark-submit failed by, in one line: read from its log.

Belongs here: the errors, and what Spark writes when the ground is not ready for it. Nothing that starts Spark.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from blotout_orchestration.errors import BlotoutError


class SparkJobError(Exception):
    """The Spark job failed; the message is its first line that names an error."""


class SparkNotReadyError(SparkJobError, BlotoutError):
    """Spark did not start, or its master does not answer; the message names the setting."""


INSTEAD = "or set EVENTS_ENGINE=duckdb and STITCHING_ENGINE=scipy"
_NOT_READY = {
    r"JAVA_HOME is not set|java: (No such file|cannot execute|command not found|not found)"
    "|UnsupportedClassVersionError": (
        f"Spark finds no Java 17 or newer: install it, let JAVA_HOME name its folder, {INSTEAD}"
    ),
    "All masters are unresponsive": (
        "no Spark master answers at SPARK_MASTER={master}: start it, or change SPARK_MASTER"
    ),
    "HADOOP_CONF_DIR or YARN_CONF_DIR must be set": (
        "SPARK_MASTER={master} needs the variable HADOOP_CONF_DIR: the folder of the cluster's configuration"
    ),
    r"S3AFileSystem not found": (
        "Spark cannot read LAKE_LOCATION=s3://...: name org.apache.hadoop:hadoop-aws, in the version of its"
        " Hadoop, in spark.jars.packages of spark-defaults.conf"
    ),
}
_KILLED = {128 + number: number.name for number in (signal.SIGKILL, signal.SIGTERM)}
"""Exit codes by which a shell, or Java itself, tells of a signal."""
_NAMED = re.compile(r"^(Caused by: )?(Exception in thread .* )?[\w.$]+(Error|Exception): \S")
_WRAPPED = re.compile(r"PythonException: |awaitResult|Py4JJavaError: ")


def is_telling(line: str) -> bool:
    """Whether a line of a Spark log can be needed to say what went wrong."""
    named = "Error" in line or "Exception" in line or " ERROR " in line
    return named or any(re.search(pattern, line) for pattern in _NOT_READY)


def failure(code: int, master: str, log: Sequence[str]) -> SparkJobError:
    """The error of a spark-submit that ended with `code`, from its telling lines and the last one."""
    for pattern, message in _NOT_READY.items():
        if any(re.search(pattern, line) for line in log):
            return SparkNotReadyError(message.format(master=master))
    if code in _KILLED:
        return SparkJobError(f"spark-submit was killed by {_KILLED[code]}")
    return SparkJobError(f"spark-submit ended with {code}: {first_error(log)}")


def first_error(log: Sequence[str]) -> str:
    """The line of a Spark log that says what went wrong first: the error itself rather than what wraps it."""
    lines = [line.strip().removeprefix(": ") for line in log]
    named = [line for line in lines if _NAMED.match(line)]
    inner = [line for line in named if not _WRAPPED.search(line)]
    mentioned = [line for line in lines if "Error:" in line or "Exception:" in line]
    refused = [line for line in lines if " ERROR " in line]
    return next(iter([*inner, *named, *mentioned, *refused, *lines[-1:]]), "it wrote no log")
