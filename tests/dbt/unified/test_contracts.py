"""Every column is described once and right: sources from the Python contracts, models from what dbt builds."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from blotout_orchestration.analytics.dbt_project import PROJECT_FOLDER
from blotout_orchestration.analytics.source_columns import SOURCES, sources_yaml
from blotout_orchestration.events.contract import CORE_EVENTS
from blotout_orchestration.lake import Lake

from . import shop

LAYERS = ("staging", "changes", "unified")


def _described() -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = {}
    for layer in LAYERS:
        for path in sorted((PROJECT_FOLDER / "models" / layer).glob("*.yml")):
            for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
                assert model["name"] not in models, f"{model['name']} is described twice"
                models[model["name"]] = model
    return models


def test_sources_are_written_from_the_contracts() -> None:
    written = (PROJECT_FOLDER / "models" / "sources.yml").read_text(encoding="utf-8")
    assert written == sources_yaml(), "run python -m blotout_orchestration.analytics.source_columns"
    tables = yaml.safe_load(written)["sources"][0]["tables"]
    assert [table["name"] for table in tables] == list(SOURCES)


def test_every_model_has_a_file_and_every_file_a_description() -> None:
    files = {path.stem for layer in LAYERS for path in (PROJECT_FOLDER / "models" / layer).glob("*.sql")}
    assert files == set(_described())
    assert all(len(model["description"]) > 20 for model in _described().values())


def test_every_column_of_every_model_is_described_with_its_type(built_shop: Lake) -> None:
    rows = shop.query(
        built_shop,
        "select table_name, column_name, lower(data_type) from information_schema.columns"
        f" where table_schema = '{built_shop.namespace}' order by table_name, ordinal_position",
    )
    built: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        built.setdefault(table, []).append((column, kind))
    described = {
        name: [(column["name"], column["data_type"]) for column in model["columns"]]
        for name, model in _described().items()
        if "columns" in model
    }
    assert described == built
    for model in _described().values():
        assert all(len(column["description"].strip()) > 3 for column in model.get("columns", []))


@pytest.mark.parametrize("model", ["stg_core_events", "view_core_events", "unique_events"])
def test_columns_of_core_events_mean_the_same_in_the_models(model: str) -> None:
    meanings = {column["name"]: column["description"] for column in _described()[model]["columns"]}
    contract = {column.name: column.description for column in CORE_EVENTS.columns}
    assert {name: meanings[name] for name in contract} == contract


def test_the_macro_lists_the_columns_of_core_events_in_order() -> None:
    text = (PROJECT_FOLDER / "macros" / "event_columns.sql").read_text(encoding="utf-8")
    listed = re.findall(r"'(\w+)'", text.split("macro core_event_columns()")[1].split("endmacro")[0])
    assert listed == [column.name for column in CORE_EVENTS.columns]
