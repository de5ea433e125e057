"""`blotout sql` on Trino and Athena: the query runs there, over lake and reports, and can do nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from blotout_orchestration.platform.query_text import QueryError
from blotout_orchestration.platform.server_queries import judge
from blotout_orchestration.settings import Settings
from tests.analytics.services import AthenaService, Service, TrinoService, serving


@pytest.fixture(params=["trino", "athena"])
def server(
    request: pytest.FixtureRequest, store: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """The store's warehouse behind a service, as the environment's ground."""
    path = store.published_path.rename(store.published_path.with_name("warehouse.duckdb"))
    kinds: dict[str, type[Service]] = {"trino": TrinoService, "athena": AthenaService}
    service = kinds[request.param](path, "shop_test")
    with serving(service) as address:
        monkeypatch.setenv("WAREHOUSE", request.param)
        monkeypatch.setenv("TRINO_URI", f"http://dbt@{address}/iceberg")
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", f"http://{address}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield service
    service.close()


def _rows(blotout: Any, query: str) -> list[dict[str, Any]]:
    result = blotout("sql", query, "--format", "json")
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout, parse_float=Decimal)
    return found


def test_a_query_runs_on_the_server_as_it_is_written(blotout: Any, server: Service) -> None:
    query = "select session, revenue, (revenue > 1) as good, max(event_id) as e from sessions, shop_test.core_events group by 1, 2 ;"
    assert _rows(blotout, query) == [
        {"session": 1, "revenue": Decimal("9.9900"), "good": True, "e": "from the warehouse"}
    ]
    assert server.asked == [query.removesuffix(" ;")]


def test_a_type_that_needs_text_elsewhere_is_shown(blotout: Any, server: Service) -> None:
    (row,) = _rows(blotout, "select timestamp '2026-03-05 17:30:00' as at, array['a'] as names")
    assert "2026-03-05" in str(row["at"])
    assert "a" in str(row["names"])


def test_many_rows_come_in_pages_and_as_csv(blotout: Any, server: Service) -> None:
    query = "with n as (select x from unnest(sequence(1, 8)) as t(x)) select x from n order by x desc"
    assert blotout("sql", query, "--format", "csv").stdout.split() == ["x", *map(str, range(8, 0, -1))]


def test_tables_are_listed_and_described(blotout: Any, server: Service) -> None:
    listed = [
        {"schema": "shop_test", "table": "big", "kind": "view"},
        {"schema": "shop_test", "table": "core_events", "kind": "table"},
        {"schema": "shop_test", "table": "sessions", "kind": "table"},
    ]
    assert _rows(blotout, "show tables") == _rows(blotout, "SHOW TABLES FROM Shop_Test;") == listed
    assert {"schema": "lake", "table": "id_graph", "kind": "view"} in _rows(blotout, "show all tables")
    for query in ("describe sessions", 'DESC shop_test."SESSIONS"'):
        assert [row["column_name"] for row in _rows(blotout, query)] == ["session", "revenue"]
    assert "there is no table nothing; SHOW TABLES" in blotout("sql", "describe nothing").stderr


def test_what_is_not_there_is_told_and_what_writes_is_not_sent(blotout: Any, server: Service) -> None:
    result = blotout("sql", "select * from view_users")
    assert result.exit_code == 1
    assert "a table is not built yet" in result.stderr
    assert "view_users" in result.stderr
    asked = len(server.asked)
    result = blotout("sql", "delete from sessions")
    assert result.exit_code == 2
    assert "only reads" in result.stderr
    assert len(server.asked) == asked


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "with a as (select 1 as x) select * from a",
        "(select 1) union all select 2",
        "values (1, 2)",
        "select * from shop_test.a cross join unnest(b) as t(c)",
        'select * from "sessions$snapshots"',
        "select ';', '-- insert' /* delete from x; */",
    ],
)
def test_a_query_over_tables_is_taken(text: str) -> None:
    judge(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("insert into a select 1", "only reads"),
        ("INSERT INTO a SELECT 1", "found INSERT"),
        ("create table a as select 1", "only reads"),
        ("/* select */ drop table a", "only reads"),
        ("explain analyze insert into a select 1", "only reads"),
        ("call system.flush()", "only reads"),
        ("unload (select 1) to 's3://x'", "only reads"),
        ("set session x = 1", "only reads"),
        ("execute a", "only reads"),
        ("", "found nothing"),
        ("select 1; select 2", "2 statements"),
        ("select 1; drop table a", "2 statements"),
        ("select * from other.shop_test.a", "not other.shop_test.a"),
        ("select (select max(x) from other.s.b) from a", "not other.s.b"),
        ("select * from table(iceberg.system.query(query => 'drop table x'))", "table functions"),
        ("with a as (select * from table(sequence(1, 2))) select * from a", "table functions"),
        ("select * from", "not Trino's SQL"),
        ("select 'a", "not Trino's SQL"),
    ],
)
def test_whatever_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        judge(text)
