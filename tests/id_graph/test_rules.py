"""Limits, super-nodes and giants do what they say, and bad rules are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from blotout_orchestration.id_graph.contract import ID_GRAPH_QUARANTINE
from blotout_orchestration.id_graph.rules import RULES_FILE, Rules, RulesError, load_rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from tests.id_graph.helpers import NO_RULES, MemorySource, edge, graph_rows, people, person_of, redirect_map


def test_the_later_customer_of_a_shared_device_stays_a_person_of_its_own(lake: Lake) -> None:
    source = MemorySource(content={"a": [edge("u1", "s1", 1), edge("u2", "s2", 2)]})
    rules = Rules(map_id_limits={"Shopify": 1})
    stitch(lake, rules=rules, run_id="1", sources=[source])
    source.content["b"] = [edge("u1", "s2", 3)]
    result = stitch(lake, rules=rules, run_id="2", sources=[source])
    assert person_of(lake, "u1") == person_of(lake, "s1") != person_of(lake, "s2")
    assert redirect_map(lake) == {}
    (row,) = lake.read(ID_GRAPH_QUARANTINE).to_pylist()
    assert (row["reason"], row["detail"]) == ("limit", "a person may have 1 map_id of shopify")
    assert {row["id_a"], row["id_b"]} == {"u1", "s2"}
    assert (result.merges, result.quarantined) == (0, 1)


def test_a_strong_link_comes_before_an_older_weak_one(lake: Lake) -> None:
    edges = [edge("u1", "e1", 1), edge("u1", "e2", 2), edge("s1", "e2", 9), edge("u1", "s1", 10)]
    stitch(lake, rules=Rules(limits={"email": 1}), run_id="1", sources=[MemorySource(content={"a": edges})])
    assert person_of(lake, "s1") == person_of(lake, "e2") == person_of(lake, "u1")
    assert person_of(lake, "e1") != person_of(lake, "u1")


def test_the_links_of_a_super_node_are_not_followed(lake: Lake) -> None:
    source = MemorySource(content={"a": [edge(f"u{i}", "g1", i) for i in range(3)]})
    rules = Rules(maximum_links={"gclid": 3})
    stitch(lake, rules=rules, run_id="1", sources=[source])
    assert len(people(lake)) == 1
    source.content["b"] = [edge("u3", "g1", 9)]
    result = stitch(lake, rules=rules, run_id="2", sources=[source])
    assert len(people(lake)) == 5
    assert result.splits == 1
    (row,) = lake.read(ID_GRAPH_QUARANTINE).to_pylist()
    assert (row["reason"], row["id_a"]) == ("super_node", "g1")


def test_a_giant_is_taken_apart_reported_and_put_together_when_it_shrinks(lake: Lake) -> None:
    source = MemorySource(content={"a": [edge(f"u{i}", "s1", i) for i in range(4)]})
    rules = Rules(maximum_ids_per_person=5)
    stitch(lake, rules=rules, run_id="1", sources=[source])
    before = graph_rows(lake)
    source.content["b"] = [edge("u8", "s1", 9)]
    result = stitch(lake, rules=rules, run_id="2", sources=[source])
    assert (len(people(lake)), result.giants) == (6, 1)
    del source.content["b"]
    stitch(lake, rules=rules, run_id="3", sources=[source])
    assert graph_rows(lake) == before
    assert lake.read(ID_GRAPH_QUARANTINE).num_rows == 0


def test_new_rules_rebuild_and_the_old_rules_bring_the_old_people_back(lake: Lake) -> None:
    source = MemorySource(content={"a": [edge("u1", "s1", 1), edge("u1", "s2", 2), edge("u3", "e1", 3)]})
    stitch(lake, rules=NO_RULES, run_id="1", sources=[source])
    before = graph_rows(lake)
    changed = stitch(lake, rules=Rules(map_id_limits={"shopify": 1}), run_id="2", sources=[source])
    assert (changed.touched_components, changed.splits, len(people(lake))) == (1, 1, 3)
    stitch(lake, rules=NO_RULES, run_id="3", sources=[source])
    assert graph_rows(lake) == before


def test_a_dry_run_says_what_would_change_and_changes_nothing(lake: Lake) -> None:
    source = MemorySource(content={"a": [edge("u1", "s1", 1), edge("u2", "s2", 2)]})
    stitch(lake, rules=NO_RULES, run_id="1", sources=[source])
    before, younger, older = graph_rows(lake), person_of(lake, "u2"), person_of(lake, "u1")
    source.content["b"] = [edge("u1", "s2", 3)]
    result = stitch(lake, rules=NO_RULES, run_id="2", sources=[source], dry_run=True)
    assert (result.merged, result.people, result.people_change) == ({younger: older}, 1, -1)
    assert graph_rows(lake) == before
    assert redirect_map(lake) == {}
    assert stitch(lake, rules=NO_RULES, run_id="3", sources=[source]).merges == 1


def test_the_rules_file_overrides_field_by_field(tmp_path: Path) -> None:
    (tmp_path / RULES_FILE).write_text("map_id_limits: {shopify: 1}\nlimits: {email: null}\n")
    rules = load_rules(tmp_path)
    assert (rules.limit("map_id", "shopify"), rules.limit("email", None)) == (1, None)
    assert rules.maximum_links == Rules().maximum_links
    assert load_rules(tmp_path / "elsewhere") == Rules()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limits: {emial: 1}", "limits.*unknown id type 'emial'"),
        ("map_id_limits: {shopify: 0}", "map_id_limits.*expected a number from 1"),
        ("maximum_ids_per_person: many", "maximum_ids_per_person.*many"),
        ("junk_patterns: ['(']", "junk_patterns.*pattern"),
        ("giant: 7", "giant.*7"),
        ("- a", "expected fields with values"),
        ("a: [", "not readable as YAML"),
    ],
)
def test_a_bad_rules_file_is_refused_with_file_field_and_value(
    tmp_path: Path, text: str, expected: str
) -> None:
    (tmp_path / RULES_FILE).write_text(text)
    with pytest.raises(RulesError, match=expected) as error:
        load_rules(tmp_path)
    assert str(tmp_path / RULES_FILE) in str(error.value)
