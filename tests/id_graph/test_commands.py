"""The words of `blotout id-graph`, and the picture of component sizes."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from blotout_orchestration.id_graph import commands
from blotout_orchestration.id_graph.plots import component_sizes, largest_people, size_histogram
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from tests.id_graph.helpers import NO_RULES, MemorySource, edge, person_of


@pytest.fixture
def stitched(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Two people, one of them with a chain of four ids, and the commands pointed at their lake."""
    edges = [edge("u1", "s1", 1), edge("u2", "s1", 2), edge("u2", "e1", 3), edge("u7", "g7", 4)]
    stitch(lake, rules=NO_RULES, run_id="test", sources=[MemorySource(content={"a": edges})])
    monkeypatch.setattr(commands, "load_settings", lambda: lake.settings)
    return lake


def _said(*words: str) -> str:
    done = CliRunner().invoke(commands.id_graph_app, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def test_explain_shows_the_chain_between_two_ids(stitched: Lake) -> None:
    said = _said("explain", "u1", "e1")
    assert "one person: " + person_of(stitched, "u1") in said
    lines = [line for line in said.splitlines() if " - " in line]
    assert [("s1" in line, "e1" in line) for line in lines] == [(True, False), (True, False), (False, True)]


def test_explain_says_that_nothing_links_two_people(stitched: Lake) -> None:
    said = _said("explain", "u1", "u7")
    assert "different people" in said
    assert "no chain of evidence" in said


def test_explain_shows_all_evidence_of_one_id(stitched: Lake) -> None:
    said = _said("explain", "s1")
    assert "user_id u1" in said
    assert "user_id u2" in said
    assert "memory.odd" in said


def test_block_and_unblock_count_what_is_blocked(stitched: Lake) -> None:
    assert "1 ids are blocked" in _said("block", "s1", "--type", "map_id", "--reason", "kiosk")
    assert "0 ids are blocked" in _said("unblock", "s1", "--type", "map_id")


def test_sizes_are_counted_and_drawn(stitched: Lake) -> None:
    assert component_sizes(stitched) == {2: 1, 4: 1}
    assert largest_people(stitched, 1) == [(person_of(stitched, "u1"), 4)]
    assert size_histogram(component_sizes(stitched)).startswith(b"\x89PNG")
    assert size_histogram({}).startswith(b"\x89PNG")
