"""Generated requests against recorded ones: same keys, same types, same shapes."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.demo.bodies import event_code
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import DemoStore, generate

RECORDED_SDKS = ("0.9.1", "0.10.2", "edgetag")
Shape = Any


@pytest.fixture(scope="module")
def store() -> DemoStore:
    return generate(DemoOptions(people=250, days=20, events=12_000))


def recorded_requests(real_data: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((real_data / "sdk_events").rglob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def generated_requests(store: DemoStore) -> Iterator[dict[str, Any]]:
    """Every request that can be read; damaged lines are left out."""
    for lines in store.lines.values():
        for line in lines:
            try:
                request = json.loads(line)
                body = json.loads(request["body"])
            except ValueError:
                continue
            if isinstance(body, dict) and body.get("events") != "soon":
                yield request


def shape(value: object) -> Shape:
    """The type of a value; of objects and lists also what is in them."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def sdk_of(body: dict[str, Any]) -> str:
    return body["meta"]["sdkv"] if "meta" in body else "edgetag"


def events_of(request: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(SDK version, event name, event) of each event in a request; EdgeTag's body is its event."""
    body = json.loads(request["body"])
    if "events" not in body:
        yield "edgetag", body.get("eventName") or request["path"].strip("/"), body
        return
    for event in body["events"]:
        if isinstance(event, dict):
            yield body["meta"]["sdkv"], str(event["evn"]), event


def flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(path, type) of every leaf; list items share one path, free-form `search` parameters too."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            name = "*" if prefix in ("search", "storage.kv") else key
            yield from flat(item, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list) and value:
        for item in value:
            yield from flat(item, f"{prefix}[]")
    else:
        kind = shape(value)
        yield prefix, kind if isinstance(kind, str) else type(value).__name__


def test_events_have_only_paths_and_types_that_the_sdks_were_seen_to_send(
    store: DemoStore, real_data: Path
) -> None:
    """Data is compared event name by event name, what surrounds it SDK by SDK."""
    seen: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    envelopes: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for request in recorded_requests(real_data):
        for sdk, name, event in events_of(request):
            seen[(sdk, name)].update(flat(event))
            envelopes[sdk].update(
                leaf for leaf in flat(event) if not leaf[0].startswith(("additionalData", "data"))
            )
    strange, compared = {}, set()
    for request in generated_requests(store):
        for sdk, name, event in events_of(request):
            if event.get("evt") == "yesterday" or event.get("additionalData") == {"position": "elsewhere"}:
                continue
            if (sdk, name) in seen:
                compared.add((sdk, name))
                unknown = set(flat(event)) - seen[(sdk, name)] - envelopes[sdk]
                if unknown:
                    strange[(sdk, name)] = unknown
    assert strange == {}
    for sdk in RECORDED_SDKS:
        names = {name for version, name in compared if version == sdk}
        expected = {"PageView", "ViewContent", "AddToCart", "user", "data"}
        if sdk != "edgetag":
            expected = {"sdk_start", "visibility_hidden", "click", "view_item", "add_to_cart", "map_id"}
        assert expected <= names


def test_the_envelope_of_custom_events_is_the_one_of_recorded_events(
    store: DemoStore, real_data: Path
) -> None:
    recorded = {
        (sdk, frozenset(event))
        for request in recorded_requests(real_data)
        for sdk, _, event in events_of(request)
    }
    generated = {
        (sdk, frozenset(event))
        for request in generated_requests(store)
        for sdk, _, event in events_of(request)
        if sdk in RECORDED_SDKS
    }
    assert generated <= recorded


def is_part_in_order(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    remaining = iter(whole)
    return all(key in remaining for key in part)


def test_meta_and_headers_have_the_recorded_keys_in_the_recorded_order(
    store: DemoStore, real_data: Path
) -> None:
    metas, headers = set(), set()
    for request in recorded_requests(real_data):
        body = json.loads(request["body"])
        metas.add((sdk_of(body), tuple(body.get("meta", ()))))
        headers.add((sdk_of(body), tuple(request["headers"])))
    for request in generated_requests(store):
        body = json.loads(request["body"])
        sdk = sdk_of(body)
        if sdk in RECORDED_SDKS:
            keys = tuple(body.get("meta", ()))
            assert any(is_part_in_order(keys, whole) for version, whole in metas if version == sdk)
            assert any(set(least) <= set(keys) for version, least in metas if version == sdk)
            names = [name for name in request["headers"] if name != "CloudFront-Viewer-Country"]
            assert (sdk, tuple(names)) in headers


def test_event_codes_are_those_of_the_sdk(real_data: Path) -> None:
    codes = {
        event["evn"]: event["evcs"]
        for request in recorded_requests(real_data)
        for sdk, _, event in events_of(request)
        if sdk == "0.9.1" and isinstance(event["evn"], str)
    }
    assert len(codes) > 15
    assert {name: event_code(name) for name in codes} == codes


def test_event_ids_begin_with_the_encoded_name_and_are_unique(store: DemoStore) -> None:
    names: dict[str, str] = {}
    for request in generated_requests(store):
        for sdk, name, event in events_of(request):
            mid = event.get("eventId") if sdk == "edgetag" else event["mid"]
            if mid is None or mid.startswith("broken-"):
                continue
            assert base64.b64decode(mid.split("-")[0]).decode() == name
            assert names.setdefault(mid, name) == name


def test_all_formats_and_platforms_take_part(store: DemoStore) -> None:
    versions = {sdk_of(json.loads(request["body"])) for request in generated_requests(store)}
    assert versions == {"0.9.1", "0.10.2", "0.10.4", "0.5.0", "edgetag"}
