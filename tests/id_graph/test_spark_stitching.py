"""The Spark job finds what the in-process engine finds: same components, same global_user_id."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from tests.id_graph.helpers import NO_RULES, Edge, MemorySource, edge, oracle, people

REPOSITORY = Path(__file__).resolve().parents[2]


def _edges(seed: int) -> list[Edge]:
    """Random components, one long chain (the hard case for label propagation), ids without links."""
    chance = random.Random(seed)
    names = [f"{kind}{number}" for kind in "ushe" for number in range(150)]
    pairs = [edge(*chance.sample(names, 2), chance.randrange(500)) for _ in range(260)]
    chain = [edge(f"u{900 + i}", f"u{901 + i}", i) for i in range(70)]
    return pairs + chain + [edge(f"g{i}", None, i) for i in range(5)]


@pytest.mark.spark
def test_spark_finds_the_same_people_as_the_process(lake: Lake, tmp_path: Path) -> None:
    source = MemorySource(content={"a": _edges(1), "b": _edges(2)})
    stitch(lake, rules=NO_RULES, run_id="test", sources=[source])
    assert people(lake) == oracle(source.content["a"] + source.content["b"])
    (tmp_path / "edges").mkdir()
    pq.write_table(lake.read(ID_EDGES), tmp_path / "edges" / "edges.parquet")
    import pyspark

    command = [str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", "local[2]"]
    command += ["--conf", "spark.sql.shuffle.partitions=2", "--conf", "spark.ui.enabled=false"]
    command += [str(REPOSITORY / "spark" / "id_stitching.py")]
    for name in ("edges", "output", "work"):
        command += [f"--{name}", str(tmp_path / name)]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    names = ["id_type", "provider", "id", "first_seen", "last_seen", "global_user_id"]
    from_spark = pq.read_table(tmp_path / "output").select(names).to_pylist()
    in_process = lake.read(ID_GRAPH, columns=tuple(names)).to_pylist()

    def rows(found: list[dict[str, object]]) -> list[str]:
        return sorted(str([str(row[name]).replace("+00:00", "") for name in names]) for row in found)

    assert rows(from_spark) == rows(in_process)
