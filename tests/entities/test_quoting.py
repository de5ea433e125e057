"""Whatever a value holds, it stays a value; and every query is one statement in both dialects."""

from __future__ import annotations

from typing import Any

import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from blotout_orchestration.entities.definitions import SegmentDefinition
from blotout_orchestration.entities.funnel_sql import compile_funnel
from blotout_orchestration.entities.predefined import predefined_definitions
from blotout_orchestration.entities.segment_sql import compile_segment
from tests.entities import warehouse as made

ATTACKS = (
    "'; drop table shop_test.view_users; --",
    "' or '1'='1",
    "\\'; select 1; --",
    "'' union select 1 --",
    '"; delete from x; --',
    "$$ || pg_sleep(9) || $$",
    "/* x */ -- y\n",
    "{{ jinja }} ${shell} %(param)s :name ? $1",
    "\u2019\uff07 ʼ",
    "E'\\x41'",
    "x' escape '!",
)
texts = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=30),
    st.text(alphabet="'\"\\%_;-ab", min_size=1, max_size=12),
)


def _literals(query: str, dialect: str) -> set[str]:
    statements = sqlglot.parse(query, dialect=dialect)
    assert len(statements) == 1
    (statement,) = statements
    assert isinstance(statement, exp.Select)
    assert not list(statement.find_all(exp.Drop, exp.Delete, exp.Insert, exp.Command, exp.Union))
    return {literal.this for literal in statement.find_all(exp.Literal) if literal.is_string}


@given(texts)
@example("'; drop table shop_test.view_users; --")
@settings(max_examples=70, deadline=None)
def test_a_value_finds_exactly_the_person_who_has_it(text):
    people: list[dict[str, Any]] = [
        {"global_user_id": "same", "last_country": text, "emails": [text]},
        {"global_user_id": "other", "last_country": "§", "emails": ["§"]},
    ]
    with made.warehouse(people) as connection:
        for operator in ("EQUAL", "STARTS_WITH", "END_WITH", "CONTAINS"):
            for column in ("last_country", "emails"):
                condition = {"profile": column, "operator": operator, "value": text}
                found = made.members(connection, condition)
                assert found == ({"same", "other"} if text == "§" else {"same"}), (operator, column)
        assert len(connection.execute(f"select * from {made.SCHEMA}.view_users").fetchall()) == 2


@given(texts)
@settings(max_examples=60, deadline=None)
def test_a_value_is_one_literal_in_both_dialects(text):
    condition = {"all": [
        {"profile": "last_country", "operator": "EQUAL", "value": text},
        {"event": ["one", f"<{text}>"], "where": {"property": "item_sku", "operator": "IN", "values": [text, "two"]}},
    ]}  # fmt: skip
    query = compile_segment(made.segment(condition), made.columns(), made.AS_OF)
    for dialect in ("duckdb", "trino"):
        assert _literals(query.sql(dialect), dialect) >= {text, "two", f"<{text}>".strip()}
    steps = [{"step": "a", "event": f"<{text}>"}, {"step": "b", "event": "b"}]
    funnel = compile_funnel(made.funnel(steps), made.columns(), made.AS_OF)
    for dialect in ("duckdb", "trino"):
        assert _literals_of_unions(funnel.sql(dialect), dialect) >= {f"<{text}>".strip(), "b"}


def _literals_of_unions(query: str, dialect: str) -> set[str]:
    (statement,) = sqlglot.parse(query, dialect=dialect)
    assert statement is not None
    assert not list(statement.find_all(exp.Drop, exp.Delete, exp.Insert, exp.Command))
    return {literal.this for literal in statement.find_all(exp.Literal) if literal.is_string}


FUNNELS: list[dict[str, Any]] = [
    {"order": order, "per": per, **more}
    for order in ("ordered", "strict", "any_order")
    for per in ("person", "session")
    for more in ({}, {"period": "30 days"})
] + [
    {"exclude": [{"event": "refund", "after": 1, "before": 3}]},
    {"same": "item_sku"},
    {"order": "strict", "interrupted_by": ["home"]},
]


@pytest.mark.parametrize("options", FUNNELS, ids=str)
def test_every_funnel_is_a_query_of_trino_that_reads_back_unchanged(options):
    steps = [
        "view",
        {"step": "cart", "where": {"property": "item_price", "operator": "GREATER_THAN", "value": 1}},
        "buy",
    ]
    query = compile_funnel(made.funnel(steps, **options), made.columns(), made.AS_OF).sql("trino")
    parsed = sqlglot.parse_one(query, dialect="trino")
    assert parsed.sql("trino") == query
    assert {table.name for table in parsed.find_all(exp.Table) if table.db} == {"unified_events"}


def test_every_kind_of_condition_is_a_query_of_trino_that_reads_back_unchanged():
    compared = [
        ("last_country", "NOT_LIKE", {"value": "a\\_%"}), ("emails", "NOT_CONTAINS", {"values": ["a", "b"]}),
        ("orders", "IN", {"values": [1, 2]}), ("revenue", "GREATER_THAN", {"value": 1.5}),
        ("birth_date", "EQUAL", {"value": "1990-01-01"}), ("accepts_marketing", "EQUAL", {"value": True}),
        ("last_order_at", "LESS_THAN", {"value": "2026-03-01"}), ("emails", "IS_NOT_SET", {}),
    ]  # fmt: skip
    profile = [{"profile": column, "operator": operator, **value} for column, operator, value in compared]
    deeds = [
        {"event": "a", "within": "3 days", "after_profile": "last_order_at"},
        {"recency": "birth_date", "within": "9 weeks"},
    ]
    query = compile_segment(made.segment({"any": [*profile, *deeds]}), made.columns(), made.AS_OF).sql(
        "trino"
    )
    assert sqlglot.parse_one(query, dialect="trino").sql("trino") == query
    assert "LAMBDA" not in query


def test_the_predefined_definitions_are_queries_of_both_dialects():
    more = {"first_order_at": "timestamp", "net_revenue": "decimal(18,4)", "is_transaction": "boolean"}
    rows = [("view_users", *item) for item in (made.USERS | more).items()]
    rows += [("unified_events", *item) for item in (made.EVENTS | more).items()]
    columns = made.Columns.read(made.SCHEMA, rows)
    for definition in predefined_definitions():
        make = compile_segment if isinstance(definition, SegmentDefinition) else compile_funnel
        query = make(definition, columns, made.AS_OF)  # type: ignore[arg-type]
        for dialect in ("duckdb", "trino"):
            assert sqlglot.parse_one(query.sql(dialect), dialect=dialect).sql(dialect) == query.sql(dialect)
