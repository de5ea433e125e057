"""Evidence of the id graph by connected component, on Spark, for graphs that do not fit one process.

    spark-submit spark/id_stitching.py --edges DIR --output DIR --work DIR --parts N

Reads Parquet with the columns of id_edges and writes the same rows, with the column `component`, to folders
`part=0` to `part=N-1`: every component lies in one of them, whole. What the rules make of a component is told
by the orchestrator, part by part. Large-star and small-star alternate until nothing changes (R. Kiveris et
al., "Connected Components in MapReduce and Beyond", SoCC 2014). Each round is written to Parquet: the plan
would grow without bound otherwise. Belongs here: this job only; of the package it takes
the session, the way to report and to name locations, nothing else.
"""

from __future__ import annotations

import argparse
import time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (the name that Spark's own documentation uses)

from blotout_orchestration.platform.spark_driver import Reporter, job_reporter, spark_location, spark_session

MAXIMUM_ROUNDS = 60
"""Rounds grow with the logarithm of the ids; this many means a defect."""


NODE = ("id_type", "provider", "id")


def numbered_nodes(edges: DataFrame, work: str) -> DataFrame:
    """Every node with a number `n`; written once, because numbers differ between evaluations."""
    ends = [
        edges.where(F.col(f"id_{end}").isNotNull()).select(
            F.col(f"id_{end}_type").alias("id_type"),
            F.col(f"id_{end}_provider").alias("provider"),
            F.col(f"id_{end}").alias("id"),
        )
        for end in ("a", "b")
    ]
    nodes = ends[0].unionByName(ends[1]).distinct().withColumn("n", F.monotonically_increasing_id())
    return _kept(nodes, f"{work}/nodes")


def numbered_pairs(edges: DataFrame, nodes: DataFrame, work: str) -> DataFrame:
    """The links as pairs of node numbers (high, low), each once."""
    pairs = edges.where(F.col("id_b").isNotNull())
    for end in ("a", "b"):
        pairs = joined_at(end, pairs, nodes.withColumnRenamed("n", f"n_{end}"))
    return _kept(_oriented(pairs.select(F.col("n_a").alias("u"), F.col("n_b").alias("v"))), f"{work}/pairs")


def joined_at(end: str, edges: DataFrame, nodes: DataFrame) -> DataFrame:
    """The edges with what `nodes` say, beside `NODE`, of their end `a` or `b`."""
    renamed = {"id_type": f"id_{end}_type", "provider": "of", "id": f"id_{end}"}
    same_provider = F.col(f"id_{end}_provider").eqNullSafe(F.col("of"))
    keys = nodes.withColumnsRenamed(renamed)
    return edges.join(keys, [f"id_{end}_type", f"id_{end}"]).where(same_provider).drop("of")


def large_star(pairs: DataFrame) -> DataFrame:
    """Connect every larger neighbour of a node to the smallest of its neighbourhood."""
    both = pairs.unionByName(pairs.select(F.col("v").alias("u"), F.col("u").alias("v")))
    smallest = both.groupBy("u").agg(F.min("v").alias("m")).select("u", F.least("u", "m").alias("m"))
    return _oriented(
        both.where("v > u").join(smallest, "u").select(F.col("v").alias("u"), F.col("m").alias("v"))
    )


def small_star(pairs: DataFrame) -> DataFrame:
    """Connect a node and its smaller neighbours to the smallest of them."""
    smallest = pairs.groupBy("u").agg(F.min("v").alias("m"))
    of_neighbours = pairs.join(smallest, "u").select(F.col("v").alias("u"), F.col("m").alias("v"))
    return _oriented(of_neighbours.unionByName(smallest.select("u", F.col("m").alias("v"))))


def components(pairs: DataFrame, work: str, report: Reporter) -> tuple[DataFrame, int]:
    """(u, v): every node that is not the smallest of its component, with the smallest one; and the rounds."""
    fingerprint = _fingerprint(pairs)
    for number in range(1, MAXIMUM_ROUNDS + 1):
        pairs = _kept(large_star(pairs), f"{work}/round={number}/large")
        pairs = _kept(small_star(pairs), f"{work}/round={number}/small")
        before, fingerprint = fingerprint, _fingerprint(pairs)
        changed = "settled" if fingerprint == before else "not settled yet"
        report.say(f"round {number} of large-star and small-star: {fingerprint[0]} pairs, {changed}")
        if fingerprint == before:
            return pairs, number
    raise RuntimeError(f"components did not settle in {MAXIMUM_ROUNDS} rounds, which is a defect of this job")


def by_component(edges: DataFrame, nodes: DataFrame, stars: DataFrame, parts: int) -> DataFrame:
    """The edges with their `component` and the `part`, 0 to parts - 1, that it lies in."""
    labels = nodes.join(stars.withColumnsRenamed({"u": "n", "v": "smallest"}), "n", "left").select(
        *NODE, F.coalesce("smallest", "n").alias("component")
    )
    rows = joined_at("a", edges, labels).select(*edges.columns, "component")
    return rows.withColumn("part", F.pmod(F.xxhash64("component"), F.lit(parts)))


def _oriented(pairs: DataFrame) -> DataFrame:
    """Each pair once, the larger number first, no node with itself."""
    high, low = F.greatest("u", "v").alias("u"), F.least("u", "v").alias("v")
    return pairs.where("u <> v").select(high, low).distinct()


def _fingerprint(pairs: DataFrame) -> tuple[int, int]:
    row = pairs.agg(F.count("*"), F.sum(F.xxhash64("u", "v").cast("decimal(38,0)"))).first()
    return (int(row[0]), int(row[1] or 0)) if row else (0, 0)


def _kept(frame: DataFrame, path: str) -> DataFrame:
    """Write a frame and read it back, which cuts its plan."""
    frame.write.mode("overwrite").parquet(path)
    return frame.sparkSession.read.schema(frame.schema).parquet(path)


def stitch(spark: SparkSession, edges: str, output: str, work: str, parts: int, report: Reporter) -> None:
    """Read edges, find the components, write the edges by part. Paths are the lake's."""
    started = time.monotonic()
    edges, output, work = (spark_location(spark, location) for location in (edges, output, work))
    rows = spark.read.parquet(edges)
    nodes = numbered_nodes(rows, work)
    pairs = numbered_pairs(rows, nodes, work)
    found = {"ids": nodes.count(), "links": pairs.count()}
    master = spark.sparkContext.master
    report.say(f"Spark {spark.version} on {master}: {found['ids']} ids, {found['links']} links between them")
    stars, rounds = components(pairs, work, report)
    sorted_rows = by_component(rows, nodes, stars, parts).repartition(parts, "part")
    sorted_rows.write.partitionBy("part").mode("overwrite").parquet(output)
    found["components"] = found["ids"] - stars.count()
    seconds = round(time.monotonic() - started, 1)
    report.say(f"{found['components']} components, written in {parts} parts")
    report.figures({**found, "rounds": rounds, "parts": parts, "seconds": seconds})


def main() -> None:
    """The job's command line."""
    parser = argparse.ArgumentParser(description="Evidence of the id graph by connected component, on Spark.")
    parser.add_argument("--edges", required=True, help="folder of Parquet files with the columns of id_edges")
    parser.add_argument("--output", required=True, help="folder to write the parts to")
    parser.add_argument("--work", required=True, help="folder for the rounds; may be deleted afterwards")
    parser.add_argument("--parts", required=True, type=int, help="number of parts, from 1")
    options = parser.parse_args()

    spark = spark_session("id_stitching")
    try:
        with job_reporter("id_stitching") as report:
            stitch(spark, options.edges, options.output, options.work, options.parts, report)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
