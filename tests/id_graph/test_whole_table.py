"""A run that changes much of id_graph writes it anew: the same tables, and a cost that no full run exceeds."""

from __future__ import annotations

import math
import tempfile
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.id_graph import rows
from blotout_orchestration.id_graph import stitch as stitching
from blotout_orchestration.id_graph.contract import ID_GRAPH
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.id_graph.workspace import Workspace
from blotout_orchestration.lake import Lake
from tests.id_graph.helpers import NO_RULES, Edge, MemorySource, edge, graph_rows, person_of, redirect_map
from tests.id_graph.test_stitching_properties import BATCHES, SLOW, TIGHT, _lake, _quarantine
from tests.id_graph.test_unmerge import _redirects

GIANT = [edge("u1", f"s{number}", 100 + number) for number in range(40)]
STRANGER = [edge("u9", "e9", 10)]


@settings(SLOW, max_examples=20)
@given(BATCHES, st.sampled_from([NO_RULES, TIGHT, Rules()]), st.sampled_from([-1, 0.3, 0.6]))
def test_a_table_written_anew_is_the_one_that_changed_rows_give(
    batches: list[list[Edge]], rules: Rules, share: float
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        by_row, anew = _lake(one), _lake(other)
        source = MemorySource()
        for number, edges in enumerate(batches):
            source.content[f"b{number}"] = edges
            results = []
            for lake, most in ((by_row, math.inf), (anew, share)):
                with mock.patch.multiple(rows, FEW=0, MOST=most):
                    results.append(stitch(lake, rules=rules, run_id=f"{number}", sources=[source]))
            assert results[0].ids == results[1].ids == len(graph_rows(anew))
            assert results[0].people == results[1].people
            assert results[0].new_ids == results[1].new_ids
            assert results[0].merged == results[1].merged
            assert results[0].split == results[1].split
            assert graph_rows(by_row) == graph_rows(anew)
            assert _quarantine(by_row) == _quarantine(anew)
            assert _redirects(by_row) == _redirects(anew)


@pytest.fixture
def joined(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> MemorySource:
    """A giant and an older stranger, stitched; the next run joins them."""
    monkeypatch.setattr(rows, "FEW", 10)
    source = MemorySource(content={"a": GIANT + STRANGER})
    stitch(lake, rules=NO_RULES, run_id="1", sources=[source])
    source.content["b"] = [edge("u9", "s0", 200)]
    return source


def test_a_giant_that_is_joined_by_an_older_id_is_relabelled_without_a_look_at_its_edges(
    lake: Lake, joined: MemorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    giant, stranger = person_of(lake, "u1"), person_of(lake, "u9")
    monkeypatch.setattr(stitching, "_everything", None)
    result = stitch(lake, rules=NO_RULES, run_id="2", sources=[joined])
    assert {row[3] for row in graph_rows(lake)} == {stranger}
    assert redirect_map(lake) == {giant: stranger}
    assert (result.ids, result.people, result.new_ids, result.merged) == (43, 1, 0, {giant: stranger})
    assert not lake.plan(ID_GRAPH).delete_files


def test_a_table_that_changed_before_it_was_written_anew_is_planned_again(
    lake: Lake, joined: MemorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger, is_most = person_of(lake, "u9"), rows.is_most

    def changed_meanwhile(space: Workspace, number: int) -> bool:
        monkeypatch.setattr(rows, "is_most", is_most)
        assert lake.rewrite_if_fragmented(ID_GRAPH, {}, maximum_files=0)
        return True

    monkeypatch.setattr(rows, "is_most", changed_meanwhile)
    assert stitch(lake, rules=NO_RULES, run_id="2", sources=[joined]).full
    assert {row[3] for row in graph_rows(lake)} == {stranger}
    assert len(graph_rows(lake)) == 43


def test_a_giant_that_keeps_its_person_is_not_written_anew(lake: Lake, joined: MemorySource) -> None:
    joined.content["b"] = [edge("u8", "s0", 200)]
    stitch(lake, rules=NO_RULES, run_id="2", sources=[joined])
    assert len(lake.plan(ID_GRAPH).files) == 2


def test_new_rules_that_concern_most_people_rebuild_everything(lake: Lake, joined: MemorySource) -> None:
    strict = NO_RULES.model_copy(update={"map_id_limits": {"shopify": 1}})
    result = stitch(lake, rules=strict, run_id="2", sources=[joined])
    assert result.full
    stitch(lake, rules=strict, run_id="3", sources=[joined], full=True)
    assert (result.ids, result.people) == (len(graph_rows(lake)), len({row[3] for row in graph_rows(lake)}))
