"""New rules and blocked ids: what a full rebuild gives, from the affected components alone."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.id_graph import stitch as stitching
from blotout_orchestration.id_graph.blocks import block_ids, unblock_ids
from blotout_orchestration.id_graph.contract import ID_GRAPH_MERGES, NODE_TYPES
from blotout_orchestration.id_graph.recompute import Recomputed, recompute
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.id_graph.workspace import Workspace
from blotout_orchestration.lake import Lake
from tests.id_graph.helpers import NO_RULES, Edge, MemorySource, edge, graph_rows, person_of
from tests.id_graph.test_stitching_properties import BATCHES, NAMES, SLOW, _lake, _quarantine

COMPONENTS = 1000
TWO_CUSTOMERS = [edge("u0", "s0", 1), edge("u0", "s1000", 2)]
ONE_CUSTOMER = [edge(f"u{number}", f"s{number}", number) for number in range(1, COMPONENTS)]
ONE_SHOPPER = Rules(limits={}, map_id_limits={"shopify": 1}, maximum_links={}, maximum_ids_per_person=None)

_FIGURES = st.one_of(st.none(), st.integers(1, 4))
RULES = st.builds(
    Rules,
    limits=st.dictionaries(st.sampled_from(["map_id", "email", "user_id"]), _FIGURES),
    map_id_limits=st.dictionaries(st.just("shopify"), _FIGURES),
    maximum_links=st.dictionaries(st.sampled_from(["gclid", "user_id", "map_id"]), _FIGURES),
    maximum_ids_per_person=st.one_of(st.none(), st.integers(2, 8)),
    priorities=st.permutations(NODE_TYPES).map(tuple),
)


def _redirects(lake: Lake) -> list[str]:
    return sorted(
        str({**row, "run_id": None})
        for row in lake.read(ID_GRAPH_MERGES).to_pylist()
    )  # fmt: skip


@SLOW
@given(BATCHES, st.lists(RULES, min_size=2, max_size=3))
def test_new_rules_give_the_rows_of_a_full_rebuild_with_them(
    batches: list[list[Edge]], sequence: list[Rules]
) -> None:
    source = MemorySource(content={f"b{index}": edges for index, edges in enumerate(batches)})
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        touched, rebuilt = _lake(one), _lake(other)
        for number, rules in enumerate(sequence):
            result = stitch(touched, rules=rules, run_id=f"{number}", sources=[source])
            stitch(rebuilt, rules=rules, run_id=f"{number}", sources=[source], full=True)
            assert result.full == (number == 0)
            assert graph_rows(touched) == graph_rows(rebuilt)
            assert _quarantine(touched) == _quarantine(rebuilt)
            assert _redirects(touched) == _redirects(rebuilt)


@settings(SLOW, max_examples=6)
@given(BATCHES, BATCHES, RULES, RULES, st.sampled_from(NAMES))
def test_new_rules_with_other_evidence_and_a_blocked_id_give_the_rows_of_a_full_rebuild(
    before: list[list[Edge]], after: list[list[Edge]], old: Rules, new: Rules, name: str
) -> None:
    junk = new.model_copy(update={"junk_patterns": ("never seen",)})
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        lakes = touched, rebuilt = _lake(one), _lake(other)
        for lake in lakes:
            source = MemorySource(content={f"b{index}": edges for index, edges in enumerate(before)})
            stitch(lake, rules=old, run_id="old", sources=[source])
            source.content = {f"b{index}": edges for index, edges in enumerate(after, start=1)}
            block_ids(lake, [name], reason="test")
            stitch(lake, rules=new, run_id="new", sources=[source], full=lake is rebuilt)
            # Other rules of extraction at the same time: every batch is read anew.
            stitch(lake, rules=junk, run_id="junk", sources=[source], full=lake is rebuilt)
        assert graph_rows(touched) == graph_rows(rebuilt)
        assert _quarantine(touched) == _quarantine(rebuilt)
        assert _redirects(touched) == _redirects(rebuilt)


class Shop:
    """A lake of 1,000 components, of which one holds two customers, and what its runs read and moved."""

    def __init__(self, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lake = lake
        self.source = MemorySource(content={"a": TWO_CUSTOMERS + ONE_CUSTOMER})
        self.edges_read: list[int] = []

        def counted(connection: Any, relation: str, rules: Rules) -> Recomputed:
            ((edges,),) = connection.execute(f"select count(*) from {relation}").fetchall()
            self.edges_read.append(edges)
            return recompute(connection, relation, rules)

        monkeypatch.setattr(stitching, "recompute", counted)

    def stitch(self, rules: Rules) -> tuple[int, int]:
        """Stitch, and check that no row of another component was written anew: (touched, edges read)."""
        before = self._places()
        result = stitch(self.lake, rules=rules, run_id="test", sources=[self.source])
        moved = before.items() - self._places().items()
        assert {name for name, _ in moved} <= {"u0", "s0", "s1000"}
        return result.touched_components, self.edges_read[-1]

    def _places(self) -> dict[str, tuple[str, int]]:
        with Workspace.open(self.lake) as space:
            rows = space.connection.execute("select id, file_path, pos from graph").fetchall()
        return {name: (path, pos) for name, path, pos in rows}


@pytest.fixture
def shop(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The 1,000 components, stitched once with the rules off."""
    made = Shop(lake, monkeypatch)
    assert made.stitch(NO_RULES) == (COMPONENTS, COMPONENTS + 1)
    return made


@pytest.mark.parametrize(
    "rules",
    [
        ONE_SHOPPER,
        NO_RULES.model_copy(update={"maximum_links": {"user_id": 1}}),
        NO_RULES.model_copy(update={"maximum_ids_per_person": 2}),
    ],
    ids=["limits", "maximum_links", "maximum_ids_per_person"],
)
def test_a_new_rule_touches_the_one_component_of_a_thousand_that_breaks_it_and_back(
    shop: Shop, rules: Rules
) -> None:
    before = graph_rows(shop.lake)
    assert shop.stitch(rules) == (1, 2)
    assert person_of(shop.lake, "s0") != person_of(shop.lake, "s1000")
    assert shop.stitch(rules.model_copy(update={"priorities": tuple(reversed(rules.priorities))})) == (1, 2)
    assert shop.stitch(NO_RULES) == (1, 2)
    assert graph_rows(shop.lake) == before


def test_a_new_rule_that_nothing_breaks_touches_nothing(shop: Shop) -> None:
    assert shop.stitch(Rules()) == (0, 0)


def test_a_blocked_id_touches_its_component_of_a_thousand_and_so_does_unblocking_it(shop: Shop) -> None:
    before = graph_rows(shop.lake)
    block_ids(shop.lake, ["s0"], reason="test")
    assert shop.stitch(NO_RULES) == (1, 2)
    assert "s0" not in {row[0] for row in graph_rows(shop.lake)}
    unblock_ids(shop.lake, ["s0"])
    assert shop.stitch(NO_RULES) == (1, 2)
    assert graph_rows(shop.lake) == before
