"""The asset checks of the id graph: green on a graph as runs leave it, red on rows that break what they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from dagster import AssetCheckResult, AssetCheckSeverity

from blotout_orchestration.id_graph.checks import id_graph_checks
from blotout_orchestration.id_graph.contract import ID_GRAPH, ID_GRAPH_MERGES
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.tables import TableSpec
from tests.id_graph.helpers import MemorySource, edge, person_of, redirect_map

RULES = Rules(maximum_ids_per_person=3)


@pytest.fixture
def source() -> MemorySource:
    """Three customers in two runs' worth of evidence: the second one finds that two of them are one."""
    return MemorySource(content={"a": [edge("u1", "s1", 1), edge("u2", None, 2), edge("u3", "e3", 3)]})


@pytest.fixture
def graph(lake: Lake, source: MemorySource) -> Lake:
    """A graph with a merge, and nothing wrong."""
    stitch(lake, rules=RULES, run_id="1", sources=[source])
    source.content["b"] = [edge("u2", "s1", 4)]
    stitch(lake, rules=RULES, run_id="2", sources=[source])
    assert len(redirect_map(lake)) == 1
    return lake


def check(lake: Lake, name: str) -> tuple[bool, AssetCheckSeverity, list[Any]]:
    """Whether a check passes, how bad it is when not, and its figures."""
    (found,) = [item for item in id_graph_checks(lake) if name in str(item.check_keys)]
    result = found()
    assert isinstance(result, AssetCheckResult)
    return result.passed, result.severity, [value.value for value in result.metadata.values()]


def add(lake: Lake, spec: TableSpec, like: Callable[[dict[str, Any]], bool], **other: Any) -> None:
    """Append a copy of the one row that is `like` this, with other values."""
    (row,) = [row for row in lake.read(spec).to_pylist() if like(row)]
    lake.append(spec, pa.Table.from_pylist([{**row, **other}], schema=spec.arrow_schema), {})


def test_every_check_passes_on_a_graph_with_a_merge(graph: Lake) -> None:
    keys = {key.name for item in id_graph_checks(graph) for key in item.check_keys}
    assert keys == {"an_id_belongs_to_one_person", "no_component_is_giant", "redirects_lead_to_people"}
    for name in keys:
        passed, _, figures = check(graph, name)
        assert (name, passed, figures) == (name, True, [0])


def test_an_id_of_two_people_blocks_what_reads_the_graph(graph: Lake) -> None:
    add(graph, ID_GRAPH, lambda row: row["id"] == "u3", global_user_id=person_of(graph, "u1"))
    passed, severity, figures = check(graph, "an_id_belongs_to_one_person")
    assert (passed, severity, figures) == (False, AssetCheckSeverity.ERROR, [1])
    (blocking,) = [
        item for item in id_graph_checks(graph) if "an_id_belongs_to_one_person" in str(item.check_keys)
    ]
    assert all(spec.blocking for spec in blocking.check_specs)


def test_an_id_without_a_person_is_wrong(graph: Lake) -> None:
    add(graph, ID_GRAPH, lambda row: row["id"] == "u3", id="u4", global_user_id=None)
    assert check(graph, "an_id_belongs_to_one_person") == (False, AssetCheckSeverity.ERROR, [1])


def test_the_same_text_in_two_types_or_of_two_providers_is_two_ids(graph: Lake) -> None:
    add(graph, ID_GRAPH, lambda row: row["id"] == "s1", provider="hubspot")
    add(graph, ID_GRAPH, lambda row: row["id"] == "u3", id_type="gclid")
    assert check(graph, "an_id_belongs_to_one_person")[0]


def test_a_giant_raises_the_alarm_until_it_shrinks(graph: Lake, source: MemorySource) -> None:
    source.content["c"] = [edge("u8", "s1", 8)]
    stitch(graph, rules=RULES, run_id="3", sources=[source])
    assert check(graph, "no_component_is_giant") == (False, AssetCheckSeverity.WARN, [1])
    assert check(graph, "an_id_belongs_to_one_person")[0]
    assert check(graph, "redirects_lead_to_people")[0]
    del source.content["c"]
    stitch(graph, rules=RULES, run_id="4", sources=[source])
    assert check(graph, "no_component_is_giant")[0]


def test_two_giants_count_as_two_and_other_quarantine_is_no_giant(lake: Lake) -> None:
    shared = [edge("u1", "e1", 1), edge("u1", "e2", 2)]
    giants = [edge(f"{kind}{number}", f"{kind}9", number) for kind in "sh" for number in range(5)]
    rules = Rules(limits={"email": 1}, maximum_ids_per_person=5)
    result = stitch(lake, rules=rules, run_id="1", sources=[MemorySource(content={"a": shared + giants})])
    assert (result.quarantined, result.giants) == (3, 2)
    assert check(lake, "no_component_is_giant") == (False, AssetCheckSeverity.WARN, [2])


def test_a_redirect_to_a_person_that_is_not_there_is_lost(graph: Lake) -> None:
    add(graph, ID_GRAPH_MERGES, lambda row: True, old_global_user_id="old", new_global_user_id="nobody")
    assert check(graph, "redirects_lead_to_people") == (False, AssetCheckSeverity.ERROR, [1])
    add(graph, ID_GRAPH, lambda row: row["id"] == "u3", id="u4", global_user_id=None)
    assert check(graph, "redirects_lead_to_people")[2] == [1]


def test_a_redirect_to_nobody_because_the_ids_are_gone_is_right(graph: Lake, source: MemorySource) -> None:
    del source.content["a"], source.content["b"]
    stitch(graph, rules=RULES, run_id="3", sources=[source])
    assert set(redirect_map(graph).values()) == {None}
    assert check(graph, "redirects_lead_to_people")[0]
