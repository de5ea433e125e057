"""The `facebook_audience` channel through the official SDK: hashes, who is in the audience, throttling, silence."""

from __future__ import annotations

import json
import logging

import pytest

from blotout_orchestration.activation.channel import ChannelError
from blotout_orchestration.activation.channels import facebook_hashing as hashing
from blotout_orchestration.activation.probe import probe
from tests.activation.child import run_killed, start
from tests.activation.fakes.meta import TOKEN, sha256
from tests.activation.helpers import assert_sums_hold, ledger, outcomes, people, person, runs

FULL = {"email": "email", "phone": "phone", "first_name": "first_name"}


def _emails(*names: str) -> list[str]:
    return [f"{name}@example.com" for name in names]


def test_every_known_case_is_normalised_and_hashed_as_meta_does(real_data):
    cases = json.loads((real_data / "meta" / "hash_cases.json").read_text())
    assert len(cases) == 13
    for case in cases:
        kind = hashing.FIELDS[case["field"]][1]
        if case["normalized"] == "":
            with pytest.raises(ValueError, match="phone"):
                kind(case["raw"])
        else:
            normalised = kind(case["raw"])
            assert (normalised, hashing.digest(case["field"], normalised)) == (
                case["normalized"],
                case["sha256"],
            )


def test_only_hashes_are_sent(lake, meta, to_meta, sync):
    people(lake, [person("Ada", "Anne-Marie", phone="+1 (800) 555-1234")])
    report = sync(to_meta(mapping=FULL))
    assert meta.people[sha256("ada@example.com")] == {
        "EMAIL": sha256("ada@example.com"),
        "PHONE": sha256("18005551234"),
        "FN": sha256("annemarie"),
    }
    assert (report.accepted, report.matched) == (1, 1)


def test_a_phone_of_zeros_fails_neither_the_batch_nor_the_row(lake, meta, to_meta, sync):
    people(lake, [person("ada", phone="+0000000000"), person("bob", phone="+44 20 7123 4567")])
    report = sync(to_meta(mapping=FULL))
    assert (meta.has(*_emails("ada", "bob")), report.invalid) == (True, 0)
    assert meta.people[sha256("ada@example.com")]["PHONE"] == ""


def test_who_leaves_is_removed_by_hash_in_calls_of_a_hundred(lake, meta, to_meta, sync):
    people(lake, [person(f"p{i:03}") for i in range(250)])
    sync(to_meta(), "first")
    people(lake, [person("p000")])
    report = sync(to_meta(), "second", confirm_large_change=True)
    assert (meta.has(*_emails("p000")), report.removed) == (True, 249)
    assert [request.method for request in meta.requests].count("DELETE") == 3
    assert_sums_hold(lake)


@pytest.mark.parametrize("code", [4, 17, 613, 80003, 80014])
def test_throttling_is_waited_out_as_long_as_the_header_says(lake, meta, to_meta, sync, clock, code):
    meta.throttle_code = code
    meta.faults.append("429")
    people(lake, [person("ada")])
    assert sync(to_meta()).accepted == 1
    assert clock.elapsed >= 120


def test_a_usage_near_the_limit_slows_us_down_before_meta_does(lake, meta, to_meta, sync, clock):
    meta.usage = 95
    people(lake, [person("ada")])
    sync(to_meta())
    assert clock.elapsed >= 30


@pytest.mark.parametrize("fault", ["500", "lost", "dropped"])
@pytest.mark.parametrize("place", range(2))
def test_a_fault_changes_nothing_in_the_end_and_repeats_the_session(lake, meta, to_meta, sync, fault, place):
    people(lake, [person("ada"), person("bob")])
    sync(to_meta(), "first")
    people(lake, [person("ada"), person("eve")])
    meta.faults.extend([*([None] * place), fault])
    sync(to_meta(), "second")
    assert meta.has(*_emails("ada", "eve"))
    assert meta.repeated == (fault == "lost")
    assert_sums_hold(lake)


def test_entries_that_meta_counts_as_invalid_are_found_by_halving(lake, meta, to_meta, sync):
    people(lake, [person(f"p{i:02}") for i in range(16)])
    meta.invalid = {sha256("p05@example.com")}
    report = sync(to_meta())
    assert (report.accepted, report.rejected, len(meta.people)) == (15, 1, 15)
    assert outcomes(lake, "rejected")[0]["reason"] == "Meta counts the entry as invalid"
    assert_sums_hold(lake)


def test_neither_token_nor_hash_nor_value_is_logged_or_told(lake, meta, to_meta, sync, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    people(lake, [person("ada"), person("bob")])
    sync(to_meta(), "first")
    people(lake, [person("ada")])
    meta.faults.append("dropped")
    sync(to_meta(), "second")
    for secret in (TOKEN, sha256("bob@example.com"), "ada@example.com", "payload"):
        assert secret not in caplog.text
    monkeypatch.setenv("META_TOKEN", "EAAwrong")
    people(lake, [person("ada"), person("new")])
    with pytest.raises(ChannelError, match="code 190") as told:
        sync(to_meta(), "third")
    assert "EAAwrong" not in str(told.value) + caplog.text
    assert runs(lake)[-1]["state"] == "failed"
    assert "EAAwrong" not in str(runs(lake))


def test_the_probe_reads_the_audience_only(lake, settings, meta, to_meta, clock):
    people(lake, [person("ada")])
    assert probe(settings, to_meta(), clock).destination.facts["audience"] == "VIP"
    assert {request.method for request in meta.requests} == {"GET"}


@pytest.mark.parametrize(
    ("place", "moment"),
    [
        pytest.param(0, "kill after"),
        pytest.param(0, "kill before", marks=pytest.mark.heavy),
        pytest.param(1, "kill before", marks=pytest.mark.heavy),
        pytest.param(1, "kill after", marks=pytest.mark.heavy),
    ],
)
def test_a_killed_sync_is_made_good_by_the_next(lake, settings, meta, to_meta, sync, place, moment):
    people(lake, [person("ada"), person("bob"), person("eve")])
    sync(to_meta(), "first")
    people(lake, [person("ada"), person("bob"), person("zoe")])
    process = start(settings.blotout_home, to_meta(), "killed")
    meta.faults.extend([*([None] * place), moment])
    run_killed(meta, process)
    sync(to_meta(), "after")
    assert meta.has(*_emails("ada", "bob", "zoe"))
    assert {row["state"] for row in ledger(lake).values()} == {"delivered", "removed"}
    assert_sums_hold(lake)


def test_a_kill_while_invalid_entries_are_looked_for_forgets_nobody(lake, settings, meta, to_meta, sync):
    people(lake, [person(f"p{i}") for i in range(4)])
    meta.invalid = {sha256("p1@example.com")}
    process = start(settings.blotout_home, to_meta(), "killed")
    meta.faults.extend([None, "kill before"])
    run_killed(meta, process)
    assert meta.has(*_emails("p0", "p2", "p3"))
    people(lake, [person("p0")])
    sync(to_meta(), "after", confirm_large_change=True)
    assert meta.has(*_emails("p0"))
    assert_sums_hold(lake)


def test_the_same_person_added_removed_and_added_is_three_sessions(lake, meta, to_meta, sync):
    for number, names in enumerate((["ada"], ["ada", "bob"], ["ada"], ["ada", "bob"])):
        people(lake, [person(name) for name in names])
        sync(to_meta(), f"run{number}", confirm_large_change=True)
    assert meta.has(*_emails("ada", "bob"))
    assert (len(meta.sessions), meta.repeated) == (4, 0)
