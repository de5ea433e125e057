"""The words of `blotout id-graph`, and the picture of component sizes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from blotout_orchestration.errors import UsageError
from blotout_orchestration.id_graph import commands
from blotout_orchestration.id_graph.contract import ID_GRAPH_BLOCKS
from blotout_orchestration.id_graph.plots import component_sizes, largest_people, size_histogram
from blotout_orchestration.id_graph.stitch import stitch
from blotout_orchestration.lake import Lake
from tests.id_graph.helpers import NO_RULES, MemorySource, edge, node, person_of


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


MAIL = ("email", None, "uma.evans@shop.example")


def _with_mail(lake: Lake) -> MemorySource:
    """u1 and u2 are one person by nothing but an e-mail address."""
    content = {"a": [(node("u1"), MAIL, 1), (node("u2"), MAIL, 2), edge("u7", "g7", 4)]}
    source = MemorySource(content=content)
    stitch(lake, rules=NO_RULES, run_id="mail", sources=[source])
    assert person_of(lake, "u1") == person_of(lake, "u2")
    return source


@pytest.mark.parametrize("arguments", [(), ("--type", "email")])
def test_an_address_in_capitals_is_blocked_in_the_spelling_of_the_graph(
    stitched: Lake, arguments: tuple[str, ...]
) -> None:
    source = _with_mail(stitched)
    said = _said("block", " UMA.Evans@SHOP.example", *arguments)
    assert "blocked uma.evans@shop.example: 1 nodes of the graph" in said
    assert "warning" not in said
    stitch(stitched, rules=NO_RULES, run_id="blocked", sources=[source])
    assert person_of(stitched, "u1") != person_of(stitched, "u2")
    assert "1 nodes" in _said("block", "uma.evans@shop.example", *arguments)
    assert "unblocked uma.evans@shop.example. 0 ids" in _said("unblock", "Uma.Evans@shop.example", *arguments)
    stitch(stitched, rules=NO_RULES, run_id="unblocked", sources=[source])
    assert person_of(stitched, "u1") == person_of(stitched, "u2")


def test_an_id_that_is_an_address_as_sent_is_blocked_beside_the_address(stitched: Lake) -> None:
    sent = ("map_id", "shopify", "Uma.Evans@shop.example")
    source = MemorySource(content={"a": [(node("u1"), sent, 1), (node("u2"), MAIL, 2)]})
    stitch(stitched, rules=NO_RULES, run_id="sent", sources=[source])
    said = _said("block", "Uma.Evans@shop.example")
    assert "blocked Uma.Evans@shop.example and uma.evans@shop.example: 2 nodes" in said


@pytest.mark.parametrize(
    ("words", "spelled"),
    [
        (["+1 (555) 010-1021"], "+15550101021"),
        (["+1 (555) 010-1021", "--type", "phone"], "+15550101021"),
        (["A" * 64], "a" * 64),
        (["nobody"], "nobody"),
        ([MAIL[2], "--type", "user_id"], MAIL[2]),
    ],
)
def test_a_block_before_its_id_is_allowed_and_told(stitched: Lake, words: list[str], spelled: str) -> None:
    _with_mail(stitched)
    said = _said("block", *words)
    assert f"blocked {spelled}: 0 nodes of the graph. 1 ids are blocked" in said
    assert "warning: neither id_graph nor id_edges has this id" in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["block", ""], "the id is empty"),
        (["unblock", "  "], "the id is empty"),
        (["block", "guest"], "'guest' is no id: empty, junk by the rules"),
        (["block", "u1", "--type", "email"], "'u1' is no email"),
        (["block", "a" * 64, "--type", "email"], "is no email but email_sha256: block it with that --type"),
        (["block", "u1", "--type", "foo"], "--type foo: unknown type of an id; the types are user_id,"),
        (["unblock", "u1", "--type", "foo"], "--type foo: unknown type"),
    ],
)
def test_what_can_be_no_id_is_a_usage_error_and_blocks_nothing(
    stitched: Lake, words: list[str], complaint: str
) -> None:
    done = CliRunner().invoke(commands.id_graph_app, words)
    assert isinstance(done.exception, UsageError)
    assert complaint in str(done.exception)
    assert stitched.read(ID_GRAPH_BLOCKS).num_rows == 0


def test_an_id_that_was_not_blocked_is_said_to_be_so(stitched: Lake) -> None:
    _said("block", "s1", "--type", "map_id")
    assert "nobody was not blocked" in _said("unblock", "nobody")
    assert "blocked with --type is unblocked with it. 1 ids are blocked" in _said("unblock", "s1")
    assert "s1 was not blocked as user_id" in _said("unblock", "s1", "--type", "user_id")


def test_what_was_blocked_in_another_spelling_can_be_unblocked(stitched: Lake) -> None:
    row = {"id_type": None, "id": "UMA@SHOP.EXAMPLE", "reason": "by an older version"}
    schema = ID_GRAPH_BLOCKS.arrow_schema
    stitched.append(ID_GRAPH_BLOCKS, pa.Table.from_pylist([row], schema=schema), {})
    assert "unblocked UMA@SHOP.EXAMPLE. 0 ids" in _said("unblock", "UMA@SHOP.EXAMPLE")


def test_sizes_are_counted_and_drawn(stitched: Lake) -> None:
    assert component_sizes(stitched) == {2: 1, 4: 1}
    assert largest_people(stitched, 1) == [(person_of(stitched, "u1"), 4)]
    assert size_histogram(component_sizes(stitched)).startswith(b"\x89PNG")
    assert size_histogram({}).startswith(b"\x89PNG")
