"""A visit as the requests that the collector sees: which events leave together, path, headers, body.

Belongs here: what surrounds the body. When and how often a request arrives is in deliveries.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blotout_orchestration.demo.bodies import BODIES, compact
from blotout_orchestration.demo.catalogue import COLLECTOR_HOST, EDGE_HOST
from blotout_orchestration.demo.visits import Event, Visit

PUBLISH_PATH = "/sdk/v1/events/publish?token=TOYSHOPTOKEN001"
_COOKIE_SET_AFTER_MS = 300
_BEACONS = ("visibility_hidden", "click", "submit")


@dataclass(slots=True)
class Request:
    """One request: the events it carries, and what the collector sees."""

    visit: Visit
    events: list[Event]
    at_ms: int
    path: str
    headers: dict[str, str]
    body: str


def _headers(visit: Visit, events: list[Event], has_id: bool, length: int) -> dict[str, str]:
    device, person = visit.device, visit.person
    is_edge, is_web = device.sdk == "edgetag", device.platform == "web"
    is_beacon = is_web and all(event.name in _BEACONS for event in events)
    kind = "application/json" if is_beacon else "application/json; charset=utf-8"
    headers = {"Host": EDGE_HOST if is_edge else COLLECTOR_HOST, "Content-Type": kind}
    headers["Content-Length"] = str(length)
    headers["User-Agent"] = device.agent.user_agent
    if is_web:
        headers |= {"Referer": events[0].url, "Origin": f"https://{visit.host}"}
    if is_edge:
        headers["Cookie"] = f"tag_user_id={visit.user_id}"
    elif device.sdk == "0.10.2" and has_id:
        headers["Cookie"] = f"_trends_user_id={visit.user_id}"
    headers["Accept"] = "*/*" if is_beacon else "application/json; charset=utf-8"
    if is_web:
        headers["Accept-Language"] = person.country.language if person else "en-US"
    if is_edge:
        headers["EdgeTagUserId"] = visit.user_id
    if is_web:
        headers |= {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-site"}
    headers["X-Forwarded-For"] = person.ip if person else "192.0.2.66"
    headers["CloudFront-Viewer-Country"] = person.country.code if person else "US"
    return headers


def _batches(visit: Visit) -> Iterator[list[Event]]:
    """Events that leave together: one by one on the web, but for changes of page in a one-page app."""
    size = 3 if visit.device.platform != "web" else 2
    batch: list[Event] = []
    for event in visit.events:
        together = batch and visit.device.sdk != "edgetag" and event.at_ms == batch[-1].at_ms
        waits = batch and visit.device.platform != "web" and event.at_ms - batch[0].at_ms < 60_000
        if batch and (len(batch) == size or not (together or waits)):
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch


def requests_of(visit: Visit) -> Iterator[Request]:
    """The visit's requests in the order in which they were made."""
    cookie_from = visit.events[0].at_ms + _COOKIE_SET_AFTER_MS if visit.is_first else 0
    for events in _batches(visit):
        at_ms = events[-1].at_ms
        has_id = at_ms >= cookie_from
        body = compact(BODIES[visit.device.sdk](visit, events))
        headers = _headers(visit, events, has_id, len(body.encode()))
        path = f"/{events[0].action}" if visit.device.sdk == "edgetag" else PUBLISH_PATH
        yield Request(visit, events, at_ms, path, headers, body)


def carries_user_id(request: Request) -> bool:
    """Whether the request says who sends it; the first ones of SDK 0.10 do not."""
    device = request.visit.device
    return device.sdk != "0.10.2" or device.legacy_identity or "Cookie" in request.headers
