"""A real Postgres as a source: every row once, whatever happens to the table in between."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from blotout_orchestration.elt.run import LoadError
from blotout_orchestration.lake import Lake
from tests.elt.conftest import Database, Load, incremental, only, pipeline, stream, table

CREATE = (
    "create table customers (id bigint primary key, name text, spent numeric(10,2), updated_at timestamptz,"
    " deleted_at timestamptz)"
)
FILL = (
    "insert into customers select n, 'name ' || n, n / 4.0, timestamptz '2026-01-01' + n * interval '1 minute'"
    " from generate_series(1, {}) n"
)


def test_a_full_refresh_is_a_copy_of_the_table_with_the_time_of_the_load(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, FILL.format(1000))
    made = pipeline("postgres", database.connection, stream("customers"))
    first = only(load(made))
    assert (first.rows_read, first.rows_added, first.rows_in_table) == (1000, 1000, 1000)
    assert table(lake, "customers", "id", "name", "spent", "updated_at")[1] == (
        2,
        "name 2",
        Decimal("0.50"),
        datetime(2026, 1, 1, 0, 2, tzinfo=UTC),
    )
    today = {row[0] for row in table(lake, "customers", "etl_run_date", "etl_run_datetime")}
    assert today == {datetime.now(UTC).date()}
    database.run("delete from customers where id <= 10", "update customers set name = 'new' where id = 11")
    second = only(load(made))
    assert (second.rows_replaced, second.rows_in_table) == (1000, 990)
    assert table(lake, "customers", "id", "name")[0] == (11, "new")


def test_an_incremental_stream_reads_what_changed_and_finds_the_primary_key_itself(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, FILL.format(1000))
    made = pipeline("postgres", database.connection, incremental("customers", "updated_at"))
    assert only(load(made)).cursor_after == "2026-01-01T16:40:00+00:00"
    database.run(
        "update customers set spent = 9, updated_at = '2026-02-01' where id = 7",
        FILL.format(1000).replace("n, 'name", "n + 1000, 'name").replace("2026-01-01'", "2026-02-02'"),
    )
    report = only(load(made))
    assert report.rows_added == 1001
    assert report.rows_replaced == 1
    rows = table(lake, "customers", "id", "spent")
    assert len(rows) == 2000
    assert rows[6] == (7, Decimal("9.00"))
    again = only(load(made))
    assert (again.rows_added, again.rows_in_table) == (0, 2000)


def test_rows_that_were_committed_late_are_found_within_the_lag(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, FILL.format(100))
    made = pipeline("postgres", database.connection, incremental("customers", "updated_at"), lag_seconds=3600)
    load(made)
    database.run("insert into customers values (500, 'late', 1, timestamptz '2026-01-01 01:00')")
    report = only(load(made))
    assert report.rows_added == 1
    assert report.rows_unchanged == 61
    assert len(table(lake, "customers", "id")) == 101


def test_rows_flagged_as_deleted_leave_the_table(database: Database, lake: Lake, load: Load) -> None:
    database.run(CREATE, FILL.format(100))
    made = pipeline(
        "postgres",
        database.connection,
        incremental("customers", "updated_at", options={"deleted_column": "deleted_at"}),
    )
    load(made)
    database.run("update customers set deleted_at = '2026-03-01', updated_at = '2026-03-01' where id <= 3")
    report = only(load(made))
    assert (report.rows_deleted, report.rows_added, report.rows_in_table) == (3, 0, 97)
    assert table(lake, "customers", "id")[0] == (4,)


def test_columns_that_are_added_renamed_and_retyped_change_the_table_and_lose_nothing(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, FILL.format(3))
    made = pipeline("postgres", database.connection, incremental("customers", "updated_at"))
    load(made)
    database.run(
        'alter table customers add column "loyaltyTier" text',
        "alter table customers rename column name to full_name",
        "alter table customers alter column spent type text using spent::text",
        "alter table customers alter column id type numeric(20,0)",
        "insert into customers values (4, 'Dora', 'plenty', '2026-02-01', null, 'gold')",
        "insert into customers values (5, 'Emil', '12.50', '2026-02-01', null, null)",
    )
    report = only(load(made))
    assert set(report.new_columns) == {"spent_v_string", "full_name", "loyalty_tier"}
    assert report.missing_columns == ("name",)
    rows = table(lake, "customers", "id", "name", "full_name", "spent", "spent_v_string", "loyalty_tier")
    assert rows[0] == (1, "name 1", None, Decimal("0.25"), None, None)
    assert rows[3] == (4, None, "Dora", None, "plenty", "gold")
    assert rows[4] == (5, None, "Emil", Decimal("12.50"), None, None)


def test_a_wider_number_widens_its_column(database: Database, lake: Lake, load: Load) -> None:
    database.run(CREATE, FILL.format(3))
    made = pipeline("postgres", database.connection, incremental("customers", "updated_at"))
    load(made)
    database.run(
        "alter table customers alter column spent type numeric(14,2)",
        "insert into customers values (4, 'D', 123456789012.34, '2026-02-01')",
    )
    report = only(load(made))
    assert report.widened_columns == ("spent",)
    assert table(lake, "customers", "id", "spent") == [
        (1, Decimal("0.25")),
        (2, Decimal("0.50")),
        (3, Decimal("0.75")),
        (4, Decimal("123456789012.34")),
    ]


@pytest.mark.parametrize(
    ("contract", "ids", "discarded"),
    [("discard_row", [1, 2, 3, 6], (2, 0)), ("discard_value", [1, 2, 3, 4, 5, 6], (0, 2))],
)
def test_a_contract_that_discards_says_how_much(
    database: Database, lake: Lake, load: Load, contract: str, ids: list[int], discarded: tuple[int, int]
) -> None:
    database.run(CREATE, FILL.format(3))
    made = pipeline(
        "postgres",
        database.connection,
        incremental("customers", "updated_at", options={"contract": contract}),
    )
    load(made)
    database.run(
        "alter table customers add column extra text",
        "alter table customers alter column spent type text using spent::text",
        "insert into customers values (4, 'D', '1', '2026-02-01', null, 'more')",
        "insert into customers values (5, 'E', 'much', '2026-02-01', null, null)",
        "insert into customers values (6, 'F', '2', '2026-02-01', null, null)",
    )
    report = only(load(made))
    assert (report.rows_discarded, report.values_discarded) == discarded
    assert report.new_columns == ()
    assert [row[0] for row in table(lake, "customers", "id")] == ids


def test_a_frozen_contract_refuses_the_load_names_every_reason_and_keeps_the_state(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, FILL.format(3))
    made = pipeline(
        "postgres", database.connection, incremental("customers", "updated_at"), schema_contract="freeze"
    )
    load(made)
    database.run(
        "alter table customers add column extra text",
        "alter table customers alter column spent type text using spent::text",
        "insert into customers values (4, 'D', 'much', '2026-02-01', null, 'more')",
    )
    with pytest.raises(LoadError) as refused:
        load(made)
    message = str(refused.value)
    assert "column extra is new" in message
    assert "column spent is decimal; string values that are none came (1 rows)" in message
    assert "much" not in message
    assert len(table(lake, "customers", "id")) == 3
    database.run("update customers set spent = '7'", "alter table customers drop column extra")
    assert only(load(made)).rows_added == 2
    assert table(lake, "customers", "id", "spent")[3] == (4, Decimal("7.00"))


def test_a_backfill_reads_again_from_a_date_without_moving_the_cursor_back(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, FILL.format(100))
    made = pipeline("postgres", database.connection, incremental("customers", "updated_at"))
    load(made)
    database.run("update customers set name = 'silently changed'")
    report = only(load(made, backfill_from=datetime(2026, 1, 1, 1, 31, tzinfo=UTC)))
    assert (report.rows_read, report.rows_replaced, report.rows_in_table) == (10, 10, 100)
    names = table(lake, "customers", "id", "name")
    assert [name for _, name in names].count("silently changed") == 10
    assert report.cursor_after == "2026-01-01T01:40:00+00:00"


def test_an_appended_stream_without_a_key_takes_each_row_once_and_can_be_backfilled(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run("create table visits (seen date, page text)")
    database.run("insert into visits values ('2026-01-01', 'a'), ('2026-01-02', 'b'), ('2026-01-02', 'b')")
    made = pipeline("postgres", database.connection, incremental("visits", "seen"))
    assert only(load(made)).rows_added == 3
    assert only(load(made)).rows_added == 0
    database.run("insert into visits values ('2026-01-02', 'c'), ('2026-01-03', 'd')")
    assert only(load(made)).rows_added == 2
    report = only(load(made, backfill_from=datetime(2026, 1, 2, tzinfo=UTC)))
    assert (report.rows_added, report.rows_replaced, report.rows_in_table) == (4, 4, 5)
    assert table(lake, "visits", "page", "seen")[0] == ("a", date(2026, 1, 1))


def test_without_streams_every_table_of_the_schema_is_loaded(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run("create table one (a int)", "create table two (b int)", "insert into one values (1)")
    report = load(pipeline("postgres", database.connection))
    assert {found.stream: found.rows_in_table for found in report.streams} == {"one": 1, "two": 0}


def test_a_stream_that_fails_holds_up_no_other_and_the_run_is_red(
    database: Database, lake: Lake, load: Load
) -> None:
    database.run(CREATE, FILL.format(3), "create table broken (id int primary key)")
    made = pipeline(
        "postgres",
        database.connection,
        incremental("broken", "no_such_column"),
        stream("nowhere"),
        stream("customers"),
    )
    with pytest.raises(LoadError, match="2 of 3 streams of pipeline shop failed") as failed:
        load(made)
    assert "no_such_column" in str(failed.value)
    assert "nowhere" in str(failed.value)
    assert len(table(lake, "customers", "id")) == 3


def test_the_password_is_in_no_message(
    database: Database, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "s3cret-of-the-shop")
    connection = {**database.connection, "host": "127.0.0.1", "port": 1, "password": "env:SHOP_PASSWORD"}
    with pytest.raises(Exception, match="refused") as failed:
        load(pipeline("postgres", connection, stream("customers")))
    assert "s3cret" not in str(failed.value)


def test_every_type_of_postgres_arrives_as_what_it_means(database: Database, lake: Lake, load: Load) -> None:
    database.run(
        "create table kinds (id int primary key, b boolean, r real, d date, t timestamp, z timestamptz, j jsonb,"
        " a int[], u uuid, m time, n numeric, y bytea, e text)",
        "insert into kinds values (1, true, 1.5, '2026-01-02', '2026-01-02 03:04', '2026-01-02 03:04+02',"
        """ '{"k": [1]}', '{1,2}', '00000000-0000-0000-0000-000000000001', '10:11', 1.25, '\\x0102', null)""",
        "insert into kinds (id) values (2)",
    )
    load(pipeline("postgres", database.connection, stream("kinds")))
    row = table(lake, "kinds", "id", "b", "r", "d", "t", "z", "j", "a", "u", "m", "n", "y")[0]
    assert row[1:4] == (True, 1.5, date(2026, 1, 2))
    assert row[4] == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert row[5] == datetime(2026, 1, 2, 1, 4, tzinfo=UTC)
    assert row[6].replace(" ", "") == '{"k":[1]}'
    assert row[7].replace(" ", "") == "[1,2]"
    assert row[8] == "00000000-0000-0000-0000-000000000001"
    assert row[9].startswith("10:11")
    assert row[10] == Decimal("1.25")
    assert row[11] == b"\x01\x02"
