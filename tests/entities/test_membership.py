"""Membership through time: who entered and left when, in one commit, however often and from wherever it is run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.entities import registry
from blotout_orchestration.entities.contract import SEGMENT_MEMBERSHIP
from blotout_orchestration.entities.membership import update_membership
from blotout_orchestration.entities.plots import segment_sizes, sizes_over_time
from blotout_orchestration.entities.warehouse import WarehouseUnavailableError
from blotout_orchestration.errors import UsageError
from blotout_orchestration.id_graph.contract import ID_GRAPH_MERGES
from blotout_orchestration.lake import Lake
from tests.entities import warehouse as made

BUYERS = {"profile": "orders", "operator": "GREATER_THAN", "value": 0}
RECENT = {"recency": "last_order_at", "within": "30 days"}


def _user(name: str, orders: int, last_day: float | None = None) -> dict[str, Any]:
    at = None if last_day is None else made.START + timedelta(days=last_day)
    return {"global_user_id": name, "orders": orders, "last_order_at": at}


def _day(number: float) -> datetime:
    return made.START + timedelta(days=number)


def _stays(lake: Lake) -> list[tuple[Any, ...]]:
    rows = lake.read(SEGMENT_MEMBERSHIP).to_pylist()
    columns = ("segment", "global_user_id", "version", "entered_at", "left_at")
    return sorted((tuple(row[name] for name in columns) for row in rows), key=str)


def _inside(lake: Lake) -> set[tuple[str, str]]:
    return {(row[0], row[1]) for row in _stays(lake) if row[4] is None}


def _tick(lake: Lake, users: list[dict[str, Any]], days: int, run: str = "run") -> Any:
    made.publish(lake.settings, users, days=days)
    return update_membership(lake, run_id=run)


def _snapshots(lake: Lake) -> list[Any]:
    return lake.catalog.load_table(f"{lake.namespace}.segment_membership").snapshots()


@pytest.fixture
def buyers(lake: Lake) -> Lake:
    registry.add(lake.settings, [made.segment(BUYERS, "buyers"), made.segment(RECENT, "recent")], "me")
    return lake


def test_two_ticks_tell_who_entered_and_who_left_and_when(buyers):
    _tick(buyers, [_user("ann", 1, 25), _user("bob", 2, 5), _user("cyd", 0)], 30)
    result = _tick(
        buyers, [_user("ann", 1, 25), _user("bob", 2, 5), _user("cyd", 1, 38), _user("dan", 0)], 40
    )
    assert _stays(buyers) == [
        ("buyers", "ann", 1, _day(30), None),
        ("buyers", "bob", 1, _day(30), None),
        ("buyers", "cyd", 1, _day(40), None),
        ("recent", "ann", 1, _day(30), None),
        ("recent", "bob", 1, _day(30), _day(40)),
        ("recent", "cyd", 1, _day(40), None),
    ]
    assert [(c.segment, c.members, c.entered, c.left) for c in result.changes] == [
        ("buyers", 3, 1, 0),
        ("recent", 2, 1, 1),
    ]
    assert sizes_over_time(buyers) == {
        "buyers": [(_day(30), 2), (_day(40), 3)],
        "recent": [(_day(30), 2), (_day(40), 2)],
    }
    assert segment_sizes(sizes_over_time(buyers), _day(41)).startswith(b"\x89PNG")


def test_somebody_who_comes_back_has_two_stays(buyers):
    for day, last in ((10, 9), (50, 9), (60, 55)):
        _tick(buyers, [_user("ann", 1, last)], day)
    assert [row for row in _stays(buyers) if row[0] == "recent"] == [
        ("recent", "ann", 1, _day(10), _day(50)),
        ("recent", "ann", 1, _day(60), None),
    ]


def test_the_same_data_again_makes_no_commit(buyers):
    _tick(buyers, [_user("ann", 1, 25)], 30)
    before = _stays(buyers), len(_snapshots(buyers))
    _tick(buyers, [_user("ann", 1, 25)], 30)
    assert (_stays(buyers), len(_snapshots(buyers))) == before


def test_a_tick_is_one_commit_with_its_proof(buyers):
    _tick(buyers, [_user("ann", 1, 25), _user("bob", 1, 1)], 30)
    count = len(_snapshots(buyers))
    _tick(buyers, [_user("ann", 1, 25), _user("cyd", 1, 30)], 35, run="second")
    assert len(_snapshots(buyers)) == count + 1
    summary = _snapshots(buyers)[-1].summary
    assert (summary["run_id"], summary["as_of"]) == ("second", _day(35).isoformat())


people = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(0, 60)))
)


@given(st.lists(people, min_size=1, max_size=4))
@hypothesis_settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_members_after_any_history_are_those_computed_from_nothing(tmp_path_factory, settings, states):
    def fresh() -> Lake:
        ground = settings.model_copy(update={"blotout_home": tmp_path_factory.mktemp("home")})
        registry.add(ground, [made.segment(BUYERS, "buyers"), made.segment(RECENT, "recent")], "me")
        return Lake(ground)

    grown, recomputed = fresh(), fresh()
    for number, state in enumerate(states):
        users = [_user(name, *values) for name, values in state.items()]
        _tick(grown, users, 30 + 10 * number)
    _tick(recomputed, users, 30 + 10 * (len(states) - 1))
    assert _inside(grown) == _inside(recomputed)
    for _, _, _, entered, left in _stays(grown):
        assert left is None or entered < left


def test_a_broken_segment_keeps_its_members_and_the_others_go_on(buyers):
    _tick(buyers, [_user("ann", 1, 25)], 30)
    broken = made.segment({"profile": "no_such", "operator": "IS_SET"}, "recent")
    registry.add(buyers.settings, [broken], "me")
    result = _tick(buyers, [_user("bob", 1, 25)], 31)
    assert list(result.failures) == ["recent"]
    assert "view_users has no column no_such" in result.failures["recent"]
    assert _inside(buyers) == {("buyers", "bob"), ("recent", "ann")}


def test_a_definition_in_the_registry_that_no_longer_reads_is_only_its_own_failure(buyers):
    from sqlalchemy import update

    from blotout_orchestration.platform.database import platform_database
    from blotout_orchestration.platform.database.tables import entity_definition

    with platform_database(buyers.settings).begin() as connection:
        old = {"kind": "segment", "name": "recent", "description": "x", "where": {"gone": 1}}
        connection.execute(
            update(entity_definition).where(entity_definition.c.name == "recent").values(payload=old)
        )
    result = _tick(buyers, [_user("ann", 1, 25)], 30)
    assert "segment recent version 1: where: is no condition" in result.failures["recent"]
    assert _inside(buyers) == {("buyers", "ann")}


def test_a_new_version_keeps_the_stays_of_those_who_remain(buyers):
    _tick(buyers, [_user("ann", 1, 25), _user("bob", 5, 25)], 30)
    registry.add(buyers.settings, [made.segment({**BUYERS, "value": 3}, "buyers")], "me")
    _tick(buyers, [_user("ann", 1, 25), _user("bob", 5, 25), _user("cyd", 7)], 31)
    assert [row for row in _stays(buyers) if row[0] == "buyers"] == [
        ("buyers", "ann", 1, _day(30), _day(31)),
        ("buyers", "bob", 1, _day(30), None),
        ("buyers", "cyd", 2, _day(31), None),
    ]


def test_members_of_a_removed_segment_leave(buyers):
    _tick(buyers, [_user("ann", 1, 25)], 30)
    registry.remove(buyers.settings, "segment", "buyers", "me")
    _tick(buyers, [_user("ann", 1, 25)], 31)
    assert _inside(buyers) == {("recent", "ann")}


def test_an_empty_registry_closes_no_stay_and_says_which_database_to_check(buyers, tmp_path):
    _tick(buyers, [_user("ann", 1, 25), _user("bob", 1)], 30)
    before = _stays(buyers)
    database = SecretStr(f"sqlite:///{tmp_path / 'new.sqlite'}")
    new = Lake(buyers.settings.model_copy(update={"platform_database": database}))
    assert registry.live(new.settings, "segment") == []
    result = _tick(new, [_user("ann", 1, 25)], 31)
    assert set(result.failures) == {"buyers", "recent"}
    assert "its 2 members are kept; check PLATFORM_DATABASE" in result.failures["buyers"]
    assert (result.changes, _stays(buyers)) == ([], before)
    registry.add(new.settings, [made.segment(BUYERS, "buyers")], "me")
    registry.add(new.settings, [made.segment(RECENT, "recent")], "me")
    registry.remove(new.settings, "segment", "recent", "me")
    assert not _tick(new, [_user("ann", 1, 25)], 32).failures
    assert _stays(buyers) == [
        ("buyers", "ann", 1, _day(30), None),
        ("buyers", "bob", 1, _day(30), _day(32)),
        ("recent", "ann", 1, _day(30), _day(32)),
    ]


def test_a_merged_person_keeps_the_stay_under_the_new_id(buyers):
    _tick(buyers, [_user("old", 1, 25), _user("new", 0)], 30)
    merge = {"old_global_user_id": "old", "new_global_user_id": "new"}
    rows = pa.Table.from_pylist([merge], schema=ID_GRAPH_MERGES.arrow_schema)
    buyers.replace(ID_GRAPH_MERGES, rows, AlwaysTrue(), {})
    result = _tick(buyers, [_user("new", 1, 25)], 31)
    assert _stays(buyers) == [
        ("buyers", "new", 1, _day(30), None),
        ("recent", "new", 1, _day(30), None),
    ]
    assert result.moved == 2
    assert [(change.entered, change.left) for change in result.changes] == [(0, 0), (0, 0)]


def test_dates_never_go_backwards(buyers):
    _tick(buyers, [_user("ann", 1, 25)], 30)
    _tick(buyers, [], 20)
    assert {row[3:] for row in _stays(buyers)} == {(_day(30), _day(30))}
    with pytest.raises(UsageError, match="not computed backwards"):
        update_membership(buyers, run_id="run", as_of=_day(10))


def test_without_a_published_warehouse_the_message_says_what_to_run(buyers):
    with pytest.raises(WarehouseUnavailableError, match="run events_unified_view first"):
        update_membership(buyers, run_id="run")
