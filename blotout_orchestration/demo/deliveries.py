"""Requests on their way to the collector: on time, late, twice, damaged. One line of the landing layer each.

Belongs here: the network and its faults. Every damaged line leaves exactly one row in bad_events; the
original of a damaged copy arrives as well, so that nothing of a visit is lost.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from blotout_orchestration.demo.bodies import compact
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.requests import Request, requests_of
from blotout_orchestration.demo.visits import Visit

HOUR_MS = 3_600_000
LATE_SHARE = 0.012
VERY_LATE_SHARE = 0.004
REPEATED_SHARE = 0.013
MALFORMED_SHARE = 0.003
_COLLISIONS = 3


@dataclass(slots=True)
class Delivery:
    """One line in the landing layer. `request` is None, and `bad_reason` says why, for a line that is bad."""

    received_ms: int
    line: bytes
    request: Request | None = None
    bad_reason: str | None = None

    @property
    def hour_ms(self) -> int:
        """Start of the hour of arrival."""
        return self.received_ms - self.received_ms % HOUR_MS


def timestamp(ms: int) -> str:
    """`2026-03-03T02:00:01.030Z`."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def _line(received_ms: int, path: str, headers: dict[str, str], body: str) -> bytes:
    landed = {"received_at": timestamp(received_ms), "path": path, "headers": headers, "body": body}
    return compact(landed).encode()


def _arrivals(rng: random.Random, request: Request) -> list[int]:
    """When the request arrives, ms: usually once and at once."""
    first = request.at_ms + rng.randint(30, 1_400)
    device = request.visit.device
    if device.sdk == "edgetag" and request.events[0].action != "tag":
        return [first]
    draw = rng.random()
    if not device.has_far_clock and device.sdk != "edgetag":
        if draw < VERY_LATE_SHARE:
            first += rng.randint(20 * HOUR_MS, 40 * HOUR_MS)
        elif draw < VERY_LATE_SHARE + LATE_SHARE:
            first += rng.randint(HOUR_MS, 6 * HOUR_MS)
    arrivals = [first]
    while rng.random() < (REPEATED_SHARE if len(arrivals) == 1 else 0.1):
        soon = rng.random() < 0.55
        arrivals.append(
            arrivals[-1] + (rng.randint(300, 40_000) if soon else rng.randint(HOUR_MS, 30 * HOUR_MS))
        )
    return arrivals


def _damaged(rng: random.Random, request: Request, received_ms: int) -> Delivery:
    """A line that cannot be read, made from a real request; all kinds take turns by chance."""
    line = _line(received_ms, request.path, request.headers, request.body)
    body = json.loads(request.body)
    is_batch = "events" in body
    kind = rng.choice(
        ("cut_line", "not_utf8", "cut_body", "bare_number", "empty_body")
        + (("events_text", "event_number", "no_time", "no_events") if is_batch else ())
    )
    if kind == "cut_line":
        return Delivery(received_ms, line[: rng.randint(40, len(line) - 40)], None, "invalid_json")
    if kind == "not_utf8":
        place = line.index(b'"path"') + 9
        return Delivery(received_ms, line[:place] + b"\xff\xfe" + line[place:], None, "invalid_utf8")
    if kind == "cut_body":
        text, reason = request.body[: rng.randint(20, len(request.body) - 5)], "invalid_body"
    elif kind == "bare_number":
        text, reason = "42", "not_an_object"
    elif kind == "empty_body":
        text, reason = "", "empty_body"
    else:
        broken = {
            "events_text": ("soon", "events_not_a_list"),
            "event_number": ([42], "event_not_an_object"),
            "no_time": ([{**body["events"][0], "mid": f"broken-{received_ms}", "evt": "yesterday"}],
                        "invalid_event_time"),
            "no_events": ([], "no_events"),
        }  # fmt: skip
        events, reason = broken[kind] if is_batch else ([], "no_events")
        text = compact({**body, "events": events})
    return Delivery(received_ms, _line(received_ms, request.path, request.headers, text), None, reason)


def _collision(request: Request, received_ms: int) -> Delivery:
    """The same event id with other content, in the same hour: not a repetition but a fault."""
    body = json.loads(request.body)
    body["events"][0]["additionalData"] = {"position": "elsewhere"}
    text = compact(body)
    line = _line(received_ms, request.path, request.headers, text)
    return Delivery(received_ms, line, None, "event_id_collision")


def _may_collide(request: Request, received_ms: int) -> bool:
    device = request.visit.device
    return (
        len(request.events) == 1
        and device.sdk in ("0.9.1", "0.10.2")
        and request.events[0].name == "sdk_start"
        and received_ms % HOUR_MS < HOUR_MS - 60_000
    )


def deliveries_of(options: DemoOptions, visits: list[Visit]) -> Iterator[Delivery]:
    """Every line that arrives, in no particular order."""
    rng = random.Random(f"deliveries {options.seed}")
    collisions = 0
    for visit in visits:
        for request in requests_of(visit):
            arrivals = _arrivals(rng, request)
            for received_ms in arrivals:
                line = _line(received_ms, request.path, request.headers, request.body)
                yield Delivery(received_ms, line, request)
            if rng.random() < MALFORMED_SHARE:
                yield _damaged(rng, request, arrivals[0] + rng.randint(1_000, 2 * HOUR_MS))
            elif collisions < _COLLISIONS and len(arrivals) == 1 and _may_collide(request, arrivals[0]):
                collisions += 1
                yield _collision(request, arrivals[0] + rng.randint(2_000, 20_000))
