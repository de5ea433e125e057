"""Who comes to the demo shop: persons, the devices they use, the households that share one.

Belongs here: persons and devices with their ids. What they do is in visits.py.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from blotout_orchestration.demo import agents
from blotout_orchestration.demo.agents import Agent
from blotout_orchestration.demo.catalogue import COUNTRIES, FIRST_NAMES, LAST_NAMES, Country
from blotout_orchestration.demo.options import DemoOptions

SHARED_HOUSEHOLD_SHARE = 0.012
ACCOUNT_SHARE = 0.62
PHONE_SHARE = 0.7
FIRST_CUSTOMER_NUMBER = 6_870_000_000_000
_DAY_MS = 86_400_000


@dataclass(slots=True)
class Device:
    """One browser or app installation.

    `sdk` is `0.9.1`, `0.10.2`, `0.10.4` (apps), `0.5.0` (the older format) or `edgetag`. `user_ids` maps a
    host (or the app) to the id that the SDK made there; `clock_ms` is how far the device's clock is ahead.
    """

    device_id: str
    agent: Agent
    sdk: str
    owners: tuple[str, ...]
    platform: str = "web"
    clock_ms: int = 0
    legacy_identity: bool = False
    user_ids: dict[str, str] = field(default_factory=dict)
    user_id_created_ms: dict[str, int] = field(default_factory=dict)

    @property
    def is_robot(self) -> bool:
        """Whether nobody sits in front of it."""
        return not self.owners

    @property
    def has_far_clock(self) -> bool:
        """Whether the clock is so wrong that the pipeline takes the time of receipt instead."""
        return not -30 * _DAY_MS < self.clock_ms < 2 * _DAY_MS


@dataclass(slots=True)
class Person:
    """One person: what the shop could know of them. `customer_id` is the shop system's, None without account."""

    person_id: str
    first_name: str
    last_name: str
    email: str
    phone: str | None
    country: Country
    city: tuple[str, str, str]
    gender: str
    age: int
    customer_id: str | None
    crm_id: str
    ip: str
    devices: list[Device] = field(default_factory=list)
    shared_device: Device | None = None


@dataclass(frozen=True)
class Population:
    """Persons, the households that share a tablet (pairs of indices), and the robots."""

    people: list[Person]
    households: list[tuple[int, ...]]
    robots: list[Device]


def make_uuid(rng: random.Random) -> str:
    """A version-4 style UUID from the given generator."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _make_person(rng: random.Random, index: int) -> Person:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    country = rng.choices(COUNTRIES, weights=[country.weight for country in COUNTRIES])[0]
    phone = None
    if country.phone_prefixes and rng.random() < PHONE_SHARE:
        phone = _phone(country, index)
    letters = "".join(letter for letter in f"{first}.{last}".lower() if letter.isascii() and letter != "'")
    return Person(
        person_id=f"P{index:06d}",
        first_name=first,
        last_name=last,
        email=f"{letters}.{index}@example.{('com', 'org', 'net')[index % 3]}",
        phone=phone,
        country=country,
        city=rng.choice(country.cities),
        gender=rng.choice("fm"),
        age=rng.randint(18, 79),
        customer_id=str(FIRST_CUSTOMER_NUMBER + index * 7919) if rng.random() < ACCOUNT_SHARE else None,
        crm_id=f"CRM-{index:06d}",
        ip=f"{rng.choice(('198.51.100', '203.0.113', '192.0.2'))}.{rng.randint(1, 254)}",
    )


def _phone(country: Country, index: int) -> str | None:
    """A number of its own for each person; None when the fictional range is used up."""
    block, number = divmod(index, 100)
    if block >= len(country.phone_prefixes):
        return None
    return f"{country.phone_prefixes[block]}{number:02d}"


def _clock(rng: random.Random) -> int:
    """How far a device's clock is ahead, ms: mostly right, sometimes hours or years off."""
    draw = rng.random()
    if draw < 0.965:
        return rng.randint(-1_500, 1_500)
    if draw < 0.98:
        return rng.choice((-1, 1)) * rng.randint(2, 5) * 3_600_000
    return rng.choice((-3 * 365 * _DAY_MS, int(2.6 * _DAY_MS)))


def _make_device(rng: random.Random, device_id: str, owners: tuple[str, ...], kind: str) -> Device:
    if kind in ("android", "ios"):
        agent = agents.ANDROID_APP if kind == "android" else agents.IOS_APP
        return Device(device_id, agent, "0.10.4", owners, platform=kind, clock_ms=_clock(rng))
    choices = {"desktop": agents.DESKTOPS, "phone": agents.PHONES, "tablet": (agents.TABLET,)}[kind]
    agent = rng.choices(choices, weights=[choice.weight for choice in choices])[0]
    sdk = rng.choices(("0.9.1", "0.10.2", "edgetag", "0.5.0"), weights=(40, 51, 7, 2))[0]
    legacy_identity = sdk == "0.10.2" and rng.random() < 0.1
    return Device(device_id, agent, sdk, owners, clock_ms=_clock(rng), legacy_identity=legacy_identity)


def _kinds(rng: random.Random) -> list[str]:
    """Kinds of device of one person: one to four."""
    kinds = [rng.choices(("phone", "desktop", "tablet"), weights=(52, 40, 8))[0]]
    if rng.random() < 0.38:
        kinds.append("desktop" if kinds[0] == "phone" else "phone")
    if rng.random() < 0.11:
        kinds.append(rng.choice(("android", "ios")))
    if rng.random() < 0.07:
        kinds.append("tablet")
    return kinds


def make_population(options: DemoOptions) -> Population:
    """The people, devices and robots of the store, from the seed alone."""
    rng = random.Random(f"people {options.seed}")
    people = [_make_person(rng, index) for index in range(1, options.people + 1)]
    for person in people:
        for number, kind in enumerate(_kinds(rng), start=1):
            device_id = f"{person.person_id}-D{number}"
            person.devices.append(_make_device(rng, device_id, (person.person_id,), kind))
    households: list[tuple[int, ...]] = []
    index = 0
    while index < len(people):
        if index + 1 < len(people) and rng.random() < SHARED_HOUSEHOLD_SHARE:
            pair = people[index], people[index + 1]
            owners = tuple(member.person_id for member in pair)
            tablet = _make_device(rng, f"{owners[0]}-SHARED", owners, "tablet")
            tablet.clock_ms = 0
            for member in pair:
                member.shared_device = tablet
                member.customer_id = member.customer_id or str(
                    FIRST_CUSTOMER_NUMBER + int(member.person_id[1:]) * 7919
                )
            households.append((index, index + 1))
            index += 2
        else:
            households.append((index,))
            index += 1
    robots = [
        Device(f"R{number:04d}", agent, rng.choice(("0.9.1", "0.10.2")), ())
        for number in range(1, max(3, options.people // 80) + 1)
        for agent in rng.choices(agents.ROBOTS, weights=[robot.weight for robot in agents.ROBOTS])
    ]
    return Population(people, households, robots)
