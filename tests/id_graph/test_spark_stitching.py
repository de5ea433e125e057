"""A full rebuild by Spark gives the tables that one in process gives, rules included."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blotout_orchestration.demo.landing import land_demo
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import generate, write
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.id_graph import spark_engine
from blotout_orchestration.id_graph.assets import JOB, id_graph_assets, id_graph_job
from blotout_orchestration.id_graph.blocks import block_ids
from blotout_orchestration.id_graph.contract import ID_EDGES, ID_GRAPH, ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE
from blotout_orchestration.id_graph.recompute import Recomputed, recompute
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.sources import default_sources
from blotout_orchestration.id_graph.stitch import StitchResult, stitch
from blotout_orchestration.id_graph.workspace import Workspace
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.spark_jobs import SparkJobError
from blotout_orchestration.settings import Settings
from tests.events.spark_cluster import standalone_cluster
from tests.id_graph.helpers import Edge, MemorySource, edge, graph_rows

STORE = DemoOptions(people=60, days=5, events=1_500)


def _random_edges(seed: int) -> list[Edge]:
    """Random components, one long chain (the hard case for label propagation), ids without links."""
    chance = random.Random(seed)
    names = [f"{kind}{number}" for kind in "ushe" for number in range(150)]
    pairs = [edge(*chance.sample(names, 2), chance.randrange(500)) for _ in range(260)]
    chain = [edge(f"u{900 + i}", f"u{901 + i}", i) for i in range(70)]
    return pairs + chain + [edge(f"g{i}", None, i) for i in range(5)]


def _rule_breakers() -> list[Edge]:
    """A click id of 30 browsers, a browser of 7 e-mails, and a giant: what the default rules cut."""
    shared = [edge(f"u-shared-{number}", "g-shared", number) for number in range(30)]
    mails = [edge("u-mails", f"e-mails-{number}", number) for number in range(7)]
    hubs = [f"u-hub-{number}" for number in range(7)]
    giant = [edge(hub, f"{hub}-{number}", number) for hub in hubs for number in range(1500)]
    return shared + mails + giant + [edge(*ends, 9) for ends in pairwise(hubs)]


def _lake(home: Path, engine: str, master: str = "local[2]") -> Lake:
    return Lake(
        Settings(
            _env_file=None,
            blotout_home=home,
            organisation="shop",
            environment="test",
            stitching_engine=engine,
            spark_master=master,
        )
    )


def _tables(lake: Lake) -> tuple[list[Any], ...]:
    redirects, refused = (
        sorted(str({**row, "run_id": None}) for row in lake.read(spec).to_pylist())
        for spec in (ID_GRAPH_MERGES, ID_GRAPH_QUARANTINE)
    )
    return graph_rows(lake), redirects, refused


class Parts:
    """What the Spark engine hands to `recompute`: parts, and Spark's components in them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[set[int]] = []
        monkeypatch.setattr(spark_engine, "EDGES_PER_PART", 3000)
        monkeypatch.setattr(spark_engine, "recompute", self._counted)

    def _counted(self, connection: Any, relation: str, rules: Rules) -> Recomputed:
        rows = connection.execute(f"select distinct component from {relation}").fetchall()
        self.found.append({component for (component,) in rows})
        return recompute(connection, relation, rules)


def _histories(lakes: list[Lake], folder: Path) -> list[list[StitchResult]]:
    """Both lakes through the same two rebuilds: all evidence, then a batch less and an id blocked."""
    write(generate(STORE), folder)
    results: list[list[StitchResult]] = [[], []]
    for lake, found in zip(lakes, results, strict=True):
        land_demo(lake, folder)
        flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="test")
        memory = MemorySource(
            content={"a": _random_edges(1), "b": _random_edges(2), "breakers": _rule_breakers()}
        )
        sources = [*default_sources(), memory]
        found.append(stitch(lake, rules=Rules(), run_id="first", sources=sources))
        del memory.content["a"]
        block_ids(lake, ["u-hub-3"], reason="test")
        found.append(stitch(lake, rules=Rules(), run_id="second", sources=sources, full=True))
    return results


@pytest.mark.spark
@pytest.mark.parametrize(
    "master",
    [pytest.param("local[2]", id="local"), pytest.param("cluster", id="cluster", marks=pytest.mark.heavy)],
)
def test_both_engines_give_the_same_people_redirects_and_quarantine(
    master: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(monkeypatch)

    def compare(url: str) -> None:
        in_process, distributed = _lake(tmp_path / "scipy", "scipy"), _lake(tmp_path / "spark", "spark", url)
        expected, found = _histories([in_process, distributed], tmp_path / "store")
        assert _tables(distributed) == _tables(in_process)
        assert all(len(table) > 0 for table in _tables(in_process))
        reasons = {row["reason"] for row in in_process.read(ID_GRAPH_QUARANTINE).to_pylist()}
        assert reasons == {"super_node", "limit"}
        assert [result.giants for result in found] == [result.giants for result in expected] == [1, 0]
        for one, other in zip(expected, found, strict=True):
            assert one.touched_components == other.touched_components
        labels = [label for part in parts.found for label in part]
        assert len(parts.found) >= 4
        assert len(labels) == sum(result.touched_components for result in expected)
        assert list((Path(distributed.layer("emr")) / "id_stitching").iterdir()) == []

    if master == "cluster":
        with standalone_cluster(tmp_path) as url:
            compare(url)
    else:
        compare(master)


@pytest.mark.spark
def test_a_job_that_fails_names_its_error_and_writes_nothing(tmp_path: Path) -> None:
    lake = _lake(tmp_path, "spark", "yarn")
    with pytest.raises(SparkJobError, match="yarn"):
        stitch(lake, rules=Rules(), run_id="fails", sources=[MemorySource(content={"a": _random_edges(1)})])
    assert graph_rows(lake) == []
    assert list((Path(lake.layer("emr")) / "id_stitching").iterdir()) == []


def test_spark_is_asked_for_full_rebuilds_and_never_for_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def asked_for(space: Workspace, rules: Rules) -> Recomputed:
        found = recompute(space.connection, "evidence", rules)
        asked.append(found.components)
        return found

    monkeypatch.setattr(spark_engine, "recompute_with_spark", asked_for)
    source = MemorySource(content={"a": [edge("u1", "s1", 1), edge("u2", "s2", 2)]})
    for engine in ("scipy", "spark"):
        lake = _lake(tmp_path / engine, engine)
        stitch(lake, rules=Rules(), run_id="first", sources=[source])
        source.content["b"] = [edge("u3", "s3", 3)]
        stitch(lake, rules=Rules(), run_id="more", sources=[source])
        stitch(lake, rules=Rules(), run_id="full", sources=[source], full=True)
        del source.content["b"]
    assert asked == [2, 3]


def test_a_graph_without_any_evidence_needs_no_job(tmp_path: Path) -> None:
    lake = _lake(tmp_path, "spark", "yarn")
    assert stitch(lake, rules=Rules(), run_id="test", sources=[MemorySource()]).ids == 0


def test_edges_that_the_job_lost_are_noticed_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loses_one(command: list[str]) -> None:
        edges, output = (Path(command[command.index(name) + 1]) for name in ("--edges", "--output"))
        (output / "part=0").mkdir(parents=True)
        pq.write_table(pq.read_table(edges).slice(1), output / "part=0" / "rows.parquet")

    monkeypatch.setattr(spark_engine, "submit", loses_one)
    lake = _lake(tmp_path, "spark")
    source = MemorySource(content={"a": [edge("u1", "s1", 1), edge("u2", "s2", 2)]})
    with pytest.raises(SparkJobError, match="gave back 1 of 2 edges"):
        stitch(lake, rules=Rules(), run_id="test", sources=[source])
    assert graph_rows(lake) == []


def test_what_a_killed_run_left_is_swept_once_no_run_can_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = _lake(tmp_path, "spark")
    root = Path(lake.layer("emr")) / "id_stitching"
    now = datetime.now(UTC)
    for hours in (1, 100):
        left = root / f"{(now - timedelta(hours=hours)).strftime('%Y%m%dT%H%M%SZ')}-killed" / "edges"
        left.mkdir(parents=True)
        pq.write_table(pa.table({"id": ["u1"]}), left / "edges.parquet")
    monkeypatch.setattr(spark_engine, "submit", lambda command: None)
    with pytest.raises(SparkJobError, match="gave back 0 of"):
        stitch(lake, rules=Rules(), run_id="test", sources=[MemorySource(content={"a": _random_edges(1)})])
    (kept,) = root.iterdir()
    assert kept.name.startswith((now - timedelta(hours=1)).strftime("%Y%m%dT%H"))
    assert lake.read(ID_EDGES).num_rows == 0


def test_the_first_error_is_seen_when_the_folder_is_gone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = _lake(tmp_path, "spark")

    def fails_without_its_folder(command: list[str]) -> None:
        shutil.rmtree(Path(lake.layer("emr")) / "id_stitching")
        raise SparkJobError("the first error")

    monkeypatch.setattr(spark_engine, "submit", fails_without_its_folder)
    with pytest.raises(SparkJobError, match="the first error"):
        stitch(lake, rules=Rules(), run_id="test", sources=[MemorySource(content={"a": _random_edges(1)})])


@pytest.mark.spark
def test_a_rebuild_reports_every_round_to_its_run(tmp_path: Path) -> None:
    lake = _lake(tmp_path, "spark", "local[1]")
    write(generate(STORE), tmp_path / "store")
    land_demo(lake, tmp_path / "store")
    flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="test")
    job = dg.Definitions(assets=id_graph_assets(lake), jobs=[id_graph_job()]).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
        records = instance.all_logs(result.run_id)
    assert result.success
    said = [record.user_message for record in records]
    rounds = [line for line in said if line.startswith("round ")]
    assert [line.split()[1] for line in rounds] == [str(number) for number in range(1, len(rounds) + 1)]
    assert [line.endswith(", settled") for line in rounds] == [False] * (len(rounds) - 1) + [True]
    (figures,) = [
        record.dagster_event.engine_event_data.metadata
        for record in records
        if record.dagster_event is not None
        and record.dagster_event.is_engine_event
        and record.user_message.startswith("id_stitching: ")
    ]
    rows = lake.read(ID_GRAPH)
    assert rows.num_rows > 0
    assert figures["rounds"].value == len(rounds) >= 2
    assert figures["ids"].value >= rows.num_rows
    assert f"{figures['components'].value} components touched" in said
    assert not [line for line in said if "unexpected message" in line or "did not receive" in line]


@pytest.mark.spark
def test_a_job_that_no_run_started_tells_its_own_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = _lake(tmp_path, "spark", "local[1]")
    source = MemorySource(content={"a": [edge("u1", "s1", 1), edge("s1", "e1", 2), edge("u2", "s2", 2)]})
    stitch(lake, rules=Rules(), run_id="test", sources=[source])
    told = capsys.readouterr().err.splitlines()
    assert any(line.startswith("round 1 of large-star and small-star: ") for line in told)
    assert "2 components, written in 1 parts" in told
