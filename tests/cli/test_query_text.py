"""Judging a query before it runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.query_text import TableName, understand


def _names(query: str) -> set[str]:
    return {str(table) for table in understand(query).tables}


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("select * from a", {"a"}),
        ("from a select x", {"a"}),
        ("table a", {"a"}),
        ("select * from a join B.c using (x), (from d)", {"a", "b.c", "d"}),
        ("select (select max(x) from a) where exists (from b) and 1 in (select x from c)", {"a", "b", "c"}),
        ("with x as (from a), y as (from x) from y", {"a", "x", "y"}),
        (
            "with recursive x as (select 1 as n union all select n + 1 from x where n < 3) from x, a",
            {"x", "a"},
        ),
        ("from a union all from b except from c intersect from d", {"a", "b", "c", "d"}),
        ("describe a", {"a"}),
        ("summarize s.a", {"s.a"}),
        ("explain select * from a", {"a"}),
        ("EXPLAIN ANALYZE\n-- why\nfrom a", {"a"}),
        ("explain (select 1 from a)", {"a"}),
        ("select * from a, lateral (select * from b where b.x = a.x), unnest(a.y), range(3)", {"a", "b"}),
        ("select row_number() over w from a window w as (order by (select 1 from b))", {"a", "b"}),
        ("values (1), ((select 1 from a))", {"a"}),
        ("select 1;", set()),
        ("select ';', '-- insert' /* delete from x; */", set()),
    ],
)
def test_the_tables_that_a_query_names_are_found(query: str, tables: set[str]) -> None:
    assert _names(query) == tables


def test_show_tables_is_told_apart_from_a_table_of_that_name() -> None:
    assert understand("show tables").lists_tables
    assert understand("show all tables").lists_tables
    assert understand("SHOW TABLES FROM Shop_Test").listed_schema == "shop_test"
    assert not understand("from tables").lists_tables
    assert understand("show sessions").tables == {TableName(None, "sessions")}


@pytest.mark.parametrize("query", ["show databases", "select * from (show tables)", "show schemas"])
def test_other_show_statements_are_refused(query: str) -> None:
    with pytest.raises(BlotoutError, match="SHOW TABLES"):
        understand(query)


def test_a_syntax_error_shows_its_place() -> None:
    with pytest.raises(BlotoutError, match=r"syntax error|Parser Error"):
        understand("select from where")


_WORDS = st.sampled_from(
    [
        "select",
        "insert",
        "into",
        "update",
        "delete",
        "from",
        "where",
        "with",
        "as",
        "explain",
        "analyze",
        "describe",
        "show",
        "summarize",
        "tables",
        "copy",
        "to",
        "(",
        ")",
        ",",
        ";",
        "*",
        "1",
        "'x'",
        "a",
        "b.c",
        "values",
        "union",
        "all",
        "returning",
        "read_csv",
        "unnest",
        "set",
        "attach",
    ]
)


@hypothesis_settings(deadline=None)
@given(st.lists(_WORDS, max_size=12).map(" ".join))
def test_any_words_are_understood_or_refused_with_a_message(query: str) -> None:
    try:
        understood = understand(query).text
    except BlotoutError as error:
        understood = str(error) and query
    assert understood == query
