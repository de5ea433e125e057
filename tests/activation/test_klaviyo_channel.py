"""The `klaviyo` channel through the official SDK against a stateful fake: who is in the list in the end."""

from __future__ import annotations

import pytest

from blotout_orchestration.activation.channel import ChannelError
from blotout_orchestration.activation.delivery import DeliveryError
from blotout_orchestration.activation.probe import probe
from tests.activation.helpers import assert_sums_hold, channel, ledger, outcomes, people, person, runs


def _members(*names: str) -> set[str]:
    return {f"{name}@example.com" for name in names}


def test_the_list_has_the_audience_and_profiles_have_their_values(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person("ada", phone="+1 (500) 555-0006", orders=3), person("bob", "Bob")])
    mapping = {
        "email": "email",
        "first_name": "first_name",
        "phone_number": "phone",
        "properties.orders": "orders",
    }
    report = sync(to_klaviyo(mapping=mapping))
    assert klaviyo.members() == _members("ada", "bob")
    assert klaviyo.profiles[klaviyo.by_email["ada@example.com"]] == {
        "email": "ada@example.com",
        "first_name": "Ada",
        "phone_number": "+15005550006",
        "properties": {"orders": 3},
    }
    assert (report.accepted, report.matched, report.held) == (2, 2, 2)
    assert_sums_hold(lake)


def test_who_leaves_the_audience_leaves_the_list_and_stays_a_profile(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person(f"p{i}") for i in range(10)])
    sync(to_klaviyo(), "first")
    people(lake, [person(f"p{i}") for i in range(2, 11)])
    report = sync(to_klaviyo(), "second")
    assert klaviyo.members() == _members(*(f"p{i}" for i in range(2, 11)))
    assert (report.removed, report.creates, report.unchanged) == (2, 1, 8)
    assert len(klaviyo.profiles) == 11


def test_people_that_others_put_into_the_list_are_never_removed(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person("ada"), person("bob")])
    sync(to_klaviyo(), "first")
    klaviyo.profiles["PX"], klaviyo.by_email["other@example.com"] = {"email": "other@example.com"}, "PX"
    klaviyo.lists["LIST1"]["PX"] = None
    people(lake, [person("ada")])
    sync(to_klaviyo(), "second")
    assert klaviyo.members() == _members("ada", "other")


def test_rows_that_the_job_rejects_are_retried_in_later_syncs_and_then_given_up(
    lake, klaviyo, to_klaviyo, sync
):
    bad = person("bad") | {"email": "bad@rejected.example"}
    people(lake, [person("ada"), bad])
    to = to_klaviyo(options={"maximum_attempts": 2})
    first, second, third = (sync(to, run) for run in ("first", "second", "third"))
    assert [one.rejected for one in (first, second, third)] == [1, 1, 0]
    assert (third.invalid, third.invalid_reasons) == (
        1,
        {"given_up: rejected 2 times; reset the channel or mend the row": 1},
    )
    assert klaviyo.members() == _members("ada")
    assert outcomes(lake, "rejected")[0]["reason"] == "invalid: (e-mail) is not a valid email."
    people(lake, [person("ada"), bad | {"first_name": "Mended"}])
    assert sync(to, "fourth").sent == 1
    assert_sums_hold(lake)


@pytest.mark.parametrize("names_rows", [True, False], ids=["named", "unnamed"])
def test_one_bad_row_never_fails_a_batch(lake, klaviyo, to_klaviyo, sync, names_rows):
    klaviyo.names_rows = names_rows
    rows = [person(f"p{i}") for i in range(20)]
    people(
        lake,
        [*rows, person("x") | {"email": "x@refused.example"}, person("y") | {"email": "y@refused.example"}],
    )
    report = sync(to_klaviyo())
    assert klaviyo.members() == _members(*(f"p{i}" for i in range(20)))
    assert (report.accepted, report.rejected) == (20, 2)
    assert {row["reason"] for row in outcomes(lake, "rejected")} == {"invalid: (value) is not a valid email."}
    assert_sums_hold(lake)


def test_a_destination_that_refuses_everything_is_not_asked_row_by_row(lake, klaviyo, to_klaviyo, sync):
    klaviyo.names_rows, klaviyo.validated_profiles = False, 10
    people(lake, [person("x") | {"email": f"x{i}@refused.example"} for i in range(1_000)])
    with pytest.raises(ChannelError, match="refused each of the first 64 rows"):
        sync(to_klaviyo())
    assert len(klaviyo.requests) < 200
    assert_sums_hold(lake)


def test_update_and_create_ask_klaviyo_who_is_known(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person("ada", "Old")])
    sync(to_klaviyo("upsert"), "first")
    people(lake, [person("ada", "New"), person("bob")])
    update = to_klaviyo("update")
    report = sync(update, "second")
    assert (report.accepted, report.rejected) == (1, 1)
    assert klaviyo.profiles[klaviyo.by_email["ada@example.com"]]["first_name"] == "New"
    assert klaviyo.members() == _members("ada")
    people(lake, [person("ada", "Newest"), person("bob")])
    report = sync(to_klaviyo("create"), "third", reset=True)
    assert (report.accepted, report.rejected) == (1, 1)
    assert klaviyo.profiles[klaviyo.by_email["ada@example.com"]]["first_name"] == "New"
    assert klaviyo.members() == _members("ada", "bob")


def test_mode_delete_takes_the_audience_out_of_the_list(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person("ada"), person("bob")])
    sync(to_klaviyo("upsert"), "first")
    people(lake, [person("bob"), person("never-there")])
    report = sync(to_klaviyo("delete"), "second")
    assert klaviyo.members() == _members("ada")
    assert (report.sent, report.removed, report.accepted) == (2, 0, 2)
    assert sync(to_klaviyo("delete"), "third").unchanged == 2
    assert_sums_hold(lake)


@pytest.mark.parametrize("fault", ["429", "500", "lost", "dropped"])
@pytest.mark.parametrize("place", range(4))
def test_a_fault_at_any_call_changes_nothing_in_the_end(lake, klaviyo, to_klaviyo, sync, fault, place):
    people(lake, [person("ada"), person("bob")])
    sync(to_klaviyo(), "first")
    people(lake, [person("ada"), person("eve")])
    klaviyo.faults.extend([*([None] * place), fault])
    report = sync(to_klaviyo(), "second")
    assert (klaviyo.members(), report.state) == (_members("ada", "eve"), "succeeded")
    assert_sums_hold(lake)


def test_retry_after_is_honoured(lake, klaviyo, to_klaviyo, sync, clock):
    people(lake, [person("ada")])
    klaviyo.faults.extend(["429", "429"])
    sync(to_klaviyo())
    assert clock.elapsed >= 6


def test_an_outage_fails_the_sync_and_the_next_one_sends_what_is_open(lake, klaviyo, to_klaviyo, sync):
    people(lake, [person("ada"), person("bob")])
    klaviyo.faults.extend(["500"] * 8)
    with pytest.raises(DeliveryError, match="cannot be reached"):
        sync(to_klaviyo(), "first")
    assert {row["state"] for row in ledger(lake).values()} == {"unknown"}
    assert (runs(lake)[0]["state"], runs(lake)[0]["unsent"]) == ("failed", 2)
    report = sync(to_klaviyo(), "second")
    assert (klaviyo.members(), report.sent) == (_members("ada", "bob"), 2)
    assert_sums_hold(lake)


def test_a_wrong_key_is_told_at_once_and_leaves_nothing_unknown(lake, klaviyo, to_klaviyo, sync, monkeypatch):
    monkeypatch.setenv("KLAVIYO_KEY", "pk_wrong")
    people(lake, [person("ada")])
    with pytest.raises(ChannelError, match="answered 401"):
        sync(to_klaviyo())
    assert (len(klaviyo.requests), ledger(lake)) == (1, {})


def test_the_probe_reads_the_list_and_writes_nothing(lake, settings, klaviyo, to_klaviyo, clock):
    people(lake, [person("ada")])
    result = probe(settings, to_klaviyo(), clock)
    assert (result.destination.facts, result.plan.creates) == ({"list": "VIP"}, 1)
    assert {request.method for request in klaviyo.requests} == {"GET"}
    with pytest.raises(ChannelError, match="404"):
        probe(settings, to_klaviyo(options={"list_id": "NOLIST"}), clock)


def test_secrets_must_be_references(lake):
    with pytest.raises(ValueError, match="never the secret itself"):
        channel("klaviyo", connection={"api_key": "pk_0123456789abcdef0123"}, options={"list_id": "LIST1"})


@pytest.mark.parametrize("outage", [False, True], ids=["answered-on-retry", "answered-next-sync"])
def test_who_was_created_by_a_lost_answer_can_withdraw(lake, klaviyo, to_klaviyo, sync, outage):
    klaviyo.job_seconds = 1e-9  # done by the next request
    create = to_klaviyo("create", options={"consent": "agreed"})
    people(lake, [person("ada", agreed=True), person("bob", agreed=True)])
    klaviyo.faults.extend([None, "lost", *(["500"] * 7 if outage else [])])
    if outage:
        with pytest.raises(DeliveryError):
            sync(create, "lost")
    report = sync(create, "first")
    assert klaviyo.members() == _members("ada", "bob")
    assert report.held == 2
    people(lake, [person("ada", agreed=True), person("bob", agreed=False)])
    sync(create, "second")
    assert klaviyo.members() == _members("ada")
    assert_sums_hold(lake)
