"""Versions of definitions: edits append, upgrades are offered, and the predefined ones are created once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from blotout_orchestration.entities import registry
from blotout_orchestration.entities.definitions import Definition, parse_definition
from blotout_orchestration.entities.fields import DefinitionError
from blotout_orchestration.entities.predefined import create_entities, pending, predefined_definitions
from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.database.audit import entries
from blotout_orchestration.platform.registry import PIPELINES, Pipeline, add_pipelines, remove
from blotout_orchestration.settings import Settings


def _segment(value: int, version: int | None = None, name: str = "repeat_buyers") -> Definition:
    where = {"profile": "orders", "operator": "GREATER_THAN", "value": value}
    raw = {"kind": "segment", "name": name, "description": "Buyers.", "where": where}
    return parse_definition(raw if version is None else {**raw, "version": version}, "test")


def _shop(settings: Settings, name: str = "our_shop", source_type: str = "shopify") -> None:
    raw = {
        "name": name,
        "source_name": name,
        "source_type": source_type,
        "payload": {"connection": {"shop": "x", "access_token": "env:SHOPIFY_TOKEN"}},
    }
    add_pipelines(settings, [Pipeline.model_validate(raw)])


def _versions(settings: Settings, name: str = "repeat_buyers") -> list[tuple[int, str, bool]]:
    found = registry.history(settings)[("segment", name)]
    return [(version.number, version.origin, version.is_deleted) for version in found]


def test_an_edit_is_a_new_version_and_the_same_again_is_none(settings):
    assert [change.what for change in registry.add(settings, [_segment(1)], "me")] == ["added"]
    assert [change.what for change in registry.add(settings, [_segment(1)], "me")] == ["unchanged"]
    assert [change.what for change in registry.add(settings, [_segment(2, version=2)], "you")] == ["changed"]
    (held,) = registry.live(settings, "segment")
    assert (held.number, held.author, held.definition()) == (2, "you", _segment(2, version=2))
    assert [entry["action"] for entry in entries(settings)] == ["segment_changed", "segment_added"]


def test_a_file_written_for_another_version_is_refused_with_all_others(settings):
    registry.add(settings, [_segment(1)], "me")
    with pytest.raises(DefinitionError, match="version 5 is not the next one, 2") as refused:
        registry.add(settings, [_segment(2, 5), _segment(1, 7, "other"), _segment(1, name="third")], "me")
    assert "segment other: version 7 is not the next one, 1" in str(refused.value)
    assert _versions(settings) == [(1, "user", False)]
    assert ("segment", "third") not in registry.history(settings)


def test_writers_at_the_same_time_lose_nothing(settings):
    registry.add(settings, [_segment(0)], "me")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda value: registry.add(settings, [_segment(value)], "me"), range(1, 9)))
    numbers = [number for number, _, _ in _versions(settings)]
    assert numbers == list(range(1, 10))


def test_a_removed_definition_keeps_its_history_and_can_be_added_again(settings):
    registry.add(settings, [_segment(1)], "me")
    registry.remove(settings, "segment", "repeat_buyers", "me")
    assert registry.live(settings, "segment") == []
    with pytest.raises(UsageError, match="there is no segment repeat_buyers"):
        registry.remove(settings, "segment", "repeat_buyers", "me")
    assert registry.add(settings, [_segment(1)], "me")[0].version == 3


def test_nothing_is_created_without_a_shopify_pipeline(settings):
    _shop(settings, source_type="rest_api", name="other")
    assert create_entities(settings).created == []
    assert registry.history(settings) == {}


def test_a_shopify_pipeline_brings_the_predefined_definitions_once(settings):
    _shop(settings)
    wanted = [f"{definition.kind} {definition.name}" for definition in predefined_definitions()]
    assert create_entities(settings, run_id="one").created == wanted
    assert len(wanted) == 7
    _shop(settings, "second_shop")
    again = create_entities(settings)
    assert (again.created, again.offered, pending(settings)) == ([], [], [])
    assert {version.origin for versions in registry.history(settings).values() for version in versions} == {
        "predefined/1"
    }


def test_what_users_changed_or_removed_stays_as_they_left_it(settings):
    _shop(settings)
    create_entities(settings)
    registry.add(settings, [_segment(41)], "me")
    registry.remove(settings, "segment", "lapsed", "me")
    create_entities(settings)
    held = {version.name: version for version in registry.live(settings, "segment")}
    assert held["repeat_buyers"].says_the_same(_segment(41))
    assert "lapsed" not in held


def test_an_upgrade_is_offered_and_holds_only_when_accepted(settings):
    _shop(settings)
    create_entities(settings, definitions=[_segment(1, version=1)])
    registry.add(settings, [_segment(5)], "me")
    upgrade = [_segment(2, version=2)]
    assert create_entities(settings, definitions=upgrade).offered == ["segment repeat_buyers"]
    assert create_entities(settings, definitions=upgrade).offered == []
    (held,) = registry.live(settings, "segment")
    assert held.says_the_same(_segment(5))
    assert registry.accept(settings, "segment", "repeat_buyers", "me").version == 4
    (held,) = registry.live(settings, "segment")
    assert (held.says_the_same(_segment(2)), held.origin) == (True, "predefined/2")
    with pytest.raises(UsageError, match="no newer release"):
        registry.accept(settings, "segment", "repeat_buyers", "me")
    assert [origin for _, origin, _ in _versions(settings)] == [
        "predefined/1",
        "user",
        "offered/2",
        "predefined/2",
    ]


def test_an_upgrade_of_a_removed_definition_is_not_offered(settings):
    _shop(settings)
    create_entities(settings, definitions=[_segment(1, version=1)])
    registry.remove(settings, "segment", "repeat_buyers", "me")
    assert create_entities(settings, definitions=[_segment(2, version=2)]).offered == []


def test_a_user_can_edit_on_while_an_upgrade_is_offered(settings):
    _shop(settings)
    create_entities(settings, definitions=[_segment(1, version=1)])
    create_entities(settings, definitions=[_segment(2, version=2)])
    registry.add(settings, [_segment(9)], "me")
    versions = registry.history(settings)[("segment", "repeat_buyers")]
    assert registry.holding(versions).says_the_same(_segment(9))
    assert registry.offer(versions).release == 2


def test_removing_the_pipeline_keeps_the_definitions(settings):
    _shop(settings)
    create_entities(settings)
    remove(settings, PIPELINES, "our_shop")
    assert create_entities(settings).pipelines == []
    assert len(registry.live(settings, "segment")) == 6
