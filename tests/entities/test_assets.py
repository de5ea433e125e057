"""The assets, sensor and commands on a real Dagster instance: red names what is broken, the rest is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, Definitions, RunsFilter, SkipReason, build_sensor_context
from pydantic import SecretStr
from typer.testing import CliRunner

from blotout_orchestration.cli import app
from blotout_orchestration.entities import registry
from blotout_orchestration.entities.assets import entities_assets
from blotout_orchestration.entities.automation import entities_jobs, entities_sensors
from blotout_orchestration.entities.checks import entities_checks
from blotout_orchestration.entities.contract import FUNNEL_DROPOFFS, FUNNEL_REPORT, SEGMENT_MEMBERSHIP
from blotout_orchestration.entities.funnels import update_funnels
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import load_settings
from tests.entities import warehouse as made
from tests.entities.test_registry import _shop

VISITS = [
    made.event("ann", "view", 0),
    made.event("ann", "cart", 60),
    made.event("ann", "buy", 180),
    made.event("bob", "view", 0),
    made.event("bob", "cart", 240),
    made.event("cyd", "view", 30 * 86_400 - 60),
]
FUNNEL = made.funnel(["view", "cart", "buy"])


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made_here:
        yield made_here


def _definitions(lake: Lake) -> Definitions:
    return Definitions(
        assets=entities_assets(lake),
        asset_checks=entities_checks(lake),
        jobs=entities_jobs(),
        sensors=entities_sensors(lake),
    )


def _run(lake: Lake, instance: DagsterInstance, job: str) -> Any:
    found = _definitions(lake).resolve_job_def(job)
    return found.execute_in_process(instance=instance, raise_on_error=False)


@pytest.fixture
def shop(lake: Lake) -> Lake:
    """Two people with orders and one without, one good segment, one funnel."""
    users = [{"global_user_id": "ann", "orders": 1}, {"global_user_id": "bob", "orders": 3}]
    made.publish(lake.settings, users, VISITS)
    buyers = made.segment({"profile": "orders", "operator": "GREATER_THAN", "value": 0}, "buyers")
    registry.add(lake.settings, [buyers, FUNNEL], "me")
    return lake


def test_a_run_writes_membership_reports_and_lists_and_draws_them(shop, instance):
    result = _run(shop, instance, "segments_and_funnels")
    assert result.success
    assert {row["global_user_id"] for row in shop.read(SEGMENT_MEMBERSHIP).to_pylist()} == {"ann", "bob"}
    report = shop.read(FUNNEL_REPORT).sort_by("step").to_pylist()
    shown = ("step_name", "reached", "dropped", "conversion", "step_conversion", "seconds_p50", "seconds_p90")
    assert [tuple(row[name] for name in shown) for row in report] == [
        ("0 view", 3, 0, 1.0, 1.0, 0.0, 0.0),
        ("1 cart", 2, 1, 2 / 3, 2 / 3, 150.0, 222.0),
        ("2 buy", 1, 1, 1 / 3, 0.5, 180.0, 180.0),
    ]
    lost = {row["global_user_id"]: row for row in shop.read(FUNNEL_DROPOFFS).to_pylist()}
    assert {
        name: (row["step_name"], row["next_step_name"], row["is_window_open"]) for name, row in lost.items()
    } == {
        "bob": ("1 cart", "2 buy", False),
        "cyd": ("0 view", "1 cart", True),
    }
    pictures = {
        event.asset_key.to_user_string(): str(event.step_materialization_data.materialization.metadata)
        for event in result.get_asset_materialization_events()
    }
    assert "data:image/png" in pictures["segment_membership"]
    assert "data:image/png" in pictures["funnel_report"]
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())
    assert len(result.get_asset_check_evaluations()) == 4


def test_a_run_twice_leaves_the_same_rows(shop, instance):
    tables = (SEGMENT_MEMBERSHIP, FUNNEL_REPORT, FUNNEL_DROPOFFS)
    _run(shop, instance, "segments_and_funnels")
    before = [shop.read(table).to_pylist() for table in tables]
    assert _run(shop, instance, "segments_and_funnels").success
    assert [shop.read(table).to_pylist() for table in tables] == before


def test_a_broken_definition_ends_the_run_red_by_name_and_the_others_are_computed(shop, instance):
    missing = {"profile": "loyalty_tier", "operator": "IS_SET"}
    steps = [{"step": "a", "where": {"property": "no_such", "operator": "IS_SET"}}, "buy"]
    broken = made.funnel(steps).model_copy(update={"name": "bad_funnel"})
    registry.add(shop.settings, [made.segment(missing, "tiers"), broken], "me")
    result = _run(shop, instance, "segments_and_funnels")
    assert not result.success
    said = "\n".join(str(event.step_failure_data.error) for event in result.get_step_failure_events())
    assert "segment tiers was not computed: segment tiers: view_users has no column loyalty_tier" in said
    assert (
        "funnel bad_funnel was not computed: funnel bad_funnel: unified_events has no column no_such" in said
    )
    failed = {e.check_name: e for e in result.get_asset_check_evaluations() if not e.passed}
    assert set(failed) == {"every_definition_was_computed"}
    assert shop.read(SEGMENT_MEMBERSHIP).num_rows == 2
    assert shop.read(FUNNEL_REPORT).num_rows == 3


def test_a_broken_funnel_keeps_its_rows_and_a_removed_one_loses_them(shop, instance):
    other = made.funnel(["view", "buy"]).model_copy(update={"name": "second"})
    registry.add(shop.settings, [other], "me")
    _run(shop, instance, "segments_and_funnels")
    steps = [{"step": "a", "where": {"property": "no_such", "operator": "IS_SET"}}, "buy"]
    registry.add(shop.settings, [made.funnel(steps)], "me")
    registry.remove(shop.settings, "funnel", "second", "me")
    assert not _run(shop, instance, "segments_and_funnels").success
    rows = shop.read(FUNNEL_REPORT).to_pylist()
    assert {(row["funnel"], row["version"]) for row in rows} == {("tried", 1)}
    assert len(rows) == 3


def test_an_empty_registry_takes_no_funnels_rows_and_says_which_database_to_check(shop, tmp_path):
    update_funnels(shop, run_id="first")
    before = [shop.read(table).to_pylist() for table in (FUNNEL_REPORT, FUNNEL_DROPOFFS)]
    database = SecretStr(f"sqlite:///{tmp_path / 'new.sqlite'}")
    new = Lake(shop.settings.model_copy(update={"platform_database": database}))
    assert "check PLATFORM_DATABASE" in update_funnels(new, run_id="second").failures["tried"]
    assert [shop.read(table).to_pylist() for table in (FUNNEL_REPORT, FUNNEL_DROPOFFS)] == before
    registry.add(new.settings, [FUNNEL], "me")
    registry.remove(new.settings, "funnel", "tried", "me")
    assert update_funnels(new, run_id="third").failures == {}
    assert shop.read(FUNNEL_REPORT).num_rows == 0


def _tick(lake: Lake, instance: DagsterInstance) -> Any:
    definitions = _definitions(lake)
    sensor = definitions.resolve_sensor_def("entity_creation_sensor")
    return sensor(build_sensor_context(instance, repository_def=definitions.get_repository_def()))


def test_the_sensor_creates_when_a_shopify_pipeline_appears_and_then_rests(lake, instance):
    assert isinstance(_tick(lake, instance), SkipReason)
    _shop(lake.settings)
    assert "segment high_value" in _tick(lake, instance).run_key
    assert _run(lake, instance, "entity_creation").success
    assert len(registry.live(lake.settings, "segment")) == 6
    assert "every predefined definition" in str(_tick(lake, instance).skip_message)
    assert len(instance.get_runs(RunsFilter(job_name="entity_creation"))) == 1


def test_the_sensor_waits_while_the_registry_is_away(settings, tmp_path, instance):
    away = settings.model_copy(update={"blotout_home": tmp_path / "file"})
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "platform.sqlite").write_text(
        "this is no database, but it is long enough to be read as one"
    )
    assert "cannot be read" in str(_tick(Lake(away), instance).skip_message)


@pytest.fixture
def command_line(shop: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shop as the settings of this process, which are read once: not another test's, nor for another."""
    for name, value in (
        ("BLOTOUT_HOME", shop.settings.blotout_home),
        ("ORGANISATION", "shop"),
        ("ENVIRONMENT", "test"),
    ):
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.mark.usefixtures("command_line")
def test_segments_are_added_previewed_edited_and_removed_by_command(tmp_path):
    file = tmp_path / "big.yml"
    text = "kind: segment\nname: big\ndescription: Many orders.\nwhere: {profile: orders, operator: GREATER_THAN, value: 2}\n"

    def blotout(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(words))
        return done.exit_code, done.output

    file.write_text(text.replace("orders,", "order,"))
    code, output = blotout("segments", "add", str(file))
    assert (code, "view_users has no column order; did you mean orders" in output) == (2, True)
    file.write_text(text)
    assert "big" not in blotout("segments", "list")[1]
    assert "1 people\n  bob" in blotout("segments", "preview", str(file))[1]
    assert "added segment big, version 1" in blotout("segments", "add", str(file))[1]
    code, shown = blotout("segments", "show", "big")
    assert shown.startswith("# version 1\n")
    file.write_text(shown)
    assert "unchanged segment big, version 1" in blotout("segments", "add", str(file))[1]
    file.write_text(shown.replace("value: 2", "value: 0"))
    assert "changed segment big, version 2" in blotout("segments", "add", str(file))[1]
    assert "2 people" in blotout("segments", "preview", "big")[1]
    assert "TIMESTAMP(6) WITH TIME ZONE" in blotout("funnels", "show", "tried", "--sql", "trino")[1]
    assert "2 1 cart: 2  66.7 %  median 150 s" in blotout("funnels", "preview", "tried")[1]
    assert "not a funnel" in blotout("funnels", "add", str(file))[1]
    assert "removed segment big" in blotout("segments", "remove", "big")[1]
    assert blotout("segments", "show", "big")[0] == 2
    assert "created funnel view_to_purchase" in blotout("funnels", "predefined")[1]
    assert "no newer release" in blotout("segments", "accept", "high_value")[1]
