"""The demo store as a whole: generate it and write it to a folder.

Belongs here: putting the parts together and the folder's layout (requests/, offline/, truth). The same
options give the same bytes. The way into a lake is in landing.py.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random

from blotout_orchestration.demo import offline as offline_rows
from blotout_orchestration.demo.behaviour import tell
from blotout_orchestration.demo.deliveries import deliveries_of
from blotout_orchestration.demo.evidence import Evidence
from blotout_orchestration.demo.offline import Row
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.orders import Order, order_id
from blotout_orchestration.demo.people import Population, make_population
from blotout_orchestration.demo.story import Story
from blotout_orchestration.demo.truth import Ledger, order_rows, people_rows, session_rows
from blotout_orchestration.demo.visits import Visit, plan_visits
from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.lake.layers import hour_folder

STORE_VERSION = 1
"""Raised whenever the same options give another store."""

_GZIP_LEVEL = 4


@dataclass(frozen=True)
class DemoStore:
    """A generated store in memory: lines by hour of arrival, offline rows by table and source, the truth."""

    options: DemoOptions
    lines: dict[datetime, list[bytes]]
    offline: dict[str, dict[str, list[Row]]]
    truth: dict[str, object]
    people: list[Row]
    sessions: list[Row]
    orders: list[Row]


def _tell_all(options: DemoOptions, visits: list[Visit]) -> list[Order]:
    """Fill every visit with its events; returns the online orders in the order of placing."""
    rng = Random(f"behaviour {options.seed}")
    numbers = count()
    open_pages: dict[tuple[str, str], Order] = {}
    orders: list[Order] = []
    for visit in visits:
        story = Story(rng, visit, lambda: order_id(next(numbers)))
        key = (visit.device.device_id, visit.host)
        order = tell(story, open_pages.pop(key, None))
        if order is not None:
            orders.append(order)
            if rng.random() < 0.02:
                open_pages[key] = order
    return orders


def generate(options: DemoOptions) -> DemoStore:
    """Make the store that the options describe. Takes about a second for 10,000 events."""
    population = make_population(options)
    visits = plan_visits(options, population)
    online = _tell_all(options, visits)
    people = population.people
    orders = offline_rows.make_orders(options, people, online, first_free=len(online))
    all_orders = [*online, *orders.counter_orders]
    profiles = offline_rows.profile_rows(options, offline_rows.known_people(people, all_orders))
    mappings = offline_rows.mapping_rows(profiles)
    spend = offline_rows.spend_rows(options, visits)
    offline = {
        ID_MAPPINGS.name: mappings,
        CRM_PROFILES.name: profiles,
        OFFLINE_EVENTS.name: orders.rows,
        AD_SPEND.name: spend,
    }
    ledger, evidence = Ledger(), Evidence(people)
    arrived: dict[int, list[tuple[int, int, bytes]]] = defaultdict(list)
    for number, delivery in enumerate(deliveries_of(options, visits)):
        ledger.add(delivery)
        if delivery.request is not None:
            evidence.add_request(delivery.request)
        arrived[delivery.hour_ms].append((delivery.received_ms, number, delivery.line))
    owner_of = {person.crm_id: person.person_id for person in people}
    owner_of |= {person.customer_id: person.person_id for person in people if person.customer_id}
    for listed in mappings.values():
        evidence.add_mappings(listed, owner_of)
    offline_at = {
        str(row["transaction_id"]): int(row["event_datetime"].timestamp() * 1000)
        for listed in orders.rows.values()
        for row in listed
        if row["event_name"] == "order_completed" and isinstance(row["event_datetime"], datetime)
    }
    sessions = ledger.sessions()
    people_found = people_rows(people, evidence)
    ordered = order_rows(all_orders, orders, offline_at, sessions, evidence)
    lines = {
        datetime.fromtimestamp(hour / 1000, UTC): [line for _, _, line in sorted(arrived[hour])]
        for hour in sorted(arrived)
    }
    truth = _truth(options, ledger, population, len(sessions), ordered, spend)
    truth["sessions"] = sum(session.visit.person is not None for session in sessions)
    truth["ids_owned"] = len(evidence.owners)
    truth["components"] = sum(len(groups) for groups in evidence.by_person().values())
    return DemoStore(options, lines, offline, truth, people_found, session_rows(sessions), ordered)


def _truth(
    options: DemoOptions, ledger: Ledger, population: Population, sessions: int, orders: list[Row],
    spend: dict[str, list[Row]],
) -> dict[str, object]:  # fmt: skip
    spent = sum((Decimal(str(row["spend"])) for rows in spend.values() for row in rows), Decimal(0))
    return {
        "options": {**asdict(options), "last_day": options.last_day.isoformat(), "version": STORE_VERSION},
        **ledger.counts(),
        "bad_by_reason": dict(sorted(ledger.bad.items())),
        "people": len(population.people),
        "sessions_with_robots": sessions,
        "orders": len(orders),
        "orders_online": sum(bool(row["is_online"]) for row in orders),
        "revenue": str(sum((Decimal(str(row["revenue"])) for row in orders), Decimal(0))),
        "refunded": str(sum((Decimal(str(row["refunded"])) for row in orders), Decimal(0))),
        "spend": str(spent),
    }


def _text(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _write_rows(path: Path, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False, default=_text) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def write(store: DemoStore, folder: Path) -> None:
    """Write the store: requests/ by hour of arrival, offline/{table}/{source}.jsonl, and the truth.

    What an earlier store left in the folder is removed. truth.json is written last: with it the folder is whole.
    """
    (folder / "truth.json").unlink(missing_ok=True)
    for part in ("requests", "offline"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for hour, lines in store.lines.items():
        target = folder / "requests" / hour_folder(hour) / "part-0000.jsonl.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", _GZIP_LEVEL, mtime=0))
    for table, sources in store.offline.items():
        for source, rows in sources.items():
            _write_rows(folder / "offline" / table / f"{source}.jsonl", rows)
    for name in ("people", "sessions", "orders"):
        _write_rows(folder / f"{name}.jsonl", getattr(store, name))
    (folder / "truth.json").write_text(json.dumps(store.truth, indent=2) + "\n", encoding="utf-8")


def written_options(folder: Path) -> DemoOptions | None:
    """The options of the whole store that a folder holds, None when it holds none."""
    try:
        options = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["options"]
        version = options.pop("version")
        options["last_day"] = date.fromisoformat(options["last_day"])
        return DemoOptions(**options) if version == STORE_VERSION else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
