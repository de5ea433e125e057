"""Who is sent at all: segments, consent, suppression lists, and the guards before large changes."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.activation.guards import LargeChangeError
from blotout_orchestration.activation.rows import AudienceError
from blotout_orchestration.activation.workspace import ChannelBusyError, Workspace
from blotout_orchestration.lake import TableSpec
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.platform.registry.channel import Channel
from tests.activation.helpers import MAPPING, assert_sums_hold, channel, ledger, people, person, runs

MEMBERSHIP = TableSpec(
    "segment_membership",
    "Members of segments.",
    (
        Column("segment", "string", "Segment."),
        Column("global_user_id", "string", "Person."),
        Column("left_at", "timestamp", "When the person left."),
    ),
)
USERS = TableSpec(
    "view_users",
    "Profiles.",
    (
        Column("global_user_id", "string", "Person."),
        Column("email", "string", "E-mail."),
        Column("first_name", "string", "First name."),
    ),
)
SUPPRESSED = TableSpec(
    "do_not_contact", "Who must not be reached.", (Column("address", "string", "E-mail."),)
)


def _write(lake, spec, rows):
    lake.replace(spec, pa.Table.from_pylist(rows, schema=spec.arrow_schema), AlwaysTrue(), {})


def test_a_segment_is_its_present_members_with_their_profiles(lake, receiver, sync):
    left = datetime(2026, 3, 1, tzinfo=UTC)
    _write(
        lake,
        MEMBERSHIP,
        [
            {"segment": "vip", "global_user_id": "g1"},
            {"segment": "vip", "global_user_id": "g2", "left_at": left},
            {"segment": "other", "global_user_id": "g3"},
        ],
    )
    _write(lake, USERS, [{"global_user_id": f"g{i}", "email": f"p{i}@example.com"} for i in range(1, 4)])
    connection = {"url": receiver.url, "signing_key": "env:WEBHOOK_SECRET"}
    payload = {"mapping": MAPPING, "key": "email", "connection": connection}
    sync(Channel(name="vip", channel_type="webhook", audience="segment:vip", mode="mirror", payload=payload))
    assert receiver.emails() == {"p1@example.com"}


def test_a_segment_that_was_never_computed_is_told_by_name(lake, sync):
    _write(lake, USERS, [{"global_user_id": "g1", "email": "p1@example.com"}])
    payload = {"mapping": MAPPING, "key": "email"}
    with pytest.raises(AudienceError, match="segment_membership"):
        sync(Channel(name="vip", channel_type="file", audience="vip", payload=payload))


def test_who_does_not_consent_is_not_sent_and_who_withdraws_is_removed(lake, receiver, to_receiver, sync):
    options = {"consent": "agreed"}
    people(lake, [person("yes", agreed=True), person("no", agreed=False), person("unasked")])
    report = sync(to_receiver("upsert", options=options), "first")
    assert (receiver.emails(), report.withheld, report.source_rows) == ({"yes@example.com"}, 2, 1)
    people(lake, [person("yes", agreed=False), person("no", agreed=True)])
    report = sync(to_receiver("upsert", options=options), "second")
    assert (receiver.emails(), report.removed) == ({"no@example.com"}, 1)
    assert_sums_hold(lake)


def test_one_row_without_consent_speaks_for_all_rows_of_a_person(lake, receiver, to_receiver, sync):
    people(lake, [person("ada", agreed=True), person("ada", agreed=False)])
    assert sync(to_receiver(options={"consent": "agreed"})).withheld == 2
    assert receiver.requests == []


def test_the_suppression_list_is_compared_after_normalisation(lake, receiver, to_receiver, sync):
    _write(lake, SUPPRESSED, [{"address": " ADA@Example.com "}, {"address": "no address"}, {"address": None}])
    options = {"suppression": {"table": "do_not_contact", "column": "address"}}
    people(lake, [person("ada"), person("bob")])
    report = sync(to_receiver(options=options))
    assert (receiver.emails(), report.withheld) == ({"bob@example.com"}, 1)


def test_without_its_suppression_list_nothing_is_sent(lake, receiver, to_receiver, sync):
    people(lake, [person("ada")])
    with pytest.raises(AudienceError, match="do_not_contact"):
        sync(to_receiver(options={"suppression": {"table": "do_not_contact", "column": "address"}}))
    assert receiver.requests == []


def test_an_empty_audience_removes_nobody_without_a_word(lake, receiver, to_receiver, sync):
    people(lake, [person("ada"), person("bob")])
    sync(to_receiver(), "first")
    people(lake, [])
    with pytest.raises(LargeChangeError, match=r"holds 2 people.*confirm_large_change"):
        sync(to_receiver(), "second")
    assert (len(receiver.rows), runs(lake)[-1]["state"]) == (2, "held")
    assert sync(to_receiver(), "third", confirm_large_change=True).removed == 2
    assert receiver.rows == {}
    assert_sums_hold(lake)


def test_a_large_drop_is_held_with_its_counts(lake, receiver, to_receiver, sync):
    people(lake, [person(f"p{i:02}") for i in range(40)])
    sync(to_receiver(), "first")
    people(lake, [person(f"p{i:02}", "Changed") for i in range(20)])
    with pytest.raises(LargeChangeError, match=r"20 of 40 people would be removed \(50%, 30% is the limit\)"):
        sync(to_receiver(), "second")
    assert len(receiver.log) == 40
    assert sync(to_receiver(options={"maximum_drop": 0.5}), "third").removed == 20
    assert_sums_hold(lake)


def test_a_cancelled_sync_stops_between_batches_and_the_next_goes_on(
    lake, settings, receiver, to_receiver, sync
):
    people(lake, [person(f"p{i}") for i in range(6)])
    original, workspace = receiver.answer, Workspace(settings, "vip")

    def cancelling(request):
        workspace.ask_to_cancel()
        return original(request)

    receiver.answer = cancelling
    report = sync(to_receiver(options={"rows": 2}), "first")
    assert (report.state, report.sent, report.unsent) == ("cancelled", 2, 4)
    receiver.answer = original
    report = sync(to_receiver(options={"rows": 2}), "second")
    assert (report.state, report.sent, report.unchanged) == ("succeeded", 4, 2)
    assert_sums_hold(lake)


def test_a_channel_is_synced_by_one_process_at_a_time(lake, settings, sync):
    people(lake, [person("ada")])
    with Workspace(settings, "vip").locked(), pytest.raises(ChannelBusyError, match="vip"):
        sync(channel("file"))


def test_a_retry_of_the_same_run_has_its_own_records(lake, receiver, to_receiver, sync):
    people(lake, [person("ada")])
    sync(to_receiver(), "run")
    people(lake, [person("ada", "New")])
    assert sync(to_receiver(), "run").run_id == "run-2"
    assert_sums_hold(lake)


def test_the_log_of_a_ledger_is_folded_when_it_has_become_many_files(
    lake, receiver, to_receiver, sync, monkeypatch
):
    from blotout_orchestration.activation import ledger as ledgers

    monkeypatch.setattr(ledgers, "MAXIMUM_FILES", 3)
    for run in range(5):
        people(lake, [person("ada", f"Name{run}"), person("bob")])
        sync(to_receiver(), f"run{run}")
    assert len(lake.files(ledgers.ACTIVATION_LEDGER)) <= 3
    assert {row["state"] for row in ledger(lake).values()} == {"delivered"}
    assert sync(to_receiver(), "last").unchanged == 2


def test_a_query_that_stumbles_over_a_value_does_not_tell_it(lake, settings, sync, caplog):
    settings.published_path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.published_path)) as warehouse:
        warehouse.execute(f"create schema {settings.namespace}")
        warehouse.execute(
            f"create view {settings.namespace}.broken as select value::integer::varchar as email,"
            " 'Ada' as first_name from (values ('ada@example.com')) as given(value)"
        )
    payload = {"mapping": MAPPING, "key": "email"}
    broken = Channel(name="vip", channel_type="file", audience="model:broken", payload=payload)
    with pytest.raises(AudienceError, match="Conversion Error") as told:
        sync(broken)
    assert "ada@" not in f"{told.value} {runs(lake)} {caplog.text}"
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__
    people(lake, [person("ada")])
    with pytest.raises(AudienceError, match="shoe_size"):
        sync(channel("file", mapping={**MAPPING, "shoe": "shoe_size"}))
