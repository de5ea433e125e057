"""Connected components of the id graph on Spark, for graphs that do not fit one machine.

    spark-submit spark/id_stitching.py --edges DIR --output DIR --work DIR

Reads Parquet with the columns of id_edges, writes Parquet (id_type, provider, id, first_seen, last_seen,
global_user_id): the same components and the same global_user_id as the in-process engine finds with the rules
off. Large-star and small-star alternate until nothing changes (R. Kiveris et al., "Connected Components in
MapReduce and Beyond", SoCC 2014). Each round is written to Parquet: the plan would grow without bound
otherwise. Belongs here: this job only; it imports nothing of the package.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 (the name that Spark's own documentation uses)

MAXIMUM_ROUNDS = 60
"""Rounds grow with the logarithm of the ids; this many means a defect."""


def numbered_nodes(edges: DataFrame, work: str) -> DataFrame:
    """Every node with its times and a number `n`; written once, because numbers differ between evaluations."""
    ends = [
        edges.where(F.col(f"id_{end}").isNotNull()).select(
            F.col(f"id_{end}_type").alias("id_type"),
            F.col(f"id_{end}_provider").alias("provider"),
            F.col(f"id_{end}").alias("id"),
            "first_seen",
            "last_seen",
        )
        for end in ("a", "b")
    ]
    nodes = (
        ends[0]
        .unionByName(ends[1])
        .groupBy("id_type", "provider", "id")
        .agg(F.min("first_seen").alias("first_seen"), F.max("last_seen").alias("last_seen"))
        .withColumn("n", F.monotonically_increasing_id())
    )
    return _kept(nodes, f"{work}/nodes")


def numbered_pairs(edges: DataFrame, nodes: DataFrame, work: str) -> DataFrame:
    """The links as pairs of node numbers (high, low), each once."""
    pairs = edges.where(F.col("id_b").isNotNull())
    for end in ("a", "b"):
        keys = nodes.select(
            F.col("id_type").alias(f"id_{end}_type"),
            F.col("provider").alias("of"),
            F.col("id").alias(f"id_{end}"),
            F.col("n").alias(f"n_{end}"),
        )
        same_provider = F.col(f"id_{end}_provider").eqNullSafe(F.col("of"))
        pairs = pairs.join(keys, [f"id_{end}_type", f"id_{end}"]).where(same_provider).drop("of")
    return _kept(_oriented(pairs.select(F.col("n_a").alias("u"), F.col("n_b").alias("v"))), f"{work}/pairs")


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


def components(pairs: DataFrame, work: str, say: Callable[[str], None]) -> DataFrame:
    """(u, v): every node that is not the smallest of its component, with the smallest one."""
    fingerprint = _fingerprint(pairs)
    for number in range(1, MAXIMUM_ROUNDS + 1):
        pairs = _kept(large_star(pairs), f"{work}/round={number}/large")
        pairs = _kept(small_star(pairs), f"{work}/round={number}/small")
        before, fingerprint = fingerprint, _fingerprint(pairs)
        say(f"round {number}: {fingerprint[0]} pairs")
        if fingerprint == before:
            return pairs
    raise RuntimeError(f"components did not settle in {MAXIMUM_ROUNDS} rounds; look at {work}")


def with_global_ids(nodes: DataFrame, stars: DataFrame) -> DataFrame:
    """The nodes with the id of their person: a hash of the oldest node of the component."""
    labelled = nodes.join(stars.withColumnRenamed("u", "n"), "n", "left").withColumn(
        "component", F.coalesce("v", "n")
    )
    provider = F.coalesce("provider", F.lit(""))
    oldest = labelled.groupBy("component").agg(
        F.min(F.struct("first_seen", "id_type", provider.alias("provider"), "id")).alias("c")
    )
    digest = F.sha2(F.concat_ws("\x1f", "c.id_type", "c.provider", "c.id"), 256)
    parts = [
        F.substring(digest, start, length) for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    ]
    people = oldest.select("component", F.concat_ws("-", *parts).alias("global_user_id"))
    columns = ("id_type", "provider", "id", "first_seen", "last_seen", "global_user_id")
    return labelled.join(people, "component").select(*columns)


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


def stitch(
    spark: SparkSession, edges: str, output: str, work: str, say: Callable[[str], None] = print
) -> None:
    """Read edges, find the components, write the nodes with their person. Paths are Spark's."""
    rows = spark.read.parquet(edges)
    nodes = numbered_nodes(rows, work)
    stars = components(numbered_pairs(rows, nodes, work), work, say)
    with_global_ids(nodes, stars).write.mode("overwrite").parquet(output)


def main() -> None:
    """The job's command line."""
    parser = argparse.ArgumentParser(description="Connected components of the id graph on Spark.")
    parser.add_argument("--edges", required=True, help="folder of Parquet files with the columns of id_edges")
    parser.add_argument("--output", required=True, help="folder to write the nodes with their person to")
    parser.add_argument("--work", required=True, help="folder for the rounds; may be deleted afterwards")
    options = parser.parse_args()
    spark = (
        SparkSession.builder.appName("id_stitching")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .getOrCreate()
    )
    try:
        stitch(spark, options.edges, options.output, options.work)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
