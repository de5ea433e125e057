"""A visit's events as the body that an SDK sends, in each of its versions.

Belongs here: the wire formats of web SDK 0.9 and 0.10, of the apps, of the older format and of EdgeTag, key by
key in the SDK's own order. Requests with their headers are in requests.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache

from blotout_orchestration.demo.visits import Event, Visit

_CODES = {
    "sdk_start": 11130, "visibility_hidden": 11132, "click": 11119, "submit": 11111,
    "map_id": 21001, "transaction": 21002, "item": 21003, "persona": 21004,
}  # fmt: skip


def compact(value: object) -> str:
    """JSON as JavaScript writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@cache
def event_code(name: str) -> int:
    """`evcs`: fixed for the SDK's own events, else 21100 plus the digit sum of the name's SHA-1 mod 8899.

    Found by comparing with recorded requests of SDK 0.9.1.
    """
    if name in _CODES:
        return _CODES[name]
    return 21_100 + sum(hashlib.sha1(name.encode()).hexdigest().encode()) % 8_899


def _screen(visit: Visit) -> dict[str, int]:
    agent = visit.device.agent
    return {"width": agent.width, "height": agent.height, "docHeight": 1927, "docWidth": agent.width}


def _clock(visit: Visit, event: Event) -> int:
    return event.at_ms + visit.device.clock_ms


def _offset(visit: Visit) -> int:
    return visit.person.country.offset_minutes if visit.person else 0


def _with_path(event: Event) -> dict[str, object]:
    """additionalData of a system event in 0.10: the page's path comes first, except in one-page apps."""
    if event.kind != "system" or event.data == {"spa": True}:
        return event.data
    path = "/" + event.url.partition("?")[0].split("/", 3)[-1] if "://" in event.url else event.url
    return {"path": path, **event.data}


def _body_0_9(visit: Visit, events: list[Event]) -> dict[str, object]:
    created = visit.device.user_id_created_ms[visit.host]
    meta: dict[str, object] = {"sdkv": "0.9.1", "tz_offset": _offset(visit), "user_id_created": created}
    meta.update(visit.device.agent.meta)
    meta["page_title"] = events[0].title
    if visit.entry.referrer:
        meta["referrer"] = visit.entry.referrer
    if visit.search:
        meta["search"] = visit.search
    return {
        "meta": meta,
        "events": [
            {
                "mid": event.mid,
                "userid": visit.user_id,
                "evn": event.name,
                "evcs": event_code(str(event.name)),
                "scrn": event.url,
                "evt": _clock(visit, event),
                "session_id": str(visit.sdk_session_ms),
                "type": event.kind,
                "screen": _screen(visit),
                "additionalData": event.data,
            }
            for event in events
        ],
    }


def _body_0_10(visit: Visit, events: list[Event]) -> dict[str, object]:
    device = visit.device
    meta: dict[str, object] = {
        "sdkv": "0.10.2",
        "tz_offset": _offset(visit),
        "user_agent": device.agent.user_agent,
        "page_title": events[0].title,
    }
    if device.legacy_identity:
        meta["user_id_created"] = device.user_id_created_ms[visit.host]
    if visit.entry.referrer:
        meta["referrer"] = visit.entry.referrer
    if visit.query:
        meta["search"] = visit.query
    sent: list[dict[str, object]] = []
    for event in events:
        one: dict[str, object] = {
            "mid": event.mid,
            "evn": event.name,
            "scrn": event.url,
            "evt": _clock(visit, event),
            "session_id": str(visit.sdk_session_ms),
            "type": event.kind,
            "screen": _screen(visit),
            "additionalData": _with_path(event),
        }
        if device.legacy_identity:
            one["userid"] = visit.user_id
        sent.append(one)
    return {"meta": meta, "events": sent}


def _body_app(visit: Visit, events: list[Event]) -> dict[str, object]:
    agent = visit.device.agent
    meta = {
        "sdkv": "0.10.4", "tz_offset": _offset(visit), "jbrkn": False, "vpn": False, "dcomp": False,
        "acomp": False, "user_agent": agent.user_agent, "appv": agent.browser_version,
        "page_title": events[0].title, "osn": agent.os_name, "plf": agent.platform_code,
    }  # fmt: skip
    return {
        "meta": meta,
        "events": [
            {
                "mid": event.mid,
                "userid": visit.user_id,
                "evn": event.name,
                "type": event.kind,
                "scrn": event.url,
                "evt": _clock(visit, event),
                "session_id": str(visit.sdk_session_ms),
                "screen": _screen(visit),
                "additionalData": _with_path(event),
            }
            for event in events
        ],
    }


def _body_older(visit: Visit, events: list[Event]) -> dict[str, object]:
    """The format before 0.9: what is now additionalData lies in `properties.codifiedInfo`."""
    meta: dict[str, object] = {"sdkv": "0.5.0", "tz_offset": _offset(visit)}
    meta["user_id_created"] = visit.device.user_id_created_ms[visit.host]
    meta.update(visit.device.agent.meta)
    meta["page_title"] = events[0].title
    if visit.search:
        meta["search"] = visit.search
    return {
        "meta": meta,
        "events": [
            {
                "mid": event.mid,
                "userid": visit.user_id,
                "evn": event.name,
                "evcs": event_code(str(event.name)),
                "evdc": 1,
                "scrn": event.url,
                "evt": _clock(visit, event),
                "type": event.kind,
                "properties": {
                    "referrer": visit.entry.referrer,
                    "screen": _screen(visit),
                    "session_id": str(visit.sdk_session_ms),
                    "codifiedInfo": event.data,
                },
                "nmo": 1,
                "evc": 10001 if event.kind == "system" else 20001,
            }
            for event in events
        ],
    }


def _body_edgetag(visit: Visit, events: list[Event]) -> dict[str, object]:
    event = events[0]
    is_landing = event.url == visit.events[0].url
    body: dict[str, object] = {
        "pageUrl": event.url,
        "pageTitle": event.title,
        "userAgent": visit.device.agent.user_agent,
        "referrer": (visit.entry.referrer or "") if is_landing else "",
        "search": "?" + event.url.partition("?")[2] if "?" in event.url else "",
    }
    if event.action == "user":
        ((key, value),) = event.data.items()
        body |= {"key": key, "value": value}
    elif event.action == "data":
        body["data"] = event.data
    else:
        body |= {
            "eventName": event.name,
            "eventId": event.mid,
            "timestamp": _clock(visit, event),
            "data": event.data,
            "providerData": {},
        }
    storage: dict[str, object] = {"edgeTag": {"consent": {"all": True}}}
    if "gclid" in visit.search:
        storage["data"] = {"googleAdsClicks": {"gclid": visit.search["gclid"]}}
    body["storage"] = storage
    return body


BODIES: dict[str, Callable[[Visit, list[Event]], dict[str, object]]] = {
    "0.9.1": _body_0_9,
    "0.10.2": _body_0_10,
    "0.10.4": _body_app,
    "0.5.0": _body_older,
    "edgetag": _body_edgetag,
}
