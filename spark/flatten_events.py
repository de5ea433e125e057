"""Flatten hours of landed requests on Spark: `spark-submit flatten_events.py --plan PLAN.json`.

Reads a plan (landing location, hours with their files, events that stay, targets) and writes core_events and bad_events as
Parquet below the targets, and a manifest with the counts. Commits nothing: the orchestrator does. The kernel
is the one of the DuckDB engine, run in the executors; only de-duplication is Spark's. Needs the
blotout_orchestration package (without its Dagster side) on the executors.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from blotout_orchestration.platform.spark_driver import Reporter

TASK_BYTES = 16 << 20


def read_json(location: str) -> Any:
    """A JSON document from any location the lake knows."""
    from blotout_orchestration.lake.layers import filesystem

    store, path = filesystem(location)
    with store.open_input_stream(path) as stream:
        return json.loads(stream.read())


def write_json(location: str, document: Any) -> None:
    """Write a JSON document; readers see it only when it is complete on object stores."""
    from blotout_orchestration.lake.layers import filesystem

    store, path = filesystem(location)
    store.create_dir(path.rpartition("/")[0], recursive=True)
    with store.open_output_stream(path) as stream:
        stream.write(json.dumps(document).encode())


def tasks_of(hours: list[dict[str, Any]]) -> list[list[tuple[str, str, int]]]:
    """The plan's files as (hour, path, size), cut into tasks of about `TASK_BYTES` stored bytes."""
    tasks: list[list[tuple[str, str, int]]] = [[]]
    size = 0
    for hour in hours:
        for path, file_size in hour["files"]:
            if tasks[-1] and size + file_size > TASK_BYTES:
                tasks.append([])
                size = 0
            tasks[-1].append((hour["hour"], path, file_size))
            size += file_size
    return tasks


def output_schema() -> pa.Schema:
    """Rows of the kernel, good and refused in one table: a refused row has a `reason`."""
    from blotout_orchestration.events.enrichment import KERNEL_SCHEMA

    extra = [pa.field(name, pa.string()) for name in ("reason", "detail", "raw_encoding")]
    return pa.schema([*KERNEL_SCHEMA, *extra])


def flatten_tasks(landing: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The kernel over the tasks of one Spark partition."""
    from blotout_orchestration.events.kernel import connect, flatten_lines
    from blotout_orchestration.events.reader import read_chunks
    from blotout_orchestration.lake.layers import LandedFile

    schema = output_schema()
    connection = connect(threads=1)

    def shaped(table: pa.Table) -> Iterator[pa.RecordBatch]:
        names = set(table.column_names)
        columns = [
            table[field.name] if field.name in names else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        yield from pa.table(columns, schema=schema).to_batches(max_chunksize=4096)

    for batch in batches:
        for text in batch.column("task").to_pylist():
            hours = [
                (datetime.fromisoformat(hour), [LandedFile(path, size, datetime.fromisoformat(hour))])
                for hour, path, size in json.loads(text)
            ]
            for chunk in read_chunks(landing, hours):
                flattened = flatten_lines(connection, chunk.lines)
                yield from shaped(flattened.good)
                yield from shaped(flattened.bad)
                yield from shaped(chunk.bad)


def run(spark: Any, plan: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Flatten, de-duplicate, write; returns the manifest."""
    from pyspark import StorageLevel
    from pyspark.sql import Window
    from pyspark.sql import functions as f
    from pyspark.sql.pandas.types import from_arrow_schema

    from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS
    from blotout_orchestration.events.deduplication import ARRIVAL_ORDER, COLLISION, COLLISION_DETAIL
    from blotout_orchestration.platform.spark_driver import spark_location

    started = time.monotonic()
    landing = plan["landing"]
    tasks = [(json.dumps(task),) for task in tasks_of(plan["hours"])]
    files = sum(len(hour["files"]) for hour in plan["hours"])
    report.say(f"Spark {spark.version} on {spark.sparkContext.master}: {files} files in {len(tasks)} tasks")
    frame = spark.createDataFrame(spark.sparkContext.parallelize(tasks, len(tasks)), "task string")
    rows = frame.mapInArrow(
        lambda batches: flatten_tasks(landing, batches), from_arrow_schema(output_schema())
    ).persist(StorageLevel.DISK_ONLY)
    delivery = Window.partitionBy("arrival_hour", "event_id").orderBy(*ARRIVAL_ORDER)
    good = rows.where("reason is null")
    kept_hash = f.lit(None).cast("string")
    if plan["kept"]:
        kept = spark.read.parquet(spark_location(spark, plan["kept"])).withColumnRenamed(
            "content_hash", "kept_hash"
        )
        good = good.join(kept, ["arrival_hour", "event_id"], "left")
        kept_hash = f.col("kept_hash")
    good = (
        good.withColumn("nth", f.row_number().over(delivery) + f.when(kept_hash.isNotNull(), 1).otherwise(0))
        .withColumn("first_hash", f.coalesce(kept_hash, f.first("content_hash").over(delivery)))
        .persist(StorageLevel.DISK_ONLY)
    )
    core = good.where("nth = 1").select(*CORE_EVENTS.arrow_schema.names)
    _write(core, spark_location(spark, plan["core_target"]))
    collided = good.where("nth > 1 and content_hash <> first_hash").withColumns(
        {"reason": f.lit(COLLISION), "detail": f.lit(COLLISION_DETAIL), "raw_encoding": f.lit("utf-8")}
    )
    names = BAD_EVENTS.arrow_schema.names
    refused = rows.where("reason is not null").select(*names).union(collided.select(*names))
    _write(refused, spark_location(spark, plan["bad_target"]))
    repeated = good.where("nth > 1 and content_hash = first_hash").groupBy("arrival_hour").count()
    duplicates = {
        row["hour"]: row["count"]
        for row in repeated.select(f.unix_seconds("arrival_hour").alias("hour"), "count").collect()
    }
    found = rows.count()
    repetitions = sum(duplicates.values())
    report.say(f"{found} events and lines read and written, {repetitions} repeated within their hour")
    report.figures(
        {
            "hours": len(plan["hours"]),
            "files": files,
            "tasks": len(tasks),
            "events": found,
            "duplicates": repetitions,
            "seconds": round(time.monotonic() - started, 1),
        }
    )
    return {"found": found, "duplicates": duplicates}


def _write(frame: Any, target: str) -> None:
    """Parquet by day of arrival: a data file must lie in one partition of the table."""
    from pyspark.sql import functions as f

    day = f.date_format("arrival_hour", "yyyy-MM-dd")
    (
        frame.withColumn("arrival_day", day)
        .repartition("arrival_day", f.hour("arrival_hour"))
        .sortWithinPartitions("arrival_hour", "landing_file", "landing_line", "landing_index")
        .write.partitionBy("arrival_day")
        .mode("overwrite")
        .option("compression", "zstd")
        .parquet(target)
    )


def main() -> None:
    """Read the plan, run, write the manifest."""
    parser = argparse.ArgumentParser(description="Flatten hours of landed requests on Spark.")
    parser.add_argument("--plan", required=True, help="location of the plan, JSON")
    plan = read_json(parser.parse_args().plan)
    from blotout_orchestration.platform.spark_driver import job_reporter, spark_session

    spark = spark_session("flatten_events", {"spark.sql.ansi.enabled": "true"})
    try:
        with job_reporter("flatten_events") as report:
            manifest = run(spark, plan, report)
    finally:
        spark.stop()
    write_json(plan["manifest"], manifest)


if __name__ == "__main__":
    main()
