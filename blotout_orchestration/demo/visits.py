"""When people come, on which device and by which way: the plan of all visits of the store.

Belongs here: the schedule (daily and weekly rhythm, returning, ways in). What happens in a visit is in
behaviour.py; one visit is one session by the rule of 30 minutes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from blotout_orchestration.demo.catalogue import DIRECT, ENTRIES, OUTLET_HOST, SHOP_HOST, Entry
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.people import Device, Person, Population, make_uuid

EVENTS_PER_VISIT = 8.8
"""Mean number of events that behaviour.py makes in a visit; measured, only used to meet the option."""
QUIET_MS = 3 * 3_600_000
"""Least time between the starts of two visits of a household; a visit never lasts that long."""
_HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 9, 10, 9, 8, 8, 8, 9, 11, 13, 14, 13, 9, 5)
_WEEKDAY_WEIGHTS = (1.0, 0.95, 0.95, 1.0, 1.1, 0.85, 1.15)
_CLICK_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_DAY_MS = 86_400_000


@dataclass(slots=True)
class Event:
    """One event as it happened: `at_ms` by the true clock, `url` the page or screen it happened on."""

    mid: str
    name: str | int
    kind: str
    at_ms: int
    url: str
    title: str
    data: dict[str, object]
    action: str = "tag"


@dataclass(slots=True)
class Visit:
    """One visit: whose, where, how they came, and (filled by behaviour.py) what happened."""

    person: Person | None
    device: Device
    host: str
    start_ms: int
    entry: Entry
    campaign: str | None
    query: str
    search: dict[str, str]
    sdk_session_ms: int
    is_first: bool = False
    events: list[Event] = field(default_factory=list)

    @property
    def user_id(self) -> str:
        """The id that the SDK has, or will have after its first request, for this device on this host."""
        return self.device.user_ids[self.host]

    @property
    def shop_name(self) -> str:
        """What page titles call the shop."""
        return {SHOP_HOST: "Toy Shop", OUTLET_HOST: "Toy Outlet"}.get(self.host, "App")

    @property
    def home_title(self) -> str:
        """Title of the first page."""
        return f"{self.shop_name} – Home"


def click_id(rng: random.Random, kind: str) -> str:
    """A click id in the shape of the platform's; unique by its length."""
    prefix, length = {"gclid": ("Cj0KCQ", 60), "fbclid": ("IwAR", 55), "ttclid": ("E.C.P.", 60)}[kind]
    return prefix + "".join(rng.choices(_CLICK_ALPHABET, k=length))


def _search(rng: random.Random, entry: Entry) -> tuple[str | None, str, dict[str, str]]:
    """Campaign, query string and its parameters for one arrival by `entry`."""
    search: dict[str, str] = {}
    campaign = rng.choice(entry.campaigns) if entry.campaigns else None
    if entry.source and entry.medium:
        search = {"utm_source": entry.source, "utm_medium": entry.medium}
        if campaign:
            search["utm_campaign"] = campaign
        if entry.name == "google_cpc":
            search["utm_term"] = rng.choice(("wooden train", "puzzle", "gifts for kids"))
        if entry.platform:
            search["utm_content"] = rng.choice(("ad1", "ad2", "carousel"))
    if entry.click_id:
        search[entry.click_id] = click_id(rng, entry.click_id)
    encode = quote if entry.name == "facebook_paid" else quote_plus
    query = "?" + "&".join(f"{key}={encode(value)}" for key, value in search.items()) if search else ""
    return campaign, query, search


def _moment(rng: random.Random, options: DemoOptions, day: float, offset_minutes: int) -> int:
    """A time on or after a day of the period, by the rhythm of the person's local week, ms."""
    chosen = int(day)
    while rng.random() > _WEEKDAY_WEIGHTS[(options.start.weekday() + chosen) % 7] / 1.15:
        chosen = (chosen + 1) % options.days
    local_hour = rng.choices(range(24), weights=_HOUR_WEIGHTS)[0]
    hour = (local_hour - offset_minutes // 60) % 24
    start = int(options.start.timestamp() * 1000)
    return start + chosen * _DAY_MS + hour * 3_600_000 + rng.randint(0, 3_599_999)


def _person_times(rng: random.Random, options: DemoOptions, person: Person, mean_visits: float) -> list[int]:
    """Starts of one person's visits: a first one, and returns that thin out."""
    first_day = rng.random() ** 1.6 * (options.days - 1)
    count = 1 + (int(rng.expovariate(1 / (mean_visits - 1)) + 0.5) if mean_visits > 1 else 0)
    days = [first_day]
    days += [first_day + rng.betavariate(1, 1.8) * (options.days - 1 - first_day) for _ in range(count - 1)]
    return [_moment(rng, options, day, person.country.offset_minutes) for day in days]


def _choose_device(rng: random.Random, person: Person) -> Device:
    if person.shared_device is not None and rng.random() < 0.3:
        return person.shared_device
    weights = [3.0 / (rank + 1) for rank in range(len(person.devices))]
    return rng.choices(person.devices, weights=weights)[0]


def _entry(rng: random.Random, person: Person | None, device: Device, returning: bool) -> Entry:
    """The way in: apps and robots come directly, newsletters only to those who are known."""
    if device.platform != "web" or person is None:
        return DIRECT
    weights = []
    for entry in ENTRIES:
        weight = float(entry.weight)
        if entry.name == "newsletter":
            weight = weight * 1.8 if returning and person.customer_id else 0.0
        elif returning and entry.platform:
            weight *= 0.6
        weights.append(weight)
    return rng.choices(ENTRIES, weights=weights)[0]


def open_visit(
    rng: random.Random, person: Person | None, device: Device, start_ms: int, returning: bool
) -> Visit:
    """An empty visit; gives the device its id on that host when it comes there first."""
    host = "app" if device.platform != "web" else SHOP_HOST
    if device.platform == "web" and rng.random() < 0.12:
        host = OUTLET_HOST
    entry = _entry(rng, person, device, returning)
    campaign, query, search = _search(rng, entry)
    is_first = host not in device.user_ids
    clock = start_ms + device.clock_ms
    if is_first:
        device.user_ids[host] = (
            make_uuid(rng) if device.sdk == "edgetag" else f"{make_uuid(rng)}-{clock + 300}-{make_uuid(rng)}"
        )
        device.user_id_created_ms[host] = clock
    return Visit(person, device, host, start_ms, entry, campaign, query, search, clock - 3, is_first)


def plan_visits(options: DemoOptions, population: Population) -> list[Visit]:
    """All visits in order of their start; households never visit twice at once, nor do robots."""
    rng = random.Random(f"visits {options.seed}")
    mean_visits = max(1.0, options.events / EVENTS_PER_VISIT / options.people)
    visits: list[Visit] = []
    for household in population.households:
        times = [
            (at, index)
            for index in household
            for at in _person_times(rng, options, population.people[index], mean_visits)
        ]
        visits += _household_visits(rng, population, sorted(times))
    for robot in population.robots:
        at = int(options.start.timestamp() * 1000) + rng.randint(0, max(1, options.days // 2) * _DAY_MS)
        for _ in range(rng.randint(1, 6)):
            visits.append(open_visit(rng, None, robot, at, returning=True))
            at += rng.randint(QUIET_MS, max(QUIET_MS + 1, options.days * _DAY_MS // 14))
    last = int(options.end.timestamp() * 1000)
    visits = [visit for visit in visits if visit.start_ms < last]
    visits.sort(key=lambda visit: (visit.start_ms, visit.device.device_id))
    _make_session_ids_unique(visits)
    return visits


def _household_visits(
    rng: random.Random, population: Population, times: list[tuple[int, int]]
) -> list[Visit]:
    made: list[Visit] = []
    seen: set[int] = set()
    earliest = 0
    for at, index in times:
        start = max(at, earliest)
        earliest = start + QUIET_MS
        person = population.people[index]
        device = _choose_device(rng, person)
        made.append(open_visit(rng, person, device, start, returning=index in seen))
        seen.add(index)
    return made


def _make_session_ids_unique(visits: list[Visit]) -> None:
    """The SDK's session id is a time in ms; two visitors with the same one would be taken for one."""
    taken: set[int] = set()
    for visit in visits:
        while visit.sdk_session_ms in taken:
            visit.sdk_session_ms -= 1
        taken.add(visit.sdk_session_ms)
