"""A sync killed at any moment, then synced again: the destination has the audience, and nothing twice."""

from __future__ import annotations

import signal

import pytest

from blotout_orchestration.activation.journal import Header, Journal
from blotout_orchestration.activation.workspace import Workspace
from tests.activation.child import run_killed, start
from tests.activation.helpers import assert_sums_hold, ledger, people, person, runs

BEFORE = [person("ada"), person("bob"), person("eve")]
AFTER = [person("ada", "New"), person("bob"), person("zoe")]
WANTED = {"ada@example.com", "bob@example.com", "zoe@example.com"}
KILLED = -signal.SIGKILL


def _moments() -> list[object]:
    """Every request, flushed journal line and commit of the sync; a few of them in the quick tests."""
    quick = [("request", 1), ("fsync", 3), ("commit", 1)]
    others = [("request", 0), *(("fsync", i) for i in range(7)), *(("commit", i) for i in range(3))]
    return [*quick, *(pytest.param(*one, marks=pytest.mark.heavy) for one in others if one not in quick)]


@pytest.mark.parametrize(("what", "count"), _moments())
def test_a_webhook_gets_each_change_once(lake, settings, receiver, to_receiver, sync, what, count):
    people(lake, BEFORE)
    sync(to_receiver(), "first")
    people(lake, AFTER)
    process = start(settings.blotout_home, to_receiver(), "killed", what, count)
    if what == "request":
        receiver.faults.extend([*([None] * count), "kill after"])
    ended = run_killed(receiver, process)
    report = sync(to_receiver(), "after")
    assert (ended, report.state) == (KILLED, "succeeded")
    assert receiver.emails() == WANTED
    changes = [(operation, values.get("first_name")) for operation, _, values in receiver.log[3:]]
    assert sorted(changes, key=str) == [("delete", None), ("upsert", "Ada"), ("upsert", "New")]
    assert {row["state"] for row in ledger(lake).values()} == {"delivered", "removed"}
    assert_sums_hold(lake)
    assert not list((settings.blotout_home / "activation" / "vip").glob("*.journal"))


@pytest.mark.heavy
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("moment", ["kill before", "kill after"])
def test_the_list_at_klaviyo_is_the_audience(lake, settings, klaviyo, to_klaviyo, sync, moment, place):
    people(lake, BEFORE)
    sync(to_klaviyo(), "first")
    people(lake, AFTER)
    process = start(settings.blotout_home, to_klaviyo(), "killed")
    klaviyo.limited = False
    klaviyo.faults.extend([*([None] * place), moment])
    ended = run_killed(klaviyo, process)
    sync(to_klaviyo(), "after")
    assert (ended, klaviyo.members()) == (KILLED, WANTED)
    assert {row["state"] for row in runs(lake)} == {"succeeded", "killed"}
    assert_sums_hold(lake)


def test_a_job_with_a_receipt_is_asked_for_and_not_sent_again(lake, settings, klaviyo, to_klaviyo, sync):
    people(lake, AFTER)
    process = start(settings.blotout_home, to_klaviyo(), "killed")
    klaviyo.limited = False
    klaviyo.faults.extend([None, "kill after"])
    run_killed(klaviyo, process)
    report = sync(to_klaviyo(), "after")
    assert (klaviyo.members(), klaviyo.imported) == (WANTED, 3)
    assert (report.recovered, report.sent, report.unchanged) == (1, 0, 3)


def test_a_kill_between_pages_of_invalid_rows_leaves_sums_that_hold(
    lake, settings, receiver, to_receiver, sync
):
    journal = Journal(Workspace(settings, "vip").journal("killed"))
    journal.begin(Header("vip", "killed", "webhook", "mirror", 1, "2026-03-05T11:00:00+00:00", 0, 5, 0, 3))
    journal.invalid([("k1", "null_key"), ("k2", "null_key")])
    journal.close()
    people(lake, AFTER)
    sync(to_receiver(), "after")
    killed = next(row for row in runs(lake) if row["run_id"] == "killed")
    assert (killed["state"], killed["invalid"], killed["unsent"]) == ("killed", 2, 3)
    assert_sums_hold(lake)
