"""Devices of native apps: their SDKs name them in `meta`, their HTTP libraries' user agents do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from blotout_orchestration.events.user_agents import parse_user_agent
from blotout_orchestration.lake import Lake

from .sdk_requests import batch, core_rows, event, flatten_pending, put, request

One = Callable[..., dict[str, Any]]
DEVICE = ("os", "os_version", "device_type", "device_brand", "device_model", "platform")
# As the SDKs for Android and iOS fill `meta` in 0.9.
ANDROID = {
    "plf": 50, "osn": "R", "osv": "11", "dmft": "samsung", "dm": "SM-G991B", "appv": "3.2.1", "jbrkn": False,
    "vpn": False, "user_id_created": 1772434801649,
}  # fmt: skip
IPAD = {
    "plf": 15, "osn": "iPadOS", "osv": "17.2", "dmft": "Apple", "dm": "iPad", "appv": "3.2.1.7", "vpn": 0,
}  # fmt: skip


def _app(meta: dict[str, Any], agent: str | None) -> str:
    headers = {} if agent is None else {"User-Agent": agent}
    return request(batch(event(scrn="MainActivity"), **meta), headers=headers)


@pytest.mark.parametrize("agent", [None, "okhttp/4.5.0", "unknown"])
def test_an_app_has_the_device_that_its_sdk_names(flatten_one: One, agent: str | None) -> None:
    row = flatten_one(_app({"osn": "Android", "osv": 14, "dm": "Pixel 8", "dmft": "Google"}, agent))
    assert [row[name] for name in DEVICE] == ["Android", "14", "mobile", "Google", "Pixel 8", "android"]


@pytest.mark.parametrize(
    ("meta", "agent", "device"),
    [
        (ANDROID, "okhttp/4.5.0", ["Android", "11", "mobile", "samsung", "SM-G991B", "android"]),
        (IPAD, "Toys/3 CFNetwork/1485 Darwin/23.1.0", ["iPadOS", "17.2", "tablet", "Apple", "iPad", "ios"]),
        ({"plf": 60, "osv": "-1", "dm": "NA"}, None, ["iOS", None, "mobile", None, None, "ios"]),
        ({"plf": 14, "osn": "iOS", "osv": "16.1", "dm": "Unknown"}, "x", ["iOS", "16.1", "mobile", None, None, "ios"]),
        ({"plf": 13, "osn": "S"}, None, ["Android", None, "tv", None, None, "android"]),
        ({"plf": 50, "osn": "S"}, "python-requests/2.3", ["Android", None, "bot", None, None, "android"]),
        ({"appv": "1"}, "okhttp/4.5.0", [None, None, "other", None, None, "other"]),
    ],
)  # fmt: skip
def test_the_codes_and_names_of_the_sdks_are_understood(
    flatten_one: One, meta: dict[str, Any], agent: str | None, device: list[str | None]
) -> None:
    row = flatten_one(_app(meta, agent))
    assert [row[name] for name in DEVICE] == device
    assert row["type_conflicts"] is None


def test_what_an_app_says_without_a_column_is_kept_among_the_unknown_keys(lake: Lake) -> None:
    data = event(evn="custom", additionalData={"level": 3})
    put(lake, [request(batch(event("a"), **ANDROID)), request(batch(data, **IPAD, **{"a/b": {"c": None}}))])
    [result] = flatten_pending(lake)
    kept = [json.loads(row["additional_data"]) for row in core_rows(lake)]
    assert kept == [
        {"meta_appv": "3.2.1", "meta_jbrkn": False, "meta_vpn": False},
        {"level": 3, "meta_appv": "3.2.1.7", "meta_vpn": 0, "meta_a/b": {}},
    ]
    assert result.unknown_keys == ["level", "meta_a/b", "meta_appv", "meta_jbrkn", "meta_vpn"]


def test_a_browsers_user_agent_is_believed_and_not_its_sdk(flatten_one: One) -> None:
    meta = {
        "plf": 28, "osn": "Linux", "osv": "x86_64", "dm": "AMD Based", "dmft": "Ubuntu", "bnme": "Firefox",
        "appv": "147.0",
    }  # fmt: skip
    row = flatten_one(request(batch(event(), **meta)))
    assert [row[name] for name in DEVICE] == ["Linux", None, "desktop", None, None, "web"]
    assert row["additional_data"] is None


def test_a_browser_without_a_user_agent_has_what_its_sdk_names(flatten_one: One) -> None:
    meta = {
        "plf": 27, "osn": "Mac OS", "osv": "10.15.7", "dm": "Intel Based", "dmft": "Apple", "bnme": "Safari",
        "appv": "18.3",
    }  # fmt: skip
    row = flatten_one(request(batch(event(), **meta), headers={}))
    assert [row[name] for name in DEVICE] == ["Mac OS X", "10.15.7", "desktop", "Apple", None, "web"]
    assert (row["browser"], row["browser_version"], row["additional_data"]) == ("Safari", "18", None)


def test_a_device_of_a_wrong_type_is_a_conflict(flatten_one: One) -> None:
    row = flatten_one(_app({"osn": "Android", "dm": {"a": 1}, "osv": ["14"]}, None))
    assert (row["os"], row["os_version"], row["device_model"]) == ("Android", None, None)
    assert json.loads(row["type_conflicts"]) == {"device_model": '{"a":1}', "os_version": '["14"]'}


@pytest.mark.parametrize("meta", ["none", [1], 7, None, {}, {"x": None}, {"": 1}])
def test_meta_of_any_shape_leaves_the_event_good(flatten_one: One, meta: Any) -> None:
    row = flatten_one(request({"meta": meta, "events": [event()]}))
    assert (row["event_id"], row["os"], row["sdk_version"]) == ("m-1", "Linux", None)


def test_a_key_that_meta_holds_twice_is_kept_once(flatten_one: One) -> None:
    body = json.dumps(batch(event(), vpn=1)).replace('"vpn": 1', '"vpn": 1, "vpn": 2')
    assert json.loads(flatten_one(request(body))["additional_data"]).keys() == {"meta_vpn"}


def test_the_user_agent_of_androids_sdk_is_that_of_a_phone() -> None:
    view = (
        "Mozilla/5.0 (Linux; Android 12; Pixel 6 Build/SD1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Version/4.0 Chrome/94.0 Mobile Safari/537.36"
    )
    system = "Dalvik/2.1.0 (Linux; U; Android 12; Pixel 6 Build/SD1A)"
    for text in (f"{view}__{system}", view, system):
        device = parse_user_agent(text)
        assert (device.device_type, device.device_model, device.os) == ("mobile", "Pixel 6", "Android")
