"""The commit of a load beside other writers: nothing lost, nothing twice, whoever was faster."""

from __future__ import annotations

import errno
import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blotout_orchestration.elt import commit as commits
from blotout_orchestration.elt.run import LoadError
from blotout_orchestration.lake import Lake, merge_on_read
from tests.elt.conftest import Database, Load, incremental, only, pipeline, stream, table

CREATE = "create table t (id int primary key, v text, at timestamptz)"
INSERT = "insert into t select n, 'a', '2026-01-01' from generate_series({}, {}) n"


def test_of_two_loads_at_once_the_second_to_commit_is_refused_and_changes_nothing(
    database: Database, lake: Lake, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(CREATE, INSERT.format(1, 10))
    made = pipeline("postgres", database.connection, incremental("t", "at"))
    original = commits._attempt
    inner: list[Any] = []

    def overtaken(*arguments: Any) -> Any:
        if not inner:
            inner.append(None)
            inner[0] = load(made)
        return original(*arguments)

    monkeypatch.setattr(commits, "_attempt", overtaken)
    with pytest.raises(LoadError, match="was loaded by another run meanwhile"):
        load(made)
    assert inner[0].streams[0].rows_added == 10
    assert len(table(lake, "t", "id")) == 10


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            pa.ArrowInvalid("Could not convert 'Ann Miller' with type str"),
            "stream broken: ArrowInvalid (at elt/",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "OSError: [Errno 28] No space left on device (at ",
        ),
        (
            merge_on_read.ConcurrentChangeError("t changed"),
            "ConcurrentChangeError: t changed (at elt/commit.py",
        ),
    ],
)
def test_a_stream_that_cannot_be_written_ends_neither_the_others_nor_the_feeds_and_quotes_nobody(
    database: Database, lake: Lake, load: Load, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    database.run(
        "create table broken (name text)",
        "insert into broken values ('Ann Miller')",
        CREATE,
        INSERT.format(1, 10),
    )
    mapping = {"id_mapping": [{"map_column": "id", "map_provider": "crm", "map_id": True}]}
    made = pipeline(
        "postgres", database.connection, stream("broken"), incremental("t", "at", metadata=mapping)
    )
    original = commits.write_data_files

    def full(target: Any, *arguments: Any) -> Any:
        if target.name()[-1] == "broken":
            raise error
        return original(target, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(commits, "write_data_files", full)
        with pytest.raises(LoadError, match="1 of 2 streams of pipeline shop failed") as failed:
            load(made)
    assert told in str(failed.value)
    assert "Ann" not in str(failed.value)
    assert failed.value.__cause__ is failed.value.__context__ is None
    assert failed.value.report.feeds == {"id_mappings": 10}
    assert len(table(lake, "t", "id")) == 10
    load(made)
    assert table(lake, "broken", "name") == [("Ann Miller",)]


def test_a_compaction_between_plan_and_commit_is_planned_around(
    database: Database, lake: Lake, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(CREATE, INSERT.format(1, 10))
    made = pipeline("postgres", database.connection, incremental("t", "at"))
    load(made)
    database.run("update t set v = 'b', at = '2026-02-01' where id <= 4")
    original, compacted = commits.commit_load, []

    def late(*arguments: Any, **options: Any) -> None:
        if not compacted:
            compacted.append(True)
            merge_on_read.rewrite(lake.catalog, "shop_test.t", {"compaction": "true"})
        original(*arguments, **options)

    monkeypatch.setattr(commits, "commit_load", late)
    report = only(load(made))
    assert compacted
    assert (report.rows_replaced, report.rows_in_table) == (4, 10)
    assert [row[1] for row in table(lake, "t", "id", "v")] == ["b"] * 4 + ["a"] * 6


def test_a_table_of_many_small_loads_is_rewritten_and_keeps_its_rows_and_state(
    database: Database, lake: Lake, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "MAXIMUM_FILES", 4)
    database.run(CREATE, INSERT.format(1, 10))
    made = pipeline("postgres", database.connection, incremental("t", "at"))
    for day in range(1, 7):
        database.run(f"update t set v = 'd{day}', at = '2026-03-0{day}' where id <= 3")
        load(made)
    plan = merge_on_read.plan(lake.catalog.load_table("shop_test.t"))
    assert len(plan.files) + len(plan.delete_files) <= 5
    assert [row[1] for row in table(lake, "t", "id", "v")] == ["d6"] * 3 + ["a"] * 7
    assert only(load(made)).rows_added == 0


def test_a_source_that_became_empty_empties_a_fully_refreshed_table(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, INSERT.format(1, 10))
    made = pipeline("postgres", database.connection, stream("t"))
    load(made)
    database.run("delete from t")
    report = only(load(made))
    assert (report.rows_replaced, report.rows_in_table) == (10, 0)
    assert table(lake, "t", "id") == []
    database.run(INSERT.format(1, 2))
    assert only(load(made)).rows_in_table == 2


@pytest.mark.parametrize(("contract", "kept"), [("evolve", None), ("discard_row", 2)])
def test_rows_without_their_primary_key_refuse_the_stream_or_are_counted(
    tmp_path: Path, lake: Lake, load: Load, contract: str, kept: int | None
) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,v\n1,a\n,b\n3,c\n"))
    made = pipeline(
        "filesystem",
        {"location": str(tmp_path)},
        stream("s", primaryKey=[["id"]], options={"glob": "*.csv.gz", "contract": contract}),
    )
    if kept is None:
        with pytest.raises(LoadError, match=r"the primary key id is empty \(1 rows\)"):
            load(made)
        assert not lake.exists("s", "shop_test")
    else:
        report = only(load(made))
        assert (report.rows_in_table, report.rows_discarded) == (kept, 1)


def test_a_variable_of_the_deployment_does_not_reach_dlt(
    database: Database, lake: Lake, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "REFRESH": "all",
        "DATASET_NAME": "x",
        "FILE_MAX_ITEMS": "1",
        "DEV_MODE": "y",
    }.items():
        monkeypatch.setenv(name, value)
    database.run(CREATE, INSERT.format(1, 3))
    assert only(load(pipeline("postgres", database.connection, stream("t")))).rows_in_table == 3


def test_a_primary_key_that_the_table_does_not_have_yet_asks_for_a_full_refresh(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run("create table u (v text, at timestamptz)", "insert into u values ('a', '2026-01-01')")
    load(pipeline("postgres", database.connection, incremental("u", "at")))
    database.run("alter table u add column id int", "update u set id = 1")
    keyed = pipeline("postgres", database.connection, incremental("u", "at", primaryKey=[["id"]]))
    with pytest.raises(LoadError, match="run the pipeline once with full_refresh"):
        load(keyed)
    assert only(load(keyed, full_refresh=True)).rows_in_table == 1
    assert only(load(keyed)).rows_added == 0
    assert table(lake, "u", "id", "v") == [(1, "a")]
