"""The recorded SDK stream, whose people are known: 40 identity components, exactly, with the default rules."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from blotout_orchestration.events.landing import land
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_QUARANTINE
from blotout_orchestration.id_graph.explain import UnknownIdError, explain
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake


@pytest.fixture
def recorded(lake: Lake, real_data: Path) -> Lake:
    """A lake with the flattened v0.9 recording."""
    land(lake, [real_data / "sdk_events" / "sdk_v0.9" / "landing"])
    flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="test")
    return lake


def _truth(real_data: Path) -> set[tuple[frozenset[str], frozenset[str]]]:
    truth = json.loads((real_data / "sdk_events" / "sdk_v0.9" / "TRUTH.json").read_text())
    return {(frozenset(c["userids"]), frozenset(c["ids"])) for c in truth["identity_components"]}


def _found(lake: Lake, wanted: set[str]) -> set[tuple[frozenset[str], frozenset[str]]]:
    """People as (user ids, other ids as the truth names them), of the ids that the truth knows."""
    people: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for row in lake.read(ID_GRAPH).to_pylist():
        if row["id_type"] == "user_id":
            people[row["global_user_id"]][0].add(row["id"])
        elif (name := f"{row['provider'] or row['id_type']}:{row['id']}") in wanted:
            people[row["global_user_id"]][1].add(name)
    return {(frozenset(users), frozenset(ids)) for users, ids in people.values()}


def test_the_recorded_visitors_become_exactly_the_forty_components(recorded: Lake, real_data: Path) -> None:
    result = stitch(recorded, rules=Rules(), run_id="test")
    truth = _truth(real_data)
    assert len(truth) == 40
    assert _found(recorded, {name for _, ids in truth for name in ids}) == truth
    assert (result.people, result.quarantined) == (40, 0)


def test_a_second_run_finds_nothing_to_do(recorded: Lake) -> None:
    first = stitch(recorded, run_id="one")
    again = stitch(recorded, run_id="two")
    assert (again.changed_batches, again.new_ids, again.touched_components) == (0, 0, 0)
    assert (again.ids, again.people) == (first.ids, first.people)


def test_a_limit_keeps_two_customers_of_a_shared_device_apart(recorded: Lake, real_data: Path) -> None:
    stitch(recorded, rules=Rules(), run_id="before")
    result = stitch(recorded, rules=Rules(map_id_limits={"shopify": 1}), run_id="after")
    people = {
        row["id"]: row["global_user_id"]
        for row in recorded.read(ID_GRAPH).to_pylist()
        if row["provider"] == "shopify"
    }
    assert people["6870000182137"] != people["6870001821370"]
    assert result.splits == 1
    refused = recorded.read(ID_GRAPH_QUARANTINE).to_pylist()
    assert {row["reason"] for row in refused} == {"limit"}
    assert "6870001821370" in {row["id_b"] for row in refused} | {row["id_a"] for row in refused}


def test_the_chain_between_two_devices_is_explained(recorded: Lake) -> None:
    stitch(recorded, run_id="test")
    desk = "fcf6cb83-1e2f-4c4b-8920-23d321b8755c-1772434802232-341c05a3-bc57-4631-b636-cdebccfa523f"
    tablet = "2996fbac-fa37-47e0-94f3-4cef343cbdb1-1772622001697-0f5b5664-a238-4331-826f-8ec9094996a6"
    found = explain(recorded, desk, tablet)
    assert found.same_person
    assert found.links
    ends = [
        found.links[0].left.id,
        found.links[0].right.id,
        found.links[-1].left.id,
        found.links[-1].right.id,
    ]
    assert desk in ends
    assert tablet in ends
    with pytest.raises(UnknownIdError, match="not in the id graph"):
        explain(recorded, "nobody")
