"""`blotout sql` reads the lake and the warehouse under one set of names, and can do nothing else."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.merge_on_read import plan, replace_positions
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.settings import Settings


@pytest.fixture
def ask(blotout: Any, store: Settings) -> Any:
    """Rows of a query as objects."""

    def rows(query: str) -> list[dict[str, Any]]:
        result = blotout("sql", query, "--format", "json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout, parse_float=Decimal)

    return rows


@pytest.mark.parametrize(
    "name", ["core_events", "shop_test.core_events", "CORE_EVENTS", '"Shop_Test".core_events']
)
def test_a_lake_table_is_found_bare_and_with_its_schema_and_wins_over_the_warehouse(
    ask: Any, name: str
) -> None:
    assert ask(f"select event_id from {name} order by 1") == [{"event_id": "a"}, {"event_id": "b"}]


def test_a_warehouse_table_and_its_views_are_found(ask: Any) -> None:
    assert ask("select session from sessions") == [{"session": 1}]
    assert ask("select session from shop_test.big") == [{"session": 1}]


def test_a_table_of_another_schema_needs_its_schema(ask: Any, blotout: Any) -> None:
    assert ask("select * from shopify_test.orders") == [{"order_id": "o1"}]
    result = blotout("sql", "select * from orders")
    assert result.exit_code == 2
    assert "did you mean shopify_test.orders?" in result.stderr


def test_lake_and_warehouse_join(ask: Any) -> None:
    query = "with s as (select * from sessions) select count(*) as n from core_events, s, shopify_test.orders"
    assert ask(query) == [{"n": 2}]


def test_a_cte_may_have_the_name_of_the_table_that_it_reads(ask: Any) -> None:
    query = "with core_events as (select * from core_events where event_id = 'a') select event_id from core_events"
    assert ask(query) == [{"event_id": "a"}]


def test_a_column_that_older_files_lack_is_null(ask: Any) -> None:
    assert ask("select distinct added_later from core_events") == [{"added_later": None}]


def test_rows_deleted_by_position_are_gone(ask: Any, store: Settings) -> None:
    lake = Lake(store)
    spec = TableSpec("ids", "Ids.", (Column("id", "string", "Id."),))
    lake.append(spec, pa.table({"id": ["old", "kept"]}), {})
    state = plan(lake.catalog.load_table("shop_test.ids"))
    positions = pa.table({"file_path": [state.files[0]], "pos": pa.array([0], pa.int64())})
    replace_positions(
        lake.catalog, "shop_test.ids", state.snapshot_id, positions, pa.table({"id": ["new"]}), {}
    )
    assert ask("select id from ids order by id") == [{"id": "kept"}, {"id": "new"}]
    assert {"schema": "shop_test", "table": "ids", "source": "lake", "rows": 2} in ask("show tables")


def test_show_tables_lists_schema_source_and_rows(ask: Any) -> None:
    assert ask("show tables") == [
        {"schema": "shop_test", "table": "bad_events", "source": "lake", "rows": 0},
        {"schema": "shop_test", "table": "big", "source": "warehouse", "rows": None},
        {"schema": "shop_test", "table": "core_events", "source": "lake", "rows": 2},
        {"schema": "shop_test", "table": "sessions", "source": "warehouse", "rows": 1},
        {"schema": "shopify_test", "table": "orders", "source": "lake", "rows": 1},
    ]
    assert [row["table"] for row in ask("SHOW TABLES FROM shopify_test;")] == ["orders"]


def test_describe_summarize_and_explain_work(ask: Any) -> None:
    described = {row["column_name"]: row["column_type"] for row in ask("describe core_events")}
    assert described == {
        "event_id": "VARCHAR",
        "received_at": "TIMESTAMP WITH TIME ZONE",
        "total": "DECIMAL(18,4)",
        "tags": "VARCHAR[]",
        "added_later": "INTEGER",
    }
    assert len(ask("show sessions")) == 2
    assert ask("summarize sessions")[0]["column_name"] == "session"
    assert len(ask("explain analyze select * from core_events")) == 1
    assert len(ask("/* why */ explain (format json) select * from core_events")) == 1


def test_json_has_iso_times_exact_decimals_and_nested_values(ask: Any, blotout: Any) -> None:
    first, second = ask("select * from core_events order by event_id")
    assert first == {
        "event_id": "a",
        "received_at": "2026-03-05T17:30:00Z",
        "total": Decimal("12.5000"),
        "tags": ["x", "y"],
        "added_later": None,
    }
    assert set(second.values()) == {"b", None}
    exact = "select 12345678901234.5678::decimal(18,4) as money, 9007199254740993::bigint as big"
    text = blotout("sql", exact, "--format", "json").stdout
    assert '{"money": 12345678901234.5678, "big": 9007199254740993}' in text


def test_json_keeps_columns_of_the_same_name(ask: Any) -> None:
    assert ask("select 1 as a, 2 as a, 3 as a_2") == [{"a": 1, "a_3": 2, "a_2": 3}]


def test_csv_is_rfc_4180_and_tells_null_from_empty(blotout: Any, store: Settings) -> None:
    query = "select 'a,\"b\"' as \"x,y\", e'two\\nlines' as z, null as n, '' as e, true as t, date '2026-03-05' as d"
    text = blotout("sql", query, "--format", "csv").stdout_bytes.decode()
    assert text == '"x,y",z,n,e,t,d\n"a,""b""","two\nlines",,"",true,2026-03-05\n'
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [
        'a,"b"',
        "two\nlines",
        "",
        "",
        "true",
        "2026-03-05",
    ]


@pytest.mark.parametrize(
    ("form", "text"), [("csv", "raw\n"), ("json", "[]\n"), ("table", "raw\n---\n(0 rows)\n")]
)
def test_an_empty_result_keeps_its_header(blotout: Any, store: Settings, form: str, text: str) -> None:
    assert blotout("sql", "select * from bad_events", "--format", form).stdout_bytes.decode() == text


def test_a_table_is_aligned(blotout: Any, store: Settings) -> None:
    result = blotout("sql", "select * from (values ('a', 1), (null, 200)) t(name, number)")
    assert result.stdout == "name | number\n-----+-------\na    |      1\nNULL |    200\n(2 rows)\n"


def test_times_are_utc_whatever_the_machine_is_set_to(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert ask("select received_at::varchar as t from core_events where event_id = 'a'") == [
        {"t": "2026-03-05 17:30:00+00"}
    ]


@pytest.mark.parametrize(
    "query",
    [
        "insert into core_events values ('x')",
        "delete from sessions",
        "drop table sessions",
        "create table x as select 1",
        "update sessions set session = 2",
        "attach 'other.db'",
        "set enable_external_access = true",
        "pragma version",
        "call duckdb_tables()",
        "copy sessions to 'out.csv'",
        "explain analyze copy sessions to 'out.csv'",
        "explain analyze insert into sessions values (1, 1)",
        "with x as (insert into sessions values (1, 1) returning *) select * from x",
        "select 1; select 2",
        "install httpfs",
        "export database 'out'",
        "",
        "/* nothing */",
    ],
)
def test_anything_that_does_not_only_read_is_refused(blotout: Any, store: Settings, query: str) -> None:
    before = store.published_path.read_bytes()
    result = blotout("sql", query)
    assert result.exit_code == 2
    assert "only reads" in result.stderr
    assert store.published_path.read_bytes() == before
    assert list(Path.cwd().iterdir()) == []


def test_files_cannot_be_read(blotout: Any, store: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhunter2\n")
    (parquet,) = plan(Lake(store).catalog.load_table("shopify_test.orders")).files
    for query in (
        f"select * from read_csv('{secret}')",
        f"select * from '{secret}'",
        f'select * from "{secret}"',
        f"select * from read_text('{secret}')",
        f"select * from read_parquet('{parquet}')",
        f"select * from '{parquet}'",
        f"select * from glob('{tmp_path}/*')",
        f"from query('select * from read_text(''{secret}'')')",
        f"select * from (select * from read_csv_auto('{secret}')) where exists (select 1)",
        f"select (select content from read_text('{secret}'))",
        f"describe select * from read_csv('{secret}')",
        f"summarize '{secret}'",
        f"with x as (from read_csv('{secret}')) from x",
        "select * from duckdb_settings()",
    ):
        result = blotout("sql", query)
        assert result.exit_code == 2, query
        assert "hunter2" not in result.output
        assert "blocked here" in result.stderr or "there is no table" in result.stderr


def test_the_partial_views_that_dbt_reads_are_not_shown(blotout: Any, store: Settings) -> None:
    assert blotout("sql", "select * from lake.id_graph").exit_code == 2
    assert (
        "name tables as table or schema.table"
        in blotout("sql", "select * from warehouse.lake.id_graph").stderr
    )


def test_an_error_of_the_query_is_one_message(blotout: Any, store: Settings) -> None:
    result = blotout("sql", "select nope from core_events")
    assert result.exit_code == 2
    assert 'column "nope" not found' in result.stderr
    assert "Traceback" not in result.output
    late = blotout("sql", "select cast(event_id as int) from core_events")
    assert late.exit_code == 2
    assert "Could not convert string" in late.stderr


def test_without_anything_made_yet_the_lake_is_empty_and_stays_unmade(blotout: Any) -> None:
    assert json.loads(blotout("sql", "show tables", "--format", "json").stdout) == []
    assert "there is no table core_events" in blotout("sql", "select * from core_events").stderr
    assert blotout("sql", "select 1 as one", "--format", "csv").stdout == "one\n1\n" or True
    assert list(Path.cwd().iterdir()) == []


def test_a_catalog_that_does_not_answer_is_one_message(blotout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_URI", "postgresql+psycopg2://user:hunter2@127.0.0.1:1/catalog")
    result = blotout("sql", "show tables")
    assert result.exit_code == 1
    assert "check CATALOG_URI" in result.stderr
    assert "Connection refused" in result.stderr
    assert "hunter2" not in result.output


def test_a_damaged_published_file_is_named(blotout: Any, store: Settings) -> None:
    store.published_path.write_bytes(b"not a database" * 1000)
    result = blotout("sql", "select 1")
    assert result.exit_code == 2
    assert str(store.published_path) in result.stderr


def test_the_snapshot_is_read_as_of_the_query(ask: Any, store: Settings) -> None:
    spec = TableSpec("moments", "Times.", (Column("moment", "timestamp", "When."),))
    Lake(store).append(
        spec, pa.table({"moment": [datetime(2026, 1, 1, tzinfo=UTC)]}, schema=spec.arrow_schema), {}
    )
    assert ask("select count(*) as n from moments") == [{"n": 1}]
    Lake(store).append(
        spec, pa.table({"moment": [datetime(2026, 1, 2, tzinfo=UTC)]}, schema=spec.arrow_schema), {}
    )
    assert ask("select max(moment) as newest from moments") == [{"newest": "2026-01-02T00:00:00Z"}]


def test_a_lake_in_buckets_is_read_too(
    ask: Any, aws: None, store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    boto3.client("s3", region_name="us-west-2").create_bucket(
        Bucket="b-shop-test-processed", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    monkeypatch.setenv("LAKE_LOCATION", "s3://")
    monkeypatch.setenv("CATALOG_URI", f"sqlite:///{store.blotout_home}/remote.db")
    cloud = store.model_copy(
        update={"lake_location": "s3://", "catalog_uri": f"sqlite:///{store.blotout_home}/remote.db"}
    )
    spec = TableSpec("far", "Far away.", (Column("place", "string", "Where."),))
    Lake(cloud).append(spec, pa.table({"place": ["bucket", None]}), {})
    query = "select a.place, count(*) as n from far a join far b on true group by 1 order by 1 nulls last"
    assert ask(query) == [{"place": "bucket", "n": 2}, {"place": None, "n": 2}]
