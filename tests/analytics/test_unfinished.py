"""Models that a dbt run left unfinished: what is noted, what it forbids, and what readers see instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from blotout_orchestration.analytics.unfinished import (
    UnfinishedInputError,
    begin,
    end,
    passed_models,
    unfinished,
)
from blotout_orchestration.analytics.warehouse import begin_build, connect_published, publish
from blotout_orchestration.settings import Settings

PROJECT = {"sessions": ["core_events"], "users": ["sessions"]}


@pytest.fixture
def connection() -> Any:
    with duckdb.connect() as made:
        yield made


def test_a_model_is_unfinished_until_a_run_of_it_ends_well(connection: Any) -> None:
    assert unfinished(connection) == {}
    begin(connection, "unified", PROJECT, ["sessions", "users"])
    end(connection, ["users"])
    assert unfinished(connection) == {"sessions": "unified"}
    begin(connection, "unified", PROJECT, ["sessions"])
    end(connection, ["sessions"])
    assert unfinished(connection) == {}


def test_nothing_is_built_on_an_unfinished_model_that_the_run_does_not_make(connection: Any) -> None:
    begin(connection, "unified", PROJECT, ["sessions"])
    with pytest.raises(
        UnfinishedInputError, match=r"the last build of sessions did not end well.*run unified"
    ):
        begin(connection, "reports", {"campaign": ["sessions"]}, ["campaign"])
    assert unfinished(connection) == {"sessions": "unified"}
    begin(connection, "unified", PROJECT, ["sessions", "users"])


def test_a_model_that_is_no_longer_in_the_project_is_forgotten(connection: Any) -> None:
    begin(connection, "unified", PROJECT, ["sessions", "users"])
    begin(connection, "reports", {"campaign": []}, ["campaign"])
    begin(connection, "unified", {"users": []}, ["users"])
    assert unfinished(connection) == {"users": "unified", "campaign": "reports"}


def results(folder: Path, **states: str) -> Path:
    """A target folder of dbt: models a -> b, c; test_a belongs to a although it reads c too; test_all reads both."""
    nodes = {f"model.shop.{name}": {} for name in "abc"}
    tests = {
        "test.shop.test_a": {"attached_node": "model.shop.a"},
        "test.shop.test_c": {"meta": {"dagster": {"ref": {"name": "c"}}}},
        "test.shop.test_all": {},
    }
    both = ["model.shop.a", "model.shop.c"]
    manifest = {
        "nodes": nodes | tests,
        "parent_map": dict.fromkeys(tests, both) | {"model.shop.b": ["model.shop.a"]},
        "child_map": {"model.shop.a": ["model.shop.b", *tests], "model.shop.c": list(tests)},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    full = {name.rsplit(".", 1)[-1]: name for name in nodes | tests}
    found = [{"unique_id": full[name], "status": state} for name, state in states.items()]
    (folder / "run_results.json").write_text(json.dumps({"results": found}))
    return folder


@pytest.mark.parametrize(
    ("states", "passed"),
    [
        ({"a": "success", "b": "success", "c": "success", "test_a": "warn"}, {"a", "b", "c"}),
        ({"a": "success", "b": "success", "c": "success", "test_a": "fail"}, {"c"}),
        ({"a": "success", "b": "skipped", "c": "success", "test_c": "fail"}, {"a"}),
        ({"a": "error", "b": "success", "c": "success"}, {"c"}),
        ({"a": "success", "b": "success", "c": "success", "test_all": "error"}, set()),
        ({"a": "success", "b": "success", "c": "success", "test_a": "skipped"}, {"c"}),
        ({"a": "success"}, {"a"}),
    ],
)
def test_a_model_passed_when_its_tests_did_and_those_of_what_it_stands_on(
    tmp_path: Path, states: dict[str, str], passed: set[str]
) -> None:
    folder = results(tmp_path, **states)
    assert passed_models(folder, folder / "manifest.json") == passed


def test_no_model_passed_when_dbt_wrote_no_results(tmp_path: Path) -> None:
    assert passed_models(tmp_path, tmp_path / "manifest.json") == set()


@pytest.fixture
def published(settings: Settings) -> Settings:
    """Two tables and a view on one of them, published with the value 1 and since then built with 2."""
    settings.warehouse_path.parent.mkdir(parents=True)
    write(settings, 1)
    publish(settings)
    write(settings, 2)
    return settings


def write(settings: Settings, value: int) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        own = settings.namespace
        connection.execute(f"create schema if not exists {own}")
        connection.execute(f"create or replace table {own}.sessions as select {value} as value")
        connection.execute(f"create or replace table {own}.campaign as select {value} as value")
        connection.execute(f"create or replace view {own}.campaign_report as from {own}.campaign")
        connection.execute(f"create or replace view {own}.sessions_report as from {own}.sessions")


def seen(settings: Settings) -> dict[str, int]:
    """The value of each published table or view."""
    with connect_published(settings) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() union all "
                "select view_name from duckdb_views() where not internal"
            ).fetchall()
            if name != "unfinished"
        ]
        return {name: connection.execute(f"select value from {name}").fetchone()[0] for name in names}


ALL = ("campaign", "campaign_report", "sessions", "sessions_report")


def test_an_unfinished_report_stays_as_it_was_published_and_the_rest_goes_on(published: Settings) -> None:
    inputs = {"campaign": ["sessions"], "campaign_report": ["campaign"], "sessions_report": ["sessions"]}
    begin_build(published, "reports", inputs, list(inputs))
    assert publish(published, built=["campaign_report"]) == ("campaign", "sessions_report")
    assert seen(published) == {"campaign": 1, "campaign_report": 1, "sessions": 2, "sessions_report": 1}
    publish(published, built=inputs)
    assert seen(published) == dict.fromkeys(ALL, 2)


def test_an_unfinished_report_that_was_never_published_is_not_seen(published: Settings) -> None:
    published.published_path.unlink()
    begin_build(published, "reports", {"campaign_report": []}, ["campaign_report"])
    publish(published)
    assert seen(published) == {"campaign": 2, "sessions": 2, "sessions_report": 2}


def test_nothing_is_published_while_a_table_of_the_unified_layer_is_unfinished(published: Settings) -> None:
    begin_build(published, "events_unified_view", PROJECT, ["sessions", "users"])
    assert publish(published, built=["users"]) == ("sessions",)
    assert seen(published) == dict.fromkeys(ALL, 1)
    begin_build(published, "events_unified_view", PROJECT, ["sessions"])
    assert publish(published, built=["sessions"]) == ()
    assert seen(published) == dict.fromkeys(ALL, 2)
