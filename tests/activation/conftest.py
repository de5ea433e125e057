"""Fakes of the destinations, one for each test."""

from __future__ import annotations

import pytest

from blotout_orchestration.activation.sync import sync_channel
from tests.activation.fakes.klaviyo import FakeKlaviyo
from tests.activation.fakes.meta import TOKEN, FakeMeta
from tests.activation.fakes.openapi import Contract, cut
from tests.activation.fakes.webhook import SECRET, FakeReceiver
from tests.activation.helpers import SimulatedClock, channel


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def sync(settings, lake, clock):
    """Sync a channel on the simulated clock."""

    def run(defined, run_id="run", **options):
        return sync_channel(settings, lake, defined, run_id, clock=clock, **options)

    return run


@pytest.fixture(scope="session")
def klaviyo_contract(real_data):
    return Contract(cut(real_data))


@pytest.fixture
def klaviyo(klaviyo_contract, monkeypatch, clock):
    """A Klaviyo account that holds every request and answer against the description."""
    monkeypatch.setenv("KLAVIYO_KEY", "pk_test")
    fake = FakeKlaviyo(klaviyo_contract, clock.monotonic)
    yield fake
    fake.close()
    assert fake.problems == []


@pytest.fixture
def to_klaviyo(klaviyo):
    """A channel to the fake's list."""

    def make(mode="mirror", **payload):
        payload.setdefault("options", {})
        payload["options"] = {"list_id": "LIST1", **payload["options"]}
        connection = {"api_key": "env:KLAVIYO_KEY", "host": klaviyo.url}
        return channel("klaviyo", mode, connection=connection, **payload)

    return make


@pytest.fixture
def receiver(monkeypatch):
    """A receiver of webhooks that checks signatures."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    fake = FakeReceiver()
    yield fake
    fake.close()
    assert fake.problems == []


@pytest.fixture
def to_receiver(receiver):
    """A channel to the receiver."""

    def make(mode="mirror", **payload):
        connection = {"url": f"{receiver.url}/people", "signing_key": "env:WEBHOOK_SECRET"}
        return channel("webhook", mode, connection=connection, **payload)

    return make


@pytest.fixture
def meta(monkeypatch):
    """A Custom Audience that finds what is not a hash."""
    monkeypatch.setenv("META_TOKEN", TOKEN)
    fake = FakeMeta()
    yield fake
    fake.close()
    assert fake.problems == []


@pytest.fixture
def to_meta(meta):
    """A channel to the fake's audience."""

    def make(mode="mirror", **payload):
        connection = {"access_token": "env:META_TOKEN", "host": meta.url}
        return channel(
            "facebook_audience", mode, connection=connection, options={"audience_id": "42"}, **payload
        )

    return make
