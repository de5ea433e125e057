"""Synthetic requests for the flatten benchmark: what the SDK 0.10 sends, about 1 KB a line, by hour of arrival.

Belongs here: making the landing layer. What is measured on it is flatten.py.
"""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 3, 2, tzinfo=UTC)
AGENTS = [
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 {rest}"
    for system, rest in (
        ("Windows NT 10.0; Win64; x64", "Safari/537.36"),
        ("Macintosh; Intel Mac OS X 10_15_7", "Safari/537.36"),
        ("Linux; Android 10; K", "Mobile Safari/537.36"),
    )
    for version in range(100, 145)
]
CAMPAIGNS = [
    "",
    "?utm_source=google&utm_medium=cpc&utm_campaign=spring_sale&gclid=Cj0K{}",
    "?utm_source=facebook&utm_medium=paid_social&utm_campaign=prospecting&fbclid=IwAR{}",
    "?utm_source=newsletter&utm_medium=email&utm_campaign=march",
]
REFERRERS = ["https://www.google.com/", "https://l.facebook.com/", "https://t.co/", ""]
EVENTS = [
    ("sdk_start", 11130, "system", {}),
    (
        "visibility_hidden",
        11132,
        "system",
        {
            "position": {"x": -1, "y": -1, "width": -1, "height": -1},
            "mouse": {"x": -1, "y": -1},
            "objectTitle": "Toy Shop",
            "objectName": "#document",
        },
    ),
    (
        "click",
        11119,
        "system",
        {
            "position": {"x": 19, "y": 180, "width": 90, "height": 21},
            "mouse": {"x": 52, "y": 91},
            "objectTitle": "Add to cart",
            "objectName": "BUTTON#add.btn",
        },
    ),
    ("add_to_cart", 24251, "codified", {"item_id": "TOY-006", "quantity": 1, "price": 19.99}),
    (
        "transaction",
        21002,
        "codified",
        {
            "transaction_id": "#1",
            "transaction_currency": "USD",
            "transaction_payment": "card",
            "transaction_total": 213.24,
            "transaction_tax": 16.25,
        },
    ),
    ("map_id", 21001, "codified", {"map_id": "6870000", "map_provider": "shopify"}),
]


def synthesise(landing: Path, lines: int, files: int, seed: int = 7) -> int:
    """Write `lines` requests of about 1 KB as gzip files over 24 hours; bytes before packing."""
    chance = random.Random(seed)
    size = 0
    each = -(-lines // files)
    written = 0
    for number in range(files):
        hour = START + timedelta(hours=number * 24 // files)
        folder = landing / hour.strftime("year=%Y/month=%m/day=%d/hour=%H")
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(folder / f"part-{number:04d}.jsonl.gz", "wb", compresslevel=4) as stream:
            for _ in range(min(each, lines - written)):
                line = _line(chance, written, hour)
                size += len(line)
                stream.write(line)
                written += 1
    return size


def _line(chance: random.Random, number: int, hour: datetime) -> bytes:
    name, code, kind, data = EVENTS[int(chance.random() ** 2 * len(EVENTS))]
    visitor = chance.randrange(50_000)
    moment = int(hour.timestamp() * 1000) + chance.randrange(3_600_000)
    page = f"https://www.toyshop.example/p/TOY-{chance.randrange(1000):03d}"
    search = CAMPAIGNS[visitor % 4].format(f"{visitor:032d}")
    user = f"fcf6cb83-1e2f-4c4b-8920-{visitor:012d}-1772434802232-341c05a3"
    body = {
        "meta": {
            "sdkv": "0.10.2",
            "tz_offset": -360,
            "user_agent": AGENTS[visitor % len(AGENTS)],
            "page_title": "Toy Shop",
            "referrer": REFERRERS[visitor % 4],
            **({"search": search} if search else {}),
        },
        "events": [
            {
                "mid": f"c2RrX3N0YXJ0-{number:012d}-{chance.getrandbits(64):016x}",
                "userid": user,
                "evn": name,
                "evcs": code,
                "scrn": page,
                "evt": moment,
                "session_id": str(1772434801644 + visitor),
                "type": kind,
                "screen": {"width": 1440, "height": 789, "docHeight": 1910, "docWidth": 1440},
                "additionalData": data,
            }
        ],
    }
    received = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    request = {
        "received_at": received.replace("+00:00", "Z"),
        "path": "/sdk/v1/events/publish?token=TOYSHOPTOKEN001",
        "headers": {
            "User-Agent": AGENTS[visitor % len(AGENTS)],
            "Origin": "https://www.toyshop.example",
            "CloudFront-Viewer-Country": "US",
        },
        "body": json.dumps(body, separators=(",", ":")),
    }
    return json.dumps(request, separators=(",", ":")).encode() + b"\n"
