"""What docs/segments_and_funnels.md shows works on the columns that dbt promises; so do the predefined definitions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from sqlglot import parse_one

from blotout_orchestration.entities.columns import Columns, kind_of
from blotout_orchestration.entities.definitions import Definition, SegmentDefinition, parse_definition
from blotout_orchestration.entities.fields import Operator
from blotout_orchestration.entities.funnel_sql import compile_funnel
from blotout_orchestration.entities.predefined import predefined_definitions
from blotout_orchestration.entities.segment_sql import compile_segment
from tests.conftest import REPOSITORY
from tests.entities import warehouse as made

PAGE = (REPOSITORY / "docs" / "segments_and_funnels.md").read_text()
CONTRACT = REPOSITORY / "dbt_project" / "models" / "unified" / "unified.yml"


def _contract(path: Path = CONTRACT) -> Columns:
    models = yaml.safe_load(path.read_text())["models"]
    rows = [
        (model["name"], column["name"], column["data_type"])
        for model in models
        for column in model["columns"]
    ]
    return Columns.read(made.SCHEMA, rows)


def _shown() -> list[Definition]:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    return [parse_definition(yaml.safe_load(block), "the page") for block in blocks]


@pytest.mark.parametrize(
    "definition", [*_shown(), *predefined_definitions()], ids=lambda definition: definition.name
)
def test_a_definition_is_a_query_over_the_columns_of_the_contract(definition):
    make = compile_segment if isinstance(definition, SegmentDefinition) else compile_funnel
    for dialect in ("duckdb", "trino"):
        query = make(definition, _contract(), made.AS_OF).sql(dialect)
        assert parse_one(query, dialect=dialect).sql(dialect) == query


def test_every_column_of_the_contract_can_be_compared():
    columns = _contract()
    assert len(columns.users) > 40
    unknown = [
        name for known in (columns.users, columns.events) for name, kind in known.items() if kind is None
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("duckdb", "trino"),
    [
        ("VARCHAR", "varchar(65535)"), ("DECIMAL(18,4)", "decimal(18,4)"), ("BIGINT", "bigint"), ("DOUBLE", "double"),
        ("BOOLEAN", "boolean"), ("DATE", "date"), ("TIMESTAMP WITH TIME ZONE", "timestamp(6) with time zone"),
        ("VARCHAR[]", "array(varchar)"), ("STRUCT(a INTEGER)", "row(a integer)"), ("INTEGER[]", "array(integer)"),
    ],
)  # fmt: skip
def test_both_warehouses_name_the_same_kinds(duckdb, trino):
    assert kind_of(duckdb) == kind_of(trino)


def test_the_page_names_every_operator():
    assert [operator for operator in Operator if f"`{operator}`" not in PAGE] == []
