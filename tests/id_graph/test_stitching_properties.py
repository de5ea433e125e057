"""Whatever the order, the split into runs and the evidence taken back: the graph is a function of its edges."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from blotout_orchestration.id_graph.blocks import block_ids, unblock_ids
from blotout_orchestration.id_graph.contract import ID_GRAPH_QUARANTINE
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.id_graph.helpers import (
    NO_RULES,
    Edge,
    MemorySource,
    edge,
    graph_rows,
    oracle,
    people,
    person_of,
    redirect_map,
)

NAMES = [f"{kind}{number}" for kind in "uuseg" for number in range(6)]
EDGES = st.builds(
    edge, st.sampled_from(NAMES), st.one_of(st.none(), st.sampled_from(NAMES)), st.integers(0, 40)
).filter(lambda item: item[0] != item[1])
BATCHES = st.lists(st.lists(EDGES, max_size=6), min_size=1, max_size=5)
TIGHT = Rules(
    limits={"map_id": 2, "email": 1}, map_id_limits={"shopify": 1}, maximum_links={"gclid": 2, "user_id": 4}
)
SMALL = Rules(limits={}, maximum_links={}, maximum_ids_per_person=5)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SLOW = settings(max_examples=12, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))


def _lake(folder: str) -> Lake:
    home = Path(folder)
    return Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))


def _quarantine(lake: Lake) -> list[str]:
    return sorted(str(row) for row in lake.read(ID_GRAPH_QUARANTINE).to_pylist())


def _all(content: dict[str, list[Edge]]) -> list[Edge]:
    return [item for edges in content.values() for item in edges]


def _without(name: str, edges: list[Edge]) -> list[Edge]:
    """The edges with an id taken out; what it was linked to stays, alone."""
    kept: list[Edge] = []
    for left, right, minute in edges:
        ends = [end for end in (left, right) if end and end[2] != name]
        if ends:
            kept.append((ends[0], ends[1] if len(ends) > 1 else None, minute))
    return kept


@SLOW
@given(BATCHES, st.randoms(use_true_random=False), st.sampled_from([NO_RULES, TIGHT, SMALL, Rules()]))
def test_runs_in_any_order_and_split_give_the_rows_of_one_full_rebuild(
    batches: list[list[Edge]], random: object, rules: Rules
) -> None:
    content = {f"b{index}": edges for index, edges in enumerate(batches)}
    order = list(content)
    random.shuffle(order)  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        step_by_step, at_once = _lake(one), _lake(other)
        source = MemorySource()
        published: set[str] = set()
        for name in order:
            source.content[name] = content[name]
            stitch(step_by_step, rules=rules, run_id=name, sources=[source])
            published |= {row[3] for row in graph_rows(step_by_step)}
        stitch(at_once, rules=rules, run_id="full", sources=[source], full=True)
        assert graph_rows(step_by_step) == graph_rows(at_once)
        assert _quarantine(step_by_step) == _quarantine(at_once)
        if rules is NO_RULES:
            assert people(at_once) == oracle(_all(content))
        alive = {row[3] for row in graph_rows(step_by_step)}
        redirects = redirect_map(step_by_step)
        assert set(redirects) == published - alive
        assert set(redirects.values()) <= alive


@SLOW
@given(BATCHES, BATCHES, st.sampled_from([NO_RULES, TIGHT, SMALL]))
def test_batches_that_change_or_vanish_leave_what_a_full_rebuild_gives(
    before: list[list[Edge]], after: list[list[Edge]], rules: Rules
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        changed, fresh = _lake(one), _lake(other)
        source = MemorySource(content={f"b{index}": edges for index, edges in enumerate(before)})
        stitch(changed, rules=rules, run_id="before", sources=[source])
        published = {row[3] for row in graph_rows(changed)}
        source.content = {f"b{index}": edges for index, edges in enumerate(after)}
        stitch(changed, rules=rules, run_id="after", sources=[source])
        stitch(fresh, rules=rules, run_id="fresh", sources=[source])
        assert graph_rows(changed) == graph_rows(fresh)
        assert _quarantine(changed) == _quarantine(fresh)
        alive = {row[3] for row in graph_rows(changed)}
        redirects = redirect_map(changed)
        assert set(redirects) == published - alive
        assert {new for new in redirects.values() if new is not None} <= alive


@SLOW
@given(BATCHES, st.sampled_from(NAMES))
def test_blocking_an_id_and_unblocking_it_comes_back_to_the_same_rows(
    batches: list[list[Edge]], name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = _lake(folder)
        source = MemorySource(content={f"b{index}": edges for index, edges in enumerate(batches)})
        stitch(lake, rules=NO_RULES, run_id="1", sources=[source])
        before = graph_rows(lake)
        block_ids(lake, [name], reason="test")
        stitch(lake, rules=NO_RULES, run_id="2", sources=[source])
        assert people(lake) == oracle(_without(name, _all(source.content)))
        published = {row[3] for row in before} | {row[3] for row in graph_rows(lake)}
        unblock_ids(lake, [name])
        stitch(lake, rules=NO_RULES, run_id="3", sources=[source])
        assert graph_rows(lake) == before
        alive = {row[3] for row in before}
        assert set(redirect_map(lake)) == published - alive
        assert set(redirect_map(lake).values()) <= alive


def test_the_older_person_keeps_its_id_when_a_younger_one_joins_it(lake: Lake) -> None:
    source = MemorySource(content={"a": [edge("u1", "s1", 10), edge("u2", "s2", 20)]})
    stitch(lake, rules=NO_RULES, run_id="1", sources=[source])
    older, younger = person_of(lake, "u1"), person_of(lake, "u2")
    source.content["b"] = [edge("u2", "s1", 30)]
    result = stitch(lake, rules=NO_RULES, run_id="2", sources=[source])
    assert person_of(lake, "u2") == older
    assert redirect_map(lake) == {younger: older}
    assert (result.merges, result.splits, result.merged) == (1, 0, {younger: older})
