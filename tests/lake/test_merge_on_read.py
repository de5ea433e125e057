"""Rows replaced by position: right for pyiceberg, right for the DuckDB views, refused after a foreign change."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.merge_on_read import ConcurrentChangeError
from blotout_orchestration.lake.tables import Column

PEOPLE = TableSpec("people", "Test.", (Column("id", "string", "Id."), Column("n", "long", "Number.")))


def _rows(**numbers: int) -> pa.Table:
    return pa.table({"id": list(numbers), "n": list(numbers.values())}, schema=PEOPLE.arrow_schema)


def _change(lake: Lake, condition: str, rows: pa.Table) -> None:
    connection = duckdb.connect()
    snapshot_id = lake.register(connection, "people", PEOPLE, positions=True)
    gone = connection.sql(f"select file_path, pos from people where {condition}").to_arrow_table()
    lake.replace_positions(PEOPLE, snapshot_id, gone, rows, {"run_id": "test"})


def _in_duckdb(lake: Lake) -> list[tuple[Any, ...]]:
    connection = duckdb.connect()
    lake.register(connection, "people", PEOPLE)
    return connection.sql("select id, n from people order by id").fetchall()


def test_replaced_rows_show_once_to_every_reader(lake: Lake) -> None:
    lake.append(PEOPLE, _rows(ann=1, bob=2, cat=3), {})
    _change(lake, "id = 'bob'", _rows(bob=20))
    _change(lake, "id in ('bob', 'cat')", _rows(bob=200, dan=4))
    expected = [("ann", 1), ("bob", 200), ("dan", 4)]
    assert _in_duckdb(lake) == expected
    assert sorted(zip(*lake.read(PEOPLE).to_pydict().values(), strict=True)) == expected


def test_many_small_changes_survive_the_merging_of_manifests(lake: Lake) -> None:
    lake.append(PEOPLE, _rows(ann=0, bob=1), {})
    for number in range(1, 104):
        _change(lake, "id = 'ann'", _rows(ann=number))
    assert _in_duckdb(lake) == [("ann", 103), ("bob", 1)]
    assert lake.read(PEOPLE).num_rows == 2


def test_a_full_replacement_after_position_deletes_starts_clean(lake: Lake) -> None:
    lake.append(PEOPLE, _rows(ann=1, bob=2), {})
    _change(lake, "id = 'ann'", _rows(ann=10))
    lake.replace(PEOPLE, _rows(eve=5), AlwaysTrue(), {})
    assert _in_duckdb(lake) == [("eve", 5)]
    assert lake.files(PEOPLE)


def test_listing_files_is_refused_while_rows_are_deleted_by_position(lake: Lake) -> None:
    lake.append(PEOPLE, _rows(ann=1, bob=2), {})
    _change(lake, "id = 'ann'", _rows())
    with pytest.raises(ValueError, match="people has rows deleted by position"):
        lake.files(PEOPLE)


def test_positions_of_an_older_snapshot_are_refused(lake: Lake) -> None:
    lake.append(PEOPLE, _rows(ann=1), {})
    connection = duckdb.connect()
    snapshot_id = lake.register(connection, "people", PEOPLE, positions=True)
    gone = connection.sql("select file_path, pos from people").to_arrow_table()
    lake.replace(PEOPLE, _rows(ann=2), AlwaysTrue(), {})
    with pytest.raises(ConcurrentChangeError):
        lake.replace_positions(PEOPLE, snapshot_id, gone, _rows(ann=3), {})
    assert _in_duckdb(lake) == [("ann", 2)]
