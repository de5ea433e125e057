"""What the shop's other systems know: CRM profiles, orders and refunds, id mappings, ad spend.

Belongs here: rows of the contract tables of the ELT domain, one list a source. Times are true times; the
offline order carries the transaction id of its online event.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from blotout_orchestration.demo.catalogue import CURRENCY, ENTRIES, UNVISITED_CAMPAIGN
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.orders import Order, draw_lines, money, order_id
from blotout_orchestration.demo.people import Person
from blotout_orchestration.demo.visits import Visit

Row = dict[str, object]
SHOP, CRM, COUNTER = "shopify", "hubspot", "store_counter"
COUNTER_SHARE = 0.08
REFUND_SHARE = 0.045
EDITED_SHARE = 0.01
MISSING_SHARE = 0.01
"""Online orders that the shop system never sent: cancelled at once, or a test."""


@dataclass(frozen=True)
class OfflineOrders:
    """Orders outside the click stream and what became of all orders, in cents by order id."""

    counter_orders: list[Order]
    revenue: dict[str, int]
    refunded: dict[str, int]
    missing: set[str]
    rows: dict[str, list[Row]]


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


def _person_of_order(order: Order) -> tuple[str, str, str | None]:
    """Id, type and provider by which the order names its person."""
    person = order.person
    if person.customer_id is not None:
        return person.customer_id, "map_id", "shopify"
    if not order.is_online and person.phone:
        return person.phone, "phone", None
    return person.email, "email", None


def _order_row(order: Order, source: str, name: str, at: datetime, cents: int) -> Row:
    person_id, kind, provider = _person_of_order(order)
    suffix = "" if name == "order_completed" else ":refund"
    attributes = {"payment": order.payment, "items": [product.item_id for product, _ in order.lines]}
    return {
        "event_id": f"{source}{order.order_id}{suffix}",
        "event_name": name,
        "event_datetime": at,
        "person_id": person_id,
        "person_id_type": kind,
        "person_id_provider": provider,
        "transaction_id": order.order_id,
        "revenue": money(cents),
        "currency": CURRENCY,
        "quantity": float(order.quantity),
        "attributes": json.dumps(attributes),
    }


def make_orders(
    options: DemoOptions, people: list[Person], online: list[Order], first_free: int
) -> OfflineOrders:
    """Offline rows of the online orders, and orders by phone and over the counter; numbered from `first_free`."""
    rng = random.Random(f"offline orders {options.seed}")
    start, end = int(options.start.timestamp() * 1000), int(options.end.timestamp() * 1000)
    counter = []
    for number in range(max(2, int(len(online) * COUNTER_SHARE))):
        lines = draw_lines(rng, rng.choice((1, 1, 2)))
        placed = rng.randint(start, end - 1) // 1000 * 1000
        counter.append(
            Order(
                order_id(first_free + number), rng.choice(people), lines, 0, "cash", placed, is_online=False
            )
        )
    revenue: dict[str, int] = {}
    refunded: dict[str, int] = {}
    missing: set[str] = set()
    rows: dict[str, list[Row]] = {SHOP: [], COUNTER: []}
    for order in [*online, *counter]:
        if order.is_online and rng.random() < MISSING_SHARE:
            missing.add(order.order_id)
            revenue[order.order_id] = order.total
            continue
        cents = order.total
        if order.is_online and rng.random() < EDITED_SHARE:
            cents = max(100, cents - 250)
        source = SHOP if order.is_online else COUNTER
        revenue[order.order_id] = cents
        at = _moment(order.placed_ms + (rng.randint(5_000, 20_000) if order.is_online else 0))
        rows[source].append(_order_row(order, source, "order_completed", at, cents))
        if rng.random() < REFUND_SHARE:
            back = cents if rng.random() < 0.6 else cents // 2
            refunded[order.order_id] = back
            later = at + timedelta(days=rng.randint(2, 14))
            rows[source].append(_order_row(order, source, "order_refunded", later, -back))
    return OfflineOrders(counter, revenue, refunded, missing, rows)


def known_people(people: list[Person], orders: Iterable[Order]) -> list[Person]:
    """Who is in the CRM: people with an account, and everyone who ever ordered."""
    buyers = {order.person.person_id for order in orders}
    return [person for person in people if person.customer_id or person.person_id in buyers]


def profile_rows(options: DemoOptions, people: list[Person]) -> dict[str, list[Row]]:
    """CRM profiles by source: the CRM knows everyone, the shop system those with an account."""
    rng = random.Random(f"profiles {options.seed}")
    rows: dict[str, list[Row]] = {CRM: [], SHOP: []}
    for person in people:
        created = options.start - timedelta(minutes=rng.randint(60, 400_000))
        common: Row = {
            "email": person.email,
            "phone": person.phone,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "city": person.city[0],
            "state": person.city[1] or None,
            "zip": person.city[2],
            "country": person.country.code,
            "created_at": created,
            "updated_at": created + timedelta(days=rng.randint(0, 30)),
        }
        birth = date(options.last_day.year - person.age, 1 + rng.randrange(12), 1 + rng.randrange(28))
        rows[CRM].append({
            "profile_id": person.crm_id, "profile_id_provider": CRM, **common, "gender": person.gender,
            "birth_date": birth, "accepts_marketing": rng.random() < 0.7, "attributes": '{"tier": "standard"}',
        })  # fmt: skip
        if person.customer_id:
            rows[SHOP].append({"profile_id": person.customer_id, "profile_id_provider": SHOP, **common})
    return rows


def mapping_rows(profiles: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The id mappings of the profiles: the source's own id with e-mail and phone."""
    rows: dict[str, list[Row]] = {source: [] for source in profiles}
    for source, listed in profiles.items():
        for profile in listed:
            for kind in ("email", "phone"):
                if profile[kind]:
                    rows[source].append({
                        "id_a": profile["profile_id"], "id_a_type": "map_id", "id_a_provider": source,
                        "id_b": profile[kind], "id_b_type": kind, "id_b_provider": None,
                        "seen_at": profile["created_at"],
                    })  # fmt: skip
    return rows


def spend_rows(options: DemoOptions, visits: list[Visit]) -> dict[str, list[Row]]:
    """Ad spend by source, one row a day and campaign; clicks are a little more than the visits that came."""
    rng = random.Random(f"ad spend {options.seed}")
    arrived: dict[tuple[date, str], int] = {}
    for visit in visits:
        if visit.entry.platform and visit.campaign:
            key = (_moment(visit.start_ms).date(), visit.campaign)
            arrived[key] = arrived.get(key, 0) + 1
    campaigns = [
        (entry.platform, entry.source, entry.medium, campaign, entry.daily_cents)
        for entry in ENTRIES
        if entry.platform
        for campaign in entry.campaigns
    ]
    campaigns.append(UNVISITED_CAMPAIGN)
    rows: dict[str, list[Row]] = {}
    for number, (platform, source, medium, campaign, daily_cents) in enumerate(campaigns, start=1):
        listed = rows.setdefault(f"{platform}_ads", [])
        for offset in range(options.days):
            day = (options.start + timedelta(days=offset)).date()
            visited = arrived.get((day, campaign), 0)
            clicks = visited + rng.randint(0, 1 + visited // 5)
            claimed = round(clicks * 0.06, 2)
            listed.append({
                "date": day, "ad_platform": platform, "account_id": f"{platform}-001",
                "account_time_zone": "UTC", "campaign_id": f"{90_000 + number}", "campaign_name": campaign,
                "utm_source": source, "utm_medium": medium, "utm_campaign": campaign,
                "impressions": clicks * rng.randint(30, 60) + rng.randint(50, 400), "clicks": clicks,
                "spend": money(int(daily_cents * rng.uniform(0.7, 1.3))), "currency": CURRENCY,
                "platform_conversions": claimed,
                "platform_conversion_value": Decimal(str(round(claimed * 55, 2))),
            })  # fmt: skip
    return rows
