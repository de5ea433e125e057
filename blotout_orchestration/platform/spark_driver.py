"""What a Spark job of ours needs within its driver: its session, how it reports, how it names a location.

Belongs here: what `spark/*.py` share. Does not belong here: starting a job (spark_jobs.py), anything that
imports Dagster: a driver has `dagster_pipes` at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

ALWAYS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
"""What the rows depend on."""
DEFAULTS = {"spark.sql.shuffle.partitions": "16"}
Figures = Mapping[str, int | float | str]


@dataclass(frozen=True)
class Reporter:
    """Where a job's words go: `say` takes a line of progress, `figures` what it found, by name, once."""

    say: Callable[[str], None]
    figures: Callable[[Figures], None]


@contextmanager
def job_reporter(job: str) -> Iterator[Reporter]:
    """How a job tells its progress to the Dagster run that started it (Dagster Pipes).

    A job that somebody else submitted tells its own log, at once.
    """
    from dagster_pipes import PipesEnvVarParamsLoader, open_dagster_pipes

    if not PipesEnvVarParamsLoader().is_dagster_pipes_process():  # type: ignore[no-untyped-call]
        tell = partial(print, flush=True)
        yield Reporter(tell, lambda figures: tell(f"{job}: {dict(figures)}"))
        return
    with open_dagster_pipes() as pipes:
        yield Reporter(
            pipes.log.info,
            lambda figures: pipes.report_custom_message({"job": job, "figures": dict(figures)}),
        )


def spark_session(job: str, settings: Mapping[str, str] | None = None) -> Any:
    """The session of a job: its own settings, and ours where spark-defaults.conf leaves them open."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(job)
    for name, value in {**ALWAYS, **(settings or {})}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    given = spark.sparkContext.getConf()
    for name, value in DEFAULTS.items():
        if not given.contains(name):
            spark.conf.set(name, value)
    return spark


def spark_location(spark: Any, location: str) -> str:
    """A location of the lake as this Spark names it.

    Spark as it is released reads S3 as `s3a://` (hadoop-aws); EMR sets a file system of its own for `s3://`.
    """
    scheme, separator, rest = location.partition("://")
    if not separator or scheme != "s3":
        return location
    configured = spark.sparkContext._jsc.hadoopConfiguration().get("fs.s3.impl")
    return location if configured else f"s3a://{rest}"
