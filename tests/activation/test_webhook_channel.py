"""The `webhook` channel against a receiver that checks signatures and applies each idempotency key once."""

from __future__ import annotations

import pytest

from blotout_orchestration.activation.channel import ChannelError
from blotout_orchestration.activation.definition import understand
from blotout_orchestration.activation.delivery import DeliveryError
from blotout_orchestration.activation.probe import probe
from blotout_orchestration.platform.registry.problems import DefinitionError
from tests.activation.helpers import assert_sums_hold, channel, outcomes, people, person


def test_batches_are_signed_and_cut_by_rows_and_bytes(lake, receiver, to_receiver, sync):
    people(lake, [person(f"p{i:03}", "x" * 300) for i in range(40)])
    sync(to_receiver(options={"rows": 25, "bytes": 8192}))
    sizes = [len(request.document["rows"]) for request in receiver.requests]
    assert (sum(sizes), max(sizes) <= 25) == (40, True)
    assert max(len(request.body) for request in receiver.requests) <= 8192
    assert len(receiver.rows) == 40


def test_a_row_that_is_too_large_is_invalid(lake, receiver, to_receiver, sync):
    people(lake, [person("ada"), person("big", "x" * 5000)])
    report = sync(to_receiver(options={"bytes": 4096}))
    assert receiver.emails() == {"ada@example.com"}
    assert next(iter(report.invalid_reasons)).startswith("too_large")


@pytest.mark.parametrize("fault", ["429", "500", "lost", "dropped"])
def test_an_answer_that_is_lost_applies_nothing_twice(lake, receiver, to_receiver, sync, fault):
    people(lake, [person("ada"), person("bob")])
    receiver.faults.extend([fault, fault])
    report = sync(to_receiver("append"))
    assert sorted(values["email"] for _, _, values in receiver.log) == ["ada@example.com", "bob@example.com"]
    assert report.accepted == 2


def test_after_an_outage_the_same_rows_go_out_under_the_same_key(lake, receiver, to_receiver, sync):
    people(lake, [person("ada"), person("bob")])
    receiver.faults.extend(["lost", *["500"] * 7])
    with pytest.raises(DeliveryError):
        sync(to_receiver("append"), "first")
    sync(to_receiver("append"), "second")
    assert len({request.headers["Idempotency-Key"] for request in receiver.requests}) == 1
    assert len(receiver.log) == 2
    assert_sums_hold(lake)


def test_a_value_that_returns_is_sent_again_under_another_key(lake, receiver, to_receiver, sync):
    for run, name in enumerate(("Ada", "Augusta", "Ada")):
        people(lake, [person("ada", name)])
        sync(to_receiver(), f"run{run}")
    assert [values["first_name"] for _, _, values in receiver.log] == ["Ada", "Augusta", "Ada"]


def test_after_a_reset_everything_is_applied_again(lake, receiver, to_receiver, sync):
    people(lake, [person("ada")])
    sync(to_receiver(), "first")
    receiver.rows.clear()
    assert sync(to_receiver(), "second", reset=True).creates == 1
    assert receiver.emails() == {"ada@example.com"}


def test_an_empty_audience_of_mode_upsert_removes_nobody_and_needs_no_word(lake, receiver, to_receiver, sync):
    people(lake, [person("ada")])
    sync(to_receiver("upsert"), "first")
    people(lake, [])
    assert sync(to_receiver("upsert"), "second").state == "succeeded"
    assert receiver.emails() == {"ada@example.com"}


def test_named_rows_are_rejected_and_the_others_accepted(lake, receiver, to_receiver, sync):
    receiver.rejecting = {"bad@example.com"}
    people(lake, [person("ada"), person("bad"), person("bob")])
    report = sync(to_receiver())
    assert (receiver.emails(), report.rejected) == ({"ada@example.com", "bob@example.com"}, 1)
    assert outcomes(lake, "rejected")[0]["reason"] == "unwanted: (e-mail)"


def test_a_refused_batch_is_halved_until_the_bad_row_stands_alone(lake, receiver, to_receiver, sync):
    receiver.refusing = {"p13@example.com"}
    people(lake, [person(f"p{i:02}") for i in range(32)])
    report = sync(to_receiver())
    assert (len(receiver.rows), report.rejected, report.accepted) == (31, 1, 31)
    assert len(receiver.requests) <= 11
    assert_sums_hold(lake)


def test_who_left_is_named_by_the_hash_that_every_row_had(lake, receiver, to_receiver, sync):
    people(lake, [person("ada"), person("bob")])
    sync(to_receiver(), "first")
    people(lake, [person("ada")])
    sync(to_receiver(), "second")
    assert receiver.emails() == {"ada@example.com"}
    assert receiver.requests[-1].document["rows"][0]["values"] == {}


def test_a_receiver_that_does_not_know_our_signature_ends_the_sync(
    lake, receiver, to_receiver, sync, monkeypatch
):
    monkeypatch.setenv("WEBHOOK_SECRET", "another")
    people(lake, [person("ada")])
    with pytest.raises(ChannelError, match="answered 401"):
        sync(to_receiver())


def test_the_probe_sends_no_row(lake, settings, receiver, to_receiver, clock):
    people(lake, [person("ada")])
    assert probe(settings, to_receiver(), clock).destination.facts == {"status": "200"}
    assert [request.document["rows"] for request in receiver.requests] == [[]]


def test_addresses_must_be_https_and_carry_no_secret():
    for url in ("http://example.com/hook", "https://example.com/hook?token=abc", "ftp://example.com"):
        connection = {"url": url, "signing_key": "env:WEBHOOK_SECRET"}
        with pytest.raises((DefinitionError, ValueError)):
            understand(channel("webhook", connection=connection))
