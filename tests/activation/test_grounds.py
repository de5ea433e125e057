"""Audiences in Trino and Athena: what is sent is what the embedded warehouse would have sent, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from blotout_orchestration.activation.rows import AudienceError, open_rows
from blotout_orchestration.activation.sync import sync_channel
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.registry.channel import Channel
from blotout_orchestration.settings import Settings
from tests.activation.helpers import assert_sums_hold, runs
from tests.analytics.report_grounds import on
from tests.analytics.services import AthenaService, TrinoService, serving

SCHEMA = "shop_test"
WAREHOUSE = (
    "create table view_users (global_user_id varchar, email varchar, revenue decimal(18, 4), orders bigint,"
    " accepts_marketing boolean, birth_date date, last_order_at timestamptz, emails varchar[], score double)",
    "insert into view_users values"
    " ('g1', ' Ada@example.com', 12.5, 3, true, '1990-05-01', '2026-03-05 18:30:00.120001+01', ['b@x.org', 'Ü\"'], 0.1),"
    " ('g2', 'bob@example.com', 7.0000, null, true, null, '2026-03-01 00:00+00', [], 1e9),"
    " ('g3', 'cyd@example.com', null, 9007199254740993, true, null, null, null, null),"
    " ('g4', 'dan@example.com', 1, 1, false, null, null, null, null),"
    " ('g5', 'eve@example.com', 1, 1, true, null, null, null, null),"
    " ('g6', 'no address', 1, 1, true, null, null, null, null)",
    "create table segment_membership (segment varchar, global_user_id varchar, left_at timestamptz)",
    "insert into segment_membership select 'vip', 'g' || range, null from range(1, 7)",
    "insert into segment_membership values ('vip', 'g9', null), ('other', 'g1', null),"
    " ('vip', 'g5', '2026-03-01 00:00+00')",
    "delete from segment_membership where global_user_id = 'g5' and left_at is null",
    "create table do_not_contact (address varchar)",
    "insert into do_not_contact values ('BOB@example.com')",
    "create view broken as select (email || 'x')::integer::varchar as email from view_users",
)
MAPPING = {
    "email": "email",
    "spent": "revenue",
    "orders": "orders",
    "birth": "birth_date",
    "last": "last_order_at",
    "mails": "emails",
    "score": "score",
}


@contextmanager
def ground(lake: Lake, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lake, Any]]:
    """The lake on a ground whose warehouse holds these people; membership lies in the same catalog."""
    path = lake.settings.published_path
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"set TimeZone = 'UTC'; create schema {SCHEMA}; set schema = '{SCHEMA}'")
        for statement in WAREHOUSE:
            connection.execute(statement)
    if name == "duckdb":
        yield lake, None
        return
    elsewhere = path.rename(path.with_name("elsewhere.duckdb"))
    kind: type[TrinoService] | type[AthenaService] = TrinoService if name == "trino" else AthenaService
    service = kind(elsewhere, SCHEMA)
    with serving(service) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", f"http://{address}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield on(lake, name, address), service
    service.close()


def _channel(
    receiver: Any, audience: str = "segment:vip", more: dict[str, str] | None = None, **options: Any
) -> Channel:
    connection = {"url": f"{receiver.url}/people", "signing_key": "env:WEBHOOK_SECRET"}
    mapping = {**(MAPPING if audience == "segment:vip" else {"email": "email"}), **(more or {})}
    payload = {"mapping": mapping, "key": "email", "connection": connection, "options": options}
    return Channel(name="vip", channel_type="webhook", audience=audience, mode="mirror", payload=payload)


@pytest.mark.parametrize("name", ["trino", "athena"])
def test_a_segment_is_sent_with_the_same_values_from_every_ground(
    settings: Settings, tmp_path: Path, receiver: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sent = []
    for which in ("duckdb", name):
        lake = Lake(settings.model_copy(update={"blotout_home": tmp_path / which}))
        channel = _channel(
            receiver,
            consent="accepts_marketing",
            suppression={"table": "do_not_contact", "column": "address"},
        )
        receiver.log.clear()
        receiver.applied.clear()
        with ground(lake, which, monkeypatch) as (there, _):
            report = sync_channel(there.settings, there, channel, "first", clock=clock)
            assert (report.accepted, report.withheld, report.invalid) == (2, 2, 1)
            assert sync_channel(there.settings, there, channel, "second", clock=clock).unchanged == 2
        assert_sums_hold(there)
        sent.append(sorted(receiver.log, key=str))
    assert sent[0] == sent[1]
    ada = next(values for _, _, values in sent[1] if values["email"] == "ada@example.com")
    assert (ada["spent"], ada["orders"], ada["mails"], ada["score"]) == (12.5, 3, ["b@x.org", 'Ü"'], 0.1)
    assert (ada["birth"], ada["last"]) == ("1990-05-01", "2026-03-05T17:30:00.120001Z")


@pytest.mark.parametrize("name", ["duckdb", "trino", "athena"])
def test_what_is_not_there_is_told_by_name_and_a_value_never(
    lake: Lake, receiver: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any, name: str
) -> None:
    with ground(lake, name, monkeypatch) as (there, _):

        def refused(channel: Channel) -> str:
            with pytest.raises(AudienceError) as told:
                sync_channel(there.settings, there, channel, "run", clock=clock)
            assert told.value.__suppress_context__
            return str(told.value)

        assert "never_built" in refused(_channel(receiver, "model:never_built"))
        assert "never.built" in refused(_channel(receiver, "model:never.built")).replace('"', "")
        assert "shoe_size" in refused(_channel(receiver, more={"shoe": "shoe_size"}))
        no_list = _channel(receiver, suppression={"table": "no_such_list", "column": "address"})
        assert "no_such_list" in refused(no_list)
        told = refused(_channel(receiver, "model:broken"))
    assert "Conversion Error" in told
    assert "ada@" not in f"{told} {runs(there)} {caplog.text}".lower()
    assert receiver.log == []


def test_a_server_that_is_away_sends_nothing_and_is_named(lake: Lake, receiver: Any, clock: Any) -> None:
    nowhere = on(lake, "trino", "127.0.0.1:1")
    with pytest.raises(AudienceError, match=r"no answer from Trino.*see TRINO_URI"):
        sync_channel(nowhere.settings, nowhere, _channel(receiver), "run", clock=clock)
    assert receiver.requests == []


@pytest.mark.parametrize("name", ["duckdb", "trino", "athena"])
def test_rows_are_read_in_pages(lake: Lake, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with (
        ground(lake, name, monkeypatch) as (there, service),
        open_rows(there.settings, "select global_user_id as one, last_order_at as two from view_users") as (
            names,
            rows,
        ),
    ):
        assert names == ("one", "two")
        assert len({row[0] for row in rows}) == 6
    if name == "trino":
        assert service.asked[0].endswith("limit 0")
        assert len(service.asked) == 2
