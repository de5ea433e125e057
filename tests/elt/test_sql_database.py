"""Any SQL database by its driver: here SQLite, with names that only a database could love."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy

from blotout_orchestration.lake import Lake
from tests.elt.conftest import Load, incremental, only, pipeline, stream, table


def test_names_that_meet_in_snake_case_stay_apart_and_the_loaders_own_are_left_alone(
    tmp_path: Path, lake: Lake, load: Load
) -> None:
    path = tmp_path / "shop.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            'create table "Order Lines" ("orderID" integer primary key, "order_id" integer, "Größe" text,'
            ' "etl_run_date" text, "changedAt" timestamp)'
        )
        connection.exec_driver_sql(
            "insert into \"Order Lines\" values (1, 10, 'XL', 'theirs', '2026-01-01 00:00:00.000000')"
        )
    made = pipeline(
        "sql_database",
        {"driver": "sqlite", "database": str(path)},
        incremental("Order Lines", "changedAt", primaryKey=[["orderID"]]),
    )
    report = only(load(made))
    assert report.table == "order_lines"
    beside = next(name for name in report.new_columns if name.startswith("order_id_"))
    columns = ("order_id", beside, "gro_e", "source_etl_run_date", "changed_at")
    (row,) = table(lake, "order_lines", *columns)
    assert row[:4] == (10, 1, "XL", "theirs")
    with engine.begin() as connection:
        connection.exec_driver_sql('update "Order Lines" set "order_id" = 11')
    again = only(load(made))
    assert (again.rows_added, again.rows_replaced, again.rows_in_table) == (1, 1, 1)


def test_a_column_keeps_its_name_when_another_comes_that_would_have_had_it(
    tmp_path: Path, lake: Lake, load: Load
) -> None:
    path = tmp_path / "shop.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql('create table t ("userID" integer primary key, v text)')
        connection.exec_driver_sql("insert into t values (1, 'a')")
    made = pipeline("sql_database", {"driver": "sqlite", "database": str(path)}, stream("t"))
    load(made)
    with engine.begin() as connection:
        connection.exec_driver_sql('alter table t add column "user_id" text')
        connection.exec_driver_sql("update t set user_id = 'other'")
    report = only(load(made))
    (beside,) = report.new_columns
    assert beside.startswith("user_id_")
    assert table(lake, "t", "user_id", beside) == [(1, "other")]
