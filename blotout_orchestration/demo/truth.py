"""The truth beside the demo store: what the pipeline has to find, counted where it was made.

Belongs here: sums, sessions and orders as the documented rules see them (time of receipt for clocks that are
far out, first arrival wins). Written as truth.json, people.jsonl, sessions.jsonl and orders.jsonl.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from blotout_orchestration.demo.deliveries import Delivery, timestamp
from blotout_orchestration.demo.evidence import Evidence, Node
from blotout_orchestration.demo.offline import OfflineOrders, Row
from blotout_orchestration.demo.orders import Order, money
from blotout_orchestration.demo.people import Person
from blotout_orchestration.demo.requests import Request, carries_user_id
from blotout_orchestration.demo.visits import Event, Visit

LOOKBACK_MS = 90 * 86_400_000
_ORDER_EVENTS = ("transaction", "Purchase")


@dataclass(slots=True)
class Session:
    """One visit as the pipeline can see it. `started_ms` is the time of its first event as observed."""

    visit: Visit
    visitor: str | None
    started_ms: int
    events: int
    order_times: dict[str, list[int]] = field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """Whether two persons use the device."""
        return len(self.visit.device.owners) > 1


def order_of_event(event: Event) -> str | None:
    """The transaction id of an order event, None for all others."""
    if event.name not in _ORDER_EVENTS:
        return None
    return str(event.data.get("transaction_id") or event.data.get("orderId"))


class Ledger:
    """Takes in deliveries one by one and knows at the end what arrived how often, and when first."""

    def __init__(self) -> None:
        self.arrivals: dict[int, list[int]] = {}
        self.requests: dict[int, Request] = {}
        self.bad: Counter[str] = Counter()

    def add(self, delivery: Delivery) -> None:
        """Count one line."""
        if delivery.request is None:
            self.bad[str(delivery.bad_reason)] += 1
            return
        key = id(delivery.request)
        self.requests[key] = delivery.request
        self.arrivals.setdefault(key, []).append(delivery.received_ms)

    def counts(self) -> dict[str, int]:
        """Events by fate; events_in = good + bad + both kinds of duplicates."""
        good = within = across = 0
        for key, times in self.arrivals.items():
            events = len(self.requests[key].events)
            hours = len({time // 3_600_000 for time in times})
            good += events
            within += (len(times) - hours) * events
            across += (hours - 1) * events
        bad = sum(self.bad.values())
        return {
            "events_in": good + bad + within + across,
            "events_good": good,
            "events_bad": bad,
            "events_duplicate": within + across,
            "events_duplicate_within_hour": within,
            "events_duplicate_across_hours": across,
        }

    def sessions(self) -> list[Session]:
        """One session a visit, in order of visits."""
        made: dict[int, Session] = {}
        for key, request in self.requests.items():
            visit = request.visit
            received = min(self.arrivals[key])
            session = made.setdefault(id(visit), Session(visit, None, 1 << 62, 0))
            session.events += len(request.events)
            if carries_user_id(request):
                session.visitor = visit.user_id
            for event in request.events:
                observed = event.at_ms + visit.device.clock_ms
                if visit.device.has_far_clock or event.action != "tag":
                    observed = received
                session.started_ms = min(session.started_ms, observed)
                order = order_of_event(event)
                if order is not None:
                    session.order_times.setdefault(order, []).append(observed)
        return sorted(made.values(), key=lambda one: (one.visit.start_ms, one.visit.sdk_session_ms))


def session_rows(sessions: list[Session]) -> list[Row]:
    """Rows of sessions.jsonl."""
    return [
        {
            "sdk_session_id": None
            if session.visit.device.sdk == "edgetag"
            else str(session.visit.sdk_session_ms),
            "user_id": session.visitor,
            "person_id": session.visit.person.person_id if session.visit.person else None,
            "host": session.visit.host,
            "sdk": session.visit.device.sdk,
            "started_at": timestamp(session.started_ms),
            "events": session.events,
            "channel": session.visit.entry.channel,
            "campaign": session.visit.campaign,
            "is_bot": session.visit.person is None,
            "transaction_ids": sorted(session.order_times),
        }
        for session in sessions
    ]


def _component_of(session: Session, evidence: Evidence) -> Node | None:
    if session.visitor is None:
        return None
    return evidence.components.find(("user_id", session.visitor))


def _order_node(order: Order) -> Node:
    person = order.person
    if person.customer_id is not None:
        return ("map_id", person.customer_id)
    return ("phone", person.phone) if not order.is_online and person.phone else ("email", person.email)


def order_rows(
    orders: list[Order], offline: OfflineOrders, offline_at_ms: dict[str, int], sessions: list[Session],
    evidence: Evidence,
) -> list[Row]:  # fmt: skip
    """Rows of orders.jsonl, with first and last touch over the sessions that can be known to be the buyer's.

    Orders of people who share a device are `is_ambiguous`: whose sessions are whose cannot be known.
    """
    touches: dict[Node, list[Session]] = {}
    times: dict[str, list[int]] = {}
    homes: dict[str, Session] = {}
    for session in sessions:
        component = _component_of(session, evidence)
        if component is not None and session.visit.person is not None:
            touches.setdefault(component, []).append(session)
        for order_id, moments in session.order_times.items():
            times.setdefault(order_id, []).extend(moments)
            if order_id not in homes or min(moments) < min(homes[order_id].order_times[order_id]):
                homes[order_id] = session
    rows: list[Row] = []
    for order in orders:
        converted = min(times.get(order.order_id) or [offline_at_ms[order.order_id]])
        home = homes.get(order.order_id)
        node = _component_of(home, evidence) if home else evidence.components.find(_order_node(order))
        path = sorted(
            (one for one in touches.get(node, []) if converted - LOOKBACK_MS <= one.started_ms <= converted),
            key=lambda one: one.started_ms,
        ) if node else []  # fmt: skip
        rows.append({
            "transaction_id": order.order_id,
            "person_id": order.person.person_id,
            "is_online": order.is_online,
            "is_ambiguous": order.person.shared_device is not None,
            "converted_at": timestamp(converted),
            "online_events": len(times.get(order.order_id, [])),
            "revenue": str(money(offline.revenue[order.order_id])),
            "refunded": str(money(offline.refunded.get(order.order_id, 0))),
            "touches": len(path),
            "first_touch_channel": path[0].visit.entry.channel if path else None,
            "last_touch_channel": path[-1].visit.entry.channel if path else None,
            "last_touch_campaign": path[-1].visit.campaign if path else None,
        })  # fmt: skip
    return rows


def people_rows(people: list[Person], evidence: Evidence) -> list[Row]:
    """Rows of people.jsonl: each person's ids, grouped by what the data can show to belong together."""
    grouped = evidence.by_person()
    return [
        {
            "person_id": person.person_id,
            "customer_id": person.customer_id,
            "email": person.email,
            "shares_a_device": person.shared_device is not None,
            "components": [
                [{"type": kind, "id": value} for kind, value in nodes]
                for _, nodes in sorted(grouped.get(person.person_id, {}).items())
            ],
        }
        for person in people
    ]
