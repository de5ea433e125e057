"""Telling one visit: time that passes, pages that open, events that are sent, who the visitor says to be.

Belongs here: the steps that a visit is told in. Which steps it takes is in behaviour.py and checkout.py.
"""

from __future__ import annotations

import hashlib
import random
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from blotout_orchestration.demo.catalogue import EDGE_EVENT_NAMES, Product
from blotout_orchestration.demo.people import make_uuid
from blotout_orchestration.demo.visits import Event, Visit

LONGEST_GAP_MS = 25 * 60_000
LONGEST_VISIT_MS = 75 * 60_000


@dataclass
class Story:
    """Tells one visit: keeps the time and the page, and appends to the visit's events."""

    rng: random.Random
    visit: Visit
    next_order_id: Callable[[], str]
    at_ms: int = 0
    url: str = ""
    title: str = ""
    cart: list[tuple[Product, int]] = field(default_factory=list)
    is_spa: bool = False

    def __post_init__(self) -> None:
        self.at_ms = self.visit.start_ms

    def wait(self) -> None:
        """Let some seconds pass, seldom many minutes."""
        gap = int(self.rng.lognormvariate(3.2, 0.9) * 1000) + 400
        if self.rng.random() < 0.012 and self.at_ms - self.visit.start_ms < LONGEST_VISIT_MS:
            gap = self.rng.randint(12 * 60_000, LONGEST_GAP_MS)
        self.at_ms += min(gap, LONGEST_GAP_MS)

    @property
    def is_over(self) -> bool:
        """Whether the visit has lasted long enough."""
        return self.at_ms - self.visit.start_ms > LONGEST_VISIT_MS

    def emit(self, name: str | int, kind: str, data: dict[str, object]) -> Event | None:
        """Add an event; EdgeTag sends fewer of them, under names of its own."""
        action = "tag"
        if self.visit.device.sdk == "edgetag":
            if kind in ("pii", "phi") or name not in EDGE_EVENT_NAMES:
                return None
            name, kind = EDGE_EVENT_NAMES[str(name)], "edgetag"
        event = Event(self._mid(name), name, kind, self.at_ms, self.url, self.title, data, action)
        self.visit.events.append(event)
        return event

    def _mid(self, name: str | int) -> str:
        encoded = b64encode(str(name).encode()).decode()
        return f"{encoded}-{make_uuid(self.rng)}-{self.rng.randint(200, 4_000)}.{self.rng.randint(0, 9)}000"

    def open(self, path: str, title: str, query: str = "") -> None:
        """Go to a page or screen: the old one is hidden, the new one starts."""
        rng, device = self.rng, self.visit.device
        if self.url and (self.is_spa or rng.random() < 0.5):
            document = page_element(rng, self.title, "#document", hidden=True)
            self.emit("visibility_hidden", "system", {"spa": True} if self.is_spa else document)
        if device.platform == "web":
            self.url, self.title = f"https://{self.visit.host}{path}{query}", title
        else:
            self.url = self.title = title
        self.emit("sdk_start", "system", {"spa": True} if self.is_spa and self.visit.events else {})

    def click(self, text: str, name: str) -> None:
        """A click that the SDK saw."""
        self.wait()
        self.emit("click", "system", page_element(self.rng, text, name))


def page_element(rng: random.Random, title: str, name: str, hidden: bool = False) -> dict[str, object]:
    """additionalData of a system event on a page element."""
    if hidden:
        return {
            "position": {"x": -1, "y": -1, "width": -1, "height": -1},
            "mouse": {"x": -1, "y": -1},
            "objectTitle": title,
            "objectName": name,
        }
    x, y = rng.randint(5, 900), rng.randint(5, 700)
    return {
        "position": {"x": x, "y": y, "width": 90, "height": 21},
        "mouse": {"x": x + 33, "y": y + 9},
        "objectTitle": title,
        "objectName": name,
    }


def amount(cents: int) -> int | float:
    """Cents as the number JavaScript writes: whole amounts without decimals."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def email_hash(email: str) -> str:
    """SHA-256 of a normalised e-mail address, hex."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def identify(story: Story, *, with_email: bool = False, with_persona: bool = False) -> None:
    """Say who the visitor is: the shop's customer id, the e-mail's hash, or the whole persona."""
    person = story.visit.person
    if person is None:
        return
    if story.visit.device.sdk == "edgetag":
        _identify_to_edgetag(story)
        return
    if person.customer_id is not None:
        story.emit("map_id", "codified", {"map_id": person.customer_id, "map_provider": "shopify"})
    if with_email:
        hashed: dict[str, object] = {
            "source": "checkout",
            "map_id": email_hash(person.email),
            "map_provider": "email_sha256",
        }
        story.emit("map_id", "codified", hashed)
    if with_persona:
        story.emit("persona", "codified", {
            "persona_id": person.crm_id, "persona_firstname": person.first_name,
            "persona_lastname": person.last_name, "persona_email": person.email,
            "persona_number": person.phone or "", "persona_city": person.city[0],
            "persona_state": person.city[1], "persona_zip": person.city[2],
            "persona_country": person.country.code, "persona_gender": person.gender, "persona_age": person.age,
        })  # fmt: skip


def _identify_to_edgetag(story: Story) -> None:
    """`/data` with the shop's customer id and `/user` with the e-mail, once in the life of a device."""
    visit = story.visit
    person, marker = visit.person, f"{visit.host} identified"
    if person is None or marker in visit.device.user_ids:
        return
    visit.device.user_ids[marker] = "yes"
    pairs: list[tuple[str, dict[str, object]]] = [("user", {"email": person.email})]
    if person.customer_id is not None:
        pairs.insert(0, ("data", {"shopify_id": person.customer_id}))
    for action, data in pairs:
        event = Event("", action, "edgetag", story.at_ms, story.url, story.title, data, action)
        visit.events.append(event)
