"""The distributed engine of a full rebuild: Spark finds the components, the rules are applied part by part.

All evidence is written to Parquet, `spark/id_stitching.py` sorts it into parts that hold whole components, and
recompute.py makes the rows of one part after the other. So both engines give the same rows, and only one part
at a time is in this process's memory. Belongs here: handing the evidence to the job, and collecting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs as pafs

from blotout_orchestration.id_graph.recompute import Recomputed, recompute
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.workspace import Workspace
from blotout_orchestration.lake.layers import filesystem
from blotout_orchestration.platform.spark_folders import work_folder
from blotout_orchestration.platform.spark_jobs import SparkJobError, submit, submit_command

JOB = Path(__file__).resolve().parents[2] / "spark" / "id_stitching.py"
EDGES_PER_PART = 2_000_000
"""Edges in memory at once, as far as components allow: one component is never divided."""

_ROWS = 100_000


def recompute_with_spark(space: Workspace, rules: Rules) -> Recomputed:
    """What follows from all `evidence`, as `recompute` gives it.

    Raises `SparkJobError` when the job fails, or does not give back every edge.
    """
    lake = space.lake
    with work_folder(f"{lake.layer('emr')}/id_stitching") as work:
        store, folder = filesystem(work)
        edges = _export(space, store, f"{folder}/edges")
        if not edges:
            return recompute(space.connection, "evidence", rules)
        parts = -(-edges // EDGES_PER_PART)
        arguments = ["--edges", f"{work}/edges", "--output", f"{work}/parts", "--work", f"{work}/rounds"]
        command = submit_command(lake.settings.spark_master, JOB, [*arguments, "--parts", str(parts)])
        submit(command)
        return _collect(space, rules, store, f"{folder}/parts", edges)


def _export(space: Workspace, store: pafs.FileSystem, folder: str) -> int:
    """Write the evidence, blocked ids taken out, to Parquet; returns how many edges it has."""
    from pyarrow import parquet

    store.create_dir(folder, recursive=True)
    edges = 0
    reader = space.connection.sql("select * from evidence").to_arrow_reader(_ROWS)
    with parquet.ParquetWriter(f"{folder}/edges.parquet", reader.schema, filesystem=store) as writer:
        for batch in reader:
            writer.write_batch(batch)
            edges += batch.num_rows
    return edges


def _collect(space: Workspace, rules: Rules, store: pafs.FileSystem, folder: str, edges: int) -> Recomputed:
    """The rows of all parts, recomputed one by one."""
    found = []
    collected = 0
    for part in store.get_file_info(pafs.FileSelector(folder, allow_not_found=True)):
        if part.type is not pafs.FileType.Directory:
            continue
        collected += _show_part(space.connection, store, part.path)
        found.append(recompute(space.connection, "part_evidence", rules))
    if collected != edges:
        raise SparkJobError(f"the job gave back {collected} of {edges} edges; nothing was written")
    return Recomputed(
        pa.concat_tables([part.graph for part in found]),
        pa.concat_tables([part.quarantine for part in found]),
        sum(part.components for part in found),
    )


def _show_part(connection: Any, store: pafs.FileSystem, folder: str) -> int:
    """Make the table `part_evidence` of a part; returns its number of edges."""
    from pyarrow import dataset

    connection.register("part_rows", dataset.dataset(folder, filesystem=store, format="parquet"))
    connection.execute("create or replace temporary table part_evidence as from part_rows")
    connection.unregister("part_rows")
    ((rows,),) = connection.execute("select count(*) from part_evidence").fetchall()
    return int(rows)
