"""Any sequence of audiences, faults and kills: in the end the destination has the audience, whatever came between."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blotout_orchestration.activation.delivery import DeliveryError
from blotout_orchestration.activation.sync import sync_channel
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.activation.child import run_killed, start
from tests.activation.fakes.klaviyo import FakeKlaviyo
from tests.activation.fakes.meta import TOKEN, FakeMeta, sha256
from tests.activation.fakes.webhook import SECRET, FakeReceiver
from tests.activation.helpers import SimulatedClock, assert_sums_hold, channel, people, person

NAMES = ("ada", "bob", "eve", "zoe", "kim", "max")
AUDIENCES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["One", "Two"]), max_size=6)
FAULTS = st.lists(st.sampled_from([None, None, "429", "500", "lost", "dropped"]), max_size=12)
STEPS = st.lists(st.tuples(AUDIENCES, FAULTS), min_size=1, max_size=4)
KILLS = st.lists(
    st.tuples(
        AUDIENCES, st.sampled_from(["kill before", "kill after", "fsync", "commit"]), st.integers(0, 5)
    ),
    min_size=1,
    max_size=2,
)
SLOW = {"deadline": None, "suppress_health_check": list(HealthCheck)}


class World:
    """A lake of its own and one destination of each kind."""

    def __init__(self, fake, defined) -> None:
        self.fake, self.channel = fake, defined
        self.home = Path(tempfile.mkdtemp()) / "home"
        self.settings = Settings(
            _env_file=None, blotout_home=self.home, organisation="shop", environment="test"
        )
        self.lake, self.clock, self.number = Lake(self.settings), SimulatedClock(), 0

    def sync(self) -> None:
        self.number += 1
        sync_channel(
            self.settings,
            self.lake,
            self.channel,
            f"run{self.number}",
            confirm_large_change=True,
            clock=self.clock,
        )

    def audience(self, members: dict[str, str]) -> None:
        people(self.lake, [person(name, value) for name, value in members.items()])

    def holds(self) -> dict[str, str]:
        """First names by e-mail at the destination."""
        if isinstance(self.fake, FakeKlaviyo):
            found = self.fake.members()
            return {one: self.fake.profiles[self.fake.by_email[one]]["first_name"] for one in found}
        if isinstance(self.fake, FakeReceiver):
            return {row["email"]: row["first_name"] for row in self.fake.rows.values()}
        return {email: row["FN"] for email, row in self.fake.people.items()}

    def wanted(self, members: dict[str, str]) -> dict[str, str]:
        if isinstance(self.fake, FakeMeta):
            return {sha256(f"{name}@example.com"): sha256(value.lower()) for name, value in members.items()}
        return {f"{name}@example.com": value for name, value in members.items()}


@pytest.fixture(params=["klaviyo", "facebook_audience", "webhook"])
def make_world(request, monkeypatch):
    """Makes worlds with a fake of one channel type; all fakes are closed and asked for problems at the end."""
    monkeypatch.setenv("KLAVIYO_KEY", "pk_test")
    monkeypatch.setenv("META_TOKEN", TOKEN)
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    made = []

    def make() -> World:
        if request.param == "klaviyo":
            fake = FakeKlaviyo(request.getfixturevalue("klaviyo_contract"))
            connection, options = {"api_key": "env:KLAVIYO_KEY", "host": fake.url}, {"list_id": "LIST1"}
        elif request.param == "facebook_audience":
            fake = FakeMeta()
            connection, options = {"access_token": "env:META_TOKEN", "host": fake.url}, {"audience_id": "42"}
        else:
            fake = FakeReceiver()
            connection, options = {"url": fake.url, "signing_key": "env:WEBHOOK_SECRET"}, {"rows": 2}
        made.append(fake)
        return World(fake, channel(request.param, connection=connection, options=options))

    yield make
    for fake in made:
        fake.close()
        assert fake.problems == []


@pytest.mark.heavy
@settings(max_examples=12, **SLOW)
@given(steps=STEPS)
def test_after_any_faults_the_destination_has_the_last_audience(make_world, steps):
    world = make_world()
    for members, faults in steps:
        world.audience(members)
        world.fake.faults.extend(faults)
        with suppress(DeliveryError):
            world.sync()
        world.fake.faults.clear()
    world.sync()
    assert world.holds() == world.wanted(steps[-1][0])
    assert_sums_hold(world.lake)


@pytest.mark.heavy
@settings(max_examples=5, **SLOW)
@given(first=AUDIENCES, kills=KILLS)
def test_after_any_kills_the_destination_has_the_last_audience(make_world, first, kills):
    world = make_world()
    world.audience(first)
    world.sync()
    for members, what, count in kills:
        world.audience(members)
        world.number += 1
        moment = what if what in ("fsync", "commit") else "request"
        confirmed = world.channel.model_copy(
            update={
                "payload": world.channel.payload.model_copy(
                    update={"options": world.channel.options | {"maximum_drop": 1.0}}
                )
            }
        )
        process = start(world.home, confirmed, f"run{world.number}", moment, count)
        if moment == "request":
            world.fake.faults.extend([*([None] * count), what])
        with suppress(AssertionError):
            run_killed(world.fake, process)
        world.fake.faults.clear()
    world.sync()
    assert world.holds() == world.wanted(kills[-1][0])
    assert_sums_hold(world.lake)
