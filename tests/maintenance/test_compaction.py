"""Compaction of one table: which files go together, that no row changes, and what others do meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake import compaction as compaction_module
from blotout_orchestration.lake.compaction import (
    FilesChangedError,
    Group,
    Thresholds,
    plan_groups,
    rewrite_group,
)
from blotout_orchestration.lake.merge_on_read import ConcurrentChangeError
from blotout_orchestration.lake.rewriting import RowsDifferError, checksum, write_files
from blotout_orchestration.maintenance.inventory import sort_columns
from tests.maintenance.lakes import (
    CLICKS,
    EAGER,
    FIRST_HOUR,
    NOW,
    PEOPLE,
    clicks,
    contents,
    fill,
    full_name,
    land_hour,
    people_rows,
)


def groups_of(lake: Lake, thresholds: Thresholds = EAGER, now: datetime = NOW, spec=CLICKS) -> list[Group]:
    table = lake.catalog.load_table(full_name(lake, spec))
    return plan_groups(table, thresholds, sort_columns(table), now)


def compact(lake: Lake, spec=CLICKS, thresholds: Thresholds = EAGER) -> None:
    table = lake.catalog.load_table(full_name(lake, spec))
    for group in groups_of(lake, thresholds, spec=spec):
        rewrite_group(lake.catalog, full_name(lake, spec), group.bins, sort_columns(table), {"run_id": "c"})


def test_the_files_of_a_day_become_one_and_every_row_stays(lake):
    fill(lake, hours=30)
    before, schema = contents(lake), lake.catalog.load_table(full_name(lake)).schema()
    compact(lake)
    assert contents(lake) == before
    assert len(lake.files(CLICKS)) == 2
    assert lake.catalog.load_table(full_name(lake)).schema() == schema


def test_a_compacted_file_is_in_the_order_that_the_table_wants(lake):
    fill(lake, hours=10)
    compact(lake)
    rows = pq.read_table(lake.files(CLICKS)[0])
    keys = list(zip(rows["arrival_hour"].to_pylist(), rows["number"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len(keys) == 50


def test_a_day_that_is_still_open_is_left_alone(lake):
    fill(lake, hours=30)
    second_day_over = FIRST_HOUR + timedelta(days=2)
    assert [group.partition for group in groups_of(lake, now=second_day_over + timedelta(hours=2))] == [
        "arrival_hour_day=2026-03-01"
    ]
    assert len(groups_of(lake, now=second_day_over + timedelta(hours=4))) == 2


def test_few_files_or_large_ones_are_left_alone(lake):
    fill(lake, hours=4)
    assert groups_of(lake, Thresholds(10**7, 5, 10**7, timedelta())) == []
    assert groups_of(lake, Thresholds(10**7, 2, 100, timedelta())) == []
    assert groups_of(lake, Thresholds(1000, 2, 10**7, timedelta())) == []
    assert len(groups_of(lake, Thresholds(10**7, 4, 10**7, timedelta()))) == 1


def test_files_are_packed_up_to_the_target_size_in_order(lake):
    fill(lake, hours=9)
    size = max(
        task.file.file_size_in_bytes for task in lake.catalog.load_table(full_name(lake)).scan().plan_files()
    )
    target = int(size * 3.5)
    (group,) = groups_of(lake, Thresholds(target, 2, 10**7, timedelta()))
    assert [len(part) for part in group.bins] == [3, 3, 3]
    before = contents(lake)
    compact(lake, thresholds=Thresholds(target, 2, 10**7, timedelta()))
    assert len(lake.files(CLICKS)) == 3
    hours = [set(pq.read_table(path)["arrival_hour"].to_pylist()) for path in lake.files(CLICKS)]
    assert sum(map(len, hours)) == 9
    assert contents(lake) == before


def test_rows_without_a_partition_value_are_compacted_among_themselves(lake):
    for number in range(3):
        lake.append(CLICKS, clicks(None, first=number * 100), {"run_id": "x"})
    before = contents(lake)
    compact(lake)
    assert contents(lake) == before
    assert len(lake.files(CLICKS)) == 1


def delete_by_position(lake: Lake, *names: str) -> None:
    """Delete people as the id graph does, by file and position."""
    import duckdb

    connection = duckdb.connect()
    snapshot = lake.register(connection, "p", PEOPLE, positions=True)
    wanted = ", ".join(f"'{name}'" for name in names)
    gone = connection.sql(f"select file_path, pos from p where person in ({wanted})").to_arrow_table()
    lake.replace_positions(PEOPLE, snapshot, gone, people_rows(), {"run_id": "d"})


def test_deleted_rows_do_not_come_back_and_their_delete_files_go(lake):
    for number in range(4):
        lake.append(PEOPLE, people_rows(f"a{number}", f"b{number}"), {"run_id": "x"})
    delete_by_position(lake, "a0", "b1")
    delete_by_position(lake, "a2")
    before = contents(lake, PEOPLE)
    assert sum(before.values()) == 5
    compact(lake, PEOPLE)
    plan = lake.plan(PEOPLE)
    assert contents(lake, PEOPLE) == before
    assert len(plan.files) == 1
    assert plan.delete_files == ()
    summary = lake.catalog.load_table(full_name(lake, PEOPLE)).current_snapshot().summary
    assert summary["total-records"] == "5"
    assert summary["total-delete-files"] == "0"
    assert summary.operation.value == "replace"


def test_a_table_whose_every_row_is_deleted_becomes_empty_files_none(lake):
    lake.append(PEOPLE, people_rows("a"), {"run_id": "x"})
    lake.append(PEOPLE, people_rows("b"), {"run_id": "x"})
    delete_by_position(lake, "a", "b")
    compact(lake, PEOPLE)
    assert lake.plan(PEOPLE).files == ()
    assert lake.read(PEOPLE).num_rows == 0


def test_a_delete_file_that_still_has_work_elsewhere_stays(lake):
    for number in range(3):
        lake.append(PEOPLE, people_rows(f"a{number}", f"b{number}"), {"run_id": "x"})
    delete_by_position(lake, "a0", "a2")
    before = contents(lake, PEOPLE)
    first, second, _ = sorted(
        task.file.file_path for task in lake.catalog.load_table(full_name(lake, PEOPLE)).scan().plan_files()
    )
    rewrite_group(lake.catalog, full_name(lake, PEOPLE), [[first, second]], (), {"run_id": "c"})
    assert contents(lake, PEOPLE) == before


def test_an_older_file_without_a_newer_column_is_compacted_with_the_others(lake):
    from blotout_orchestration.lake.tables import Column, TableSpec

    lake.append(PEOPLE, people_rows("a"), {"run_id": "x"})
    wider = TableSpec("people", "People.", (*PEOPLE.columns, Column("city", "string", "City.")))
    rows = pa.table({"person": ["b"], "visits": [2], "city": ["Graz"]}, schema=wider.arrow_schema)
    lake.append(wider, rows, {"run_id": "x"})
    before = contents(lake, wider)
    compact(lake, wider)
    assert len(lake.files(wider)) == 1
    assert contents(lake, wider) == before


def interrupted(monkeypatch: pytest.MonkeyPatch, meanwhile) -> None:
    """Let somebody else do something between the writing of the new files and their commit."""
    original, done = compaction_module._commit, []

    def commit(*arguments):
        if not done:
            done.append(True)
            meanwhile()
        return original(*arguments)

    monkeypatch.setattr(compaction_module, "_commit", commit)


def test_rows_that_are_appended_meanwhile_stay_beside_the_compacted_ones(lake, monkeypatch):
    fill(lake, hours=10)
    more = clicks(FIRST_HOUR, first=900_000)
    before = contents(lake)
    interrupted(monkeypatch, lambda: lake.append(CLICKS, more, {"run_id": "x"}))
    compact(lake)
    assert sum(contents(lake).values()) == sum(before.values()) + more.num_rows
    assert contents(lake) > before
    assert len(lake.files(CLICKS)) == 2


def test_an_hour_that_is_replaced_meanwhile_wins_and_the_written_files_are_removed(
    lake, monkeypatch, tmp_path
):
    fill(lake, hours=10)
    interrupted(monkeypatch, lambda: land_hour(lake, FIRST_HOUR, clicks(FIRST_HOUR, 3, 500)))
    (group,) = groups_of(lake)
    with pytest.raises(FilesChangedError, match="1 of 10 files are no longer in the table"):
        rewrite_group(lake.catalog, full_name(lake), group.bins, (), {"run_id": "c"})
    assert sum(contents(lake).values()) == 9 * 5 + 3
    stored = list((tmp_path / "home").rglob("clicks/data/**/*.parquet"))
    assert len(stored) == 11


def test_rows_that_are_deleted_meanwhile_do_not_come_back(lake, monkeypatch):
    for number in range(3):
        lake.append(PEOPLE, people_rows(f"a{number}"), {"run_id": "x"})
    interrupted(monkeypatch, lambda: delete_by_position(lake, "a1"))
    with pytest.raises(FilesChangedError, match="deleted meanwhile"):
        compact(lake, PEOPLE)
    assert sorted(lake.read(PEOPLE)["person"].to_pylist()) == ["a0", "a2"]


def test_a_writer_by_position_that_planned_before_is_told_to_plan_again(lake):
    import duckdb

    for number in range(3):
        lake.append(PEOPLE, people_rows(f"a{number}"), {"run_id": "x"})
    connection = duckdb.connect()
    snapshot = lake.register(connection, "p", PEOPLE, positions=True)
    gone = connection.sql("select file_path, pos from p where person = 'a1'").to_arrow_table()
    compact(lake, PEOPLE)
    with pytest.raises(ConcurrentChangeError):
        lake.replace_positions(PEOPLE, snapshot, gone, people_rows(), {"run_id": "d"})
    assert lake.read(PEOPLE).num_rows == 3


def test_a_reader_that_planned_before_still_reads_its_snapshot(lake):
    fill(lake, hours=10)
    before, files = contents(lake), lake.files(CLICKS)
    compact(lake)
    assert pa.concat_tables(pq.read_table(path) for path in files).num_rows == sum(before.values())


def test_a_compaction_that_would_change_a_value_is_never_committed(lake, monkeypatch):
    fill(lake, hours=4)
    before, files = contents(lake), lake.files(CLICKS)

    def careless(table, rows):
        return write_files(table, rows.set_column(1, "number", pa.array([7] * rows.num_rows)))

    monkeypatch.setattr(compaction_module.rewriting, "write_files", careless)
    with pytest.raises(RowsDifferError, match=r"values differ in number"):
        compact(lake)
    assert contents(lake) == before
    assert lake.files(CLICKS) == files


ROWS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(-5, 5)), st.one_of(st.none(), st.text(max_size=3))), max_size=8
)


def table_of(rows: list[tuple[int | None, str | None]]) -> pa.Table:
    return pa.table(
        {"number": [a for a, _ in rows], "name": [b for _, b in rows]},
        schema=pa.schema([("number", pa.int64()), ("name", pa.string())]),
    )


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms())
def test_the_order_of_rows_never_changes_a_checksum(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert checksum(table_of(rows)) == checksum(table_of(shuffled))


@settings(max_examples=25, deadline=None)
@given(ROWS, ROWS)
def test_checksums_of_parts_add_up_and_other_rows_have_another_one(some, others):
    assert checksum(table_of(some)) + checksum(table_of(others)) == checksum(table_of(some + others))
    key = lambda row: (row[0] is None, row[0] or 0, row[1] is None, row[1] or "")  # noqa: E731
    same = sorted(some, key=key) == sorted(others, key=key)
    assert (checksum(table_of(some)) == checksum(table_of(others))) is same


def test_values_that_change_places_between_rows_are_seen():
    straight, crossed = table_of([(1, "a"), (2, "b")]), table_of([(1, "b"), (2, "a")])
    assert checksum(straight).difference(checksum(crossed)) == "values moved between rows"
