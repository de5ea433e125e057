"""The models in the dialect of Trino and Athena: their grammar accepts every statement that dbt would send.

What it proves: the dispatch macros choose the right forms, in queries and in the deletes that go before them,
and sqlglot's parser reads the result, with no function left that only DuckDB knows. docs/grounds.md says what
was run on a Trino server.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from blotout_orchestration.analytics.source_columns import SOURCES
from tests.dbt.offline import Rendered, rendered

DUCKDB_ONLY = re.compile(
    r"epoch\(|\blist\(|sha256\('|regexp_matches|json_extract_string| ilike |\bqualify\b|\bhash\(|array_to_string"
    # Trino takes a zone there that is written out, and no expression; sqlglot lets both pass.
    r"|bit_xor|group by all| exclude |at time zone (?!')"
)
DECIMAL = re.compile(r"\b\d+\.\d+(?![\dE])", re.IGNORECASE)
EVERYTHING = ("resource_type:model",)
KEPT_BY_KEY = {
    "unique_events", "duplicate_events", "unified_events", "session_events", "sessions", "conversions",
    "view_users", "known_ids", "stg_crm_profiles", "stg_offline_events", "processed_hours", "changed_users",
    "attribution", "attribution_touches", "conversion_paths",
}  # fmt: skip


def assert_read(found: Rendered, dialect: str) -> None:
    """Every statement is one that the dialect's parser reads."""
    for name, sql in found.statements:
        statements = sqlglot.parse(sql, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
        assert len([statement for statement in statements if statement]) == 1, name
        assert not DUCKDB_ONLY.search(sql.lower()), name
        assert "None" not in sql, name


@pytest.mark.parametrize("dialect", ["trino", "athena"])
@pytest.mark.parametrize("incremental", [False, True])
def test_every_statement_of_every_model_is_read_by_the_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, incremental: bool, dialect: str
) -> None:
    found = rendered(tmp_path, monkeypatch, EVERYTHING, incremental=incremental, dialect=dialect)
    assert len(found.queries) >= 50
    assert_read(found, dialect)
    assert ("touched_events" in found.queries["unique_events"].split("from", 1)[1]) == incremental
    assert ("as done" in found.queries["attribution"]) == incremental
    assert "to_unixtime" in found.queries["session_events"]
    assert "checksum(row(" in found.queries["attribution_people"]
    assert "at_timezone(" in found.queries["campaign_sessions"]


def test_no_quotient_is_rounded_to_the_digits_of_a_decimal_literal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trino and Athena: 82080 / 86400.0 is 1.0 there (scale 1) and 0.95 on DuckDB; 86400.0e0 is a double on all."""
    found = rendered(tmp_path, monkeypatch, EVERYTHING, incremental=True)
    divided = {}
    for name, sql in found.queries.items():
        for quotient in sqlglot.parse_one(sql, read="trino").find_all(exp.Div):
            divisor = quotient.expression.sql("trino")
            # Days between two starts of weeks are whole weeks and a rest that is always the same.
            if DECIMAL.search(divisor) and not isinstance(quotient.this, exp.DateDiff):
                divided[name] = divisor
    assert divided == {}


def test_an_incremental_build_deletes_by_key_from_the_table_itself_before_it_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rendered(tmp_path, monkeypatch, EVERYTHING, incremental=True)
    deleting = {name for name, hooks in found.hooks.items() if hooks}
    assert deleting >= KEPT_BY_KEY
    for name in deleting:
        for hook in found.hooks[name]:
            statement = sqlglot.parse_one(hook, read="trino")
            assert isinstance(statement, exp.Delete), name
            assert statement.find(exp.Table).name == name  # type: ignore[union-attr]
            assert statement.args.get("where") is not None, name


def test_a_first_build_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(rendered(tmp_path, monkeypatch, EVERYTHING, incremental=False).hooks.values())


def test_athena_takes_every_timestamp_of_the_lake_without_its_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rendered(tmp_path, monkeypatch, EVERYTHING, incremental=True, dialect="athena")
    taken = 'cast("arrival_hour" at time zone \'UTC\' as timestamp(6)) as "arrival_hour"'
    assert taken in found.queries["stg_core_events"]
    assert taken in found.queries["taken_hours"]
    specs = {spec.name: spec for spec in SOURCES.values()}
    sources = 0
    for name, sql in found.statements:
        assert "with time zone" not in sql.lower(), name
        for table in sqlglot.parse_one(sql, read="athena").find_all(exp.Table):
            if table.db == "shop_test" and table.name in specs:
                sources += 1
                taken_in = {
                    one.alias_or_name: one.find(exp.Cast) for one in table.find_ancestor(exp.Select).selects
                }
                for column in specs[table.name].columns:
                    cast = taken_in[column.name]
                    assert (cast is not None) == (column.type == "timestamp"), (name, column.name)
                    assert cast is None or cast.to.sql("trino") == "TIMESTAMP(6)", (name, column.name)
    assert sources >= 10
