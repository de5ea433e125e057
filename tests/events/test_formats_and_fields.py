"""What each SDK format fills, field by field, and what becomes of values of the wrong type."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from blotout_orchestration.lake import Lake

from .sdk_requests import bad_rows, batch, core_rows, event, flatten_pending, put, request

One = Callable[[str], dict[str, Any]]
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 Version/18.3 Mobile Safari/604.1"


def test_a_batch_fills_envelope_page_device_and_source(flatten_one: One) -> None:
    row = flatten_one(
        request(
            batch(
                event(userid="  u-9 ", additionalData={"position": {"x": 1}, "objectName": "A#b"}),
                user_id_created=1772434801648,
                page_title="Toy Shop",
                referrer="https://www.google.de/",
                search={"utm_source": "google", "utm_medium": "cpc", "gclid": "G1"},
            ),
            headers={"user-agent": PHONE, "origin": "https://www.toyshop.example", "CF-IPCountry": "de"},
        )
    )
    expected = {
        "sdk_version": "0.9.1", "sdk_format": "batch", "event_name": "sdk_start", "event_code": 11130,
        "event_type": "system", "timezone_offset_minutes": 60, "session_id": "1772434801644",
        "user_id": "u-9", "application_name": "www.toyshop.example", "platform": "web",
        "page_host": "www.toyshop.example", "page_path": "/p/1", "page_title": "Toy Shop",
        "referrer_host": "www.google.de", "referrer_medium": "search", "referrer_source": "Google",
        "search_utm_source": "google", "search_gclid": "G1", "channel": "Paid Search",
        "headers_origin": "https://www.toyshop.example", "os": "iOS", "device_type": "mobile",
        "device_brand": "Apple", "is_bot": False, "country": "DE", "screen_width": 412, "screen_height": 785,
        "object_name": "A#b", "additional_data": '{"position":{"x":1}}', "type_conflicts": None,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_a_bare_body_is_accepted_and_arrives_with_its_folder(flatten_one: One) -> None:
    row = flatten_one(json.dumps(batch(event())))
    assert (row["event_id"], row["received_at"]) == ("m-1", row["arrival_hour"])


def test_a_body_in_base64_is_decoded(flatten_one: One) -> None:
    body = base64.b64encode(json.dumps(batch(event(evn="grüße"))).encode()).decode()
    assert flatten_one(request(body, body_encoding="base64"))["event_name"] == "grüße"


def test_a_body_that_is_an_object_and_not_a_string_is_accepted(flatten_one: One) -> None:
    line = json.loads(request("")) | {"body": batch(event())}
    assert flatten_one(json.dumps(line))["event_id"] == "m-1"


def test_the_older_format_fills_the_same_columns(flatten_one: One) -> None:
    old = {
        "mid": "old-1", "userid": "u-1", "evn": "Dev Click", "evcs": 23801, "evdc": 1, "evc": 10001, "nmo": 2,
        "scrn": "http://localhost:9000/", "tst": 1614677171392,
        "properties": {
            "session_id": "1614677171000", "referrer": "https://t.co/", "screen": {"width": 1000, "height": 660},
            "obj": "BUTTON#x", "objT": "Buy", "position": {"x": 1},
            "codifiedInfo": {"data": "foo", "map_id": "77", "map_provider": "shopify"},
        },
    }  # fmt: skip
    row = flatten_one(request({"meta": {"sdkv": "0.5"}, "geo": {"couc": "AT"}, "events": [old]}))
    expected = {
        "sdk_format": "legacy", "session_id": "1614677171000", "referrer_host": "t.co", "screen_width": 1000,
        "object_name": "BUTTON#x", "object_title": "Buy", "data_map_id": "77", "data_map_provider": "shopify",
        "country": "AT", "additional_data": '{"position":{"x":1},"data":"foo"}',
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["event_datetime"].year == 2021


@pytest.mark.parametrize(
    ("meta", "agent", "platform"),
    [
        ({"osn": "Android", "appn": "Toys"}, "okhttp/4.9", "android"),
        ({"plf": 14, "appn": "Toys"}, "Toys/3 CFNetwork/1485 Darwin/23", "ios"),
        ({"appn": "Toys"}, "unknown", "other"),
    ],
)
def test_apps_have_their_platform_and_name(
    flatten_one: One, meta: dict[str, Any], agent: str, platform: str
) -> None:
    row = flatten_one(request(batch(event(scrn="MainActivity"), **meta), headers={"User-Agent": agent}))
    assert (row["platform"], row["application_name"], row["page_url"]) == (platform, "Toys", "MainActivity")


def _tag(path: str, **body: Any) -> str:
    whole = {
        "pageUrl": "https://www.toyshop.example/",
        "userAgent": PHONE,
        "referrer": "",
        "search": "",
        **body,
    }
    headers = {"Cookie": "a=b; tag_user_id=cookie-1", "EdgeTagUserId": "header-1"}
    return request(whole, path=path, headers=headers)


def test_an_edgetag_purchase_is_a_transaction(flatten_one: One) -> None:
    row = flatten_one(
        _tag(
            "/tag",
            eventName="Purchase",
            eventId="e-1",
            timestamp=1772434801178,
            data={"orderId": "#1", "value": "19.90", "currency": "usd", "contents": [1]},
            storage={"edgeTag": {"consent": {"all": True}}, "data": {"facebook": {"fbclid": "F1"}}},
        )
    )
    assert (row["transaction_id"], row["transaction_total"]) == ("#1", Decimal("19.9000"))
    assert (row["transaction_currency"], row["user_id"]) == ("USD", "cookie-1")
    assert (row["consent"], row["channel"]) == ('{"all":true}', "Direct")
    assert (row["event_type"], row["additional_data"]) == ("edgetag", '{"contents":[1]}')


@pytest.mark.parametrize(
    ("search", "landed"), [("", None), ("?utm_source=mail", None), ("?gclid=NEW&fbclid=NEW", "NEW")]
)
def test_click_ids_that_edgetag_keeps_of_earlier_landings_are_no_landing(
    flatten_one: One, search: str, landed: str | None
) -> None:
    kept = {"googleAdsClicks": {"gclid": "OLD-G"}, "facebook": {"fbclid": "OLD-F"}}
    row = flatten_one(
        _tag("/tag", eventName="PageView", eventId="e-1", search=search, storage={"data": kept})
    )
    assert (row["search_gclid"], row["search_fbclid"]) == (landed, landed)
    assert (row["stored_gclid"], row["stored_fbclid"]) == ("OLD-G", "OLD-F")


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("email", "persona_email"),
        ("phone", "persona_number"),
        ("firstName", "persona_firstname"),
        ("zip", "persona_zip"),
    ],
)
def test_an_edgetag_user_request_is_a_persona(flatten_one: One, key: str, column: str) -> None:
    row = flatten_one(_tag("/user", key=key, value=" v-1 "))
    assert (row["event_name"], row[column], row["additional_data"]) == ("user", "v-1", None)
    assert row["event_datetime"] == row["received_at"]


def test_an_edgetag_data_request_maps_every_id_it_carries(lake: Lake) -> None:
    put(lake, [_tag("/data", data={"shopify_id": "6870", "klaviyo::_kx": "K.1", "color": "red"})])
    [result] = flatten_pending(lake)
    rows = core_rows(lake)
    assert [(row["data_map_provider"], row["data_map_id"]) for row in rows] == [
        ("shopify", "6870"),
        ("klaviyo", "K.1"),
        (None, None),
    ]
    assert rows[2]["additional_data"] == '{"color":"red"}'
    assert result.events_in == 3


def test_zeros_that_the_sdk_leaves_out_are_zeros(flatten_one: One) -> None:
    row = flatten_one(request(batch(event(evn="transaction", additionalData={"transaction_id": "#1"}))))
    assert (row["transaction_total"], row["transaction_discount"], row["transaction_shipping"]) == (0, 0, 0)
    assert (row["transaction_tax"], row["item_price"]) == (None, None)


def test_item_categories_are_joined_and_numbers_in_texts_are_numbers(flatten_one: One) -> None:
    data = {
        "item_id": 7, "item_category": ["Toys", "Plush"], "item_price": " 19.99 ", "item_quantity": "2",
        "item_currency": "eur", "persona_zip": 1010, "persona_age": "41",
    }  # fmt: skip
    row = flatten_one(request(batch(event(evn="item", additionalData=data))))
    assert (row["item_id"], row["item_category"], row["item_price"]) == (
        "7",
        "Toys > Plush",
        Decimal("19.9900"),
    )
    assert (row["item_quantity"], row["item_currency"]) == (2.0, "EUR")
    assert (row["persona_zip"], row["persona_age"], row["type_conflicts"]) == ("1010", 41, None)


def test_texts_that_look_like_json_stay_texts(flatten_one: One) -> None:
    data = {"persona_city": "true", "persona_state": "[NY]", "objectTitle": "{x}"}
    row = flatten_one(request(batch(event(additionalData=data), page_title="[Sale] Toys")))
    assert (row["persona_city"], row["persona_state"], row["object_title"]) == ("true", "[NY]", "{x}")
    assert (row["page_title"], row["type_conflicts"]) == ("[Sale] Toys", None)


CONFLICTS = {
    "evn": ({"a": 1}, "event_name"), "evcs": ("many", "event_code"), "scrn": ([1], "page_url"),
    "session_id": (True, "session_id"), "userid": ({}, "user_id"), "type": ([], "event_type"),
    "mid": ({"x": 1}, "event_id"),
}  # fmt: skip


@pytest.mark.parametrize("key", CONFLICTS)
def test_a_wrong_type_in_the_event_is_reported_and_never_cast(flatten_one: One, key: str) -> None:
    value, column = CONFLICTS[key]
    row = flatten_one(request(batch(event(**{key: value}))))
    conflicts = json.loads(row["type_conflicts"])
    sent = conflicts[column]
    assert (json.loads(sent) if not isinstance(value, str) else sent) == value
    assert list(conflicts) == [column]
    if column in row and column != "event_id":
        assert row[column] is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("transaction_total", "1,299.00"), ("transaction_tax", "1_0"), ("item_quantity", "nan"),
        ("item_price", True), ("persona_age", 12.7), ("persona_age", "0x10"), ("persona_city", ["a"]),
        ("persona_email", False), ("item_category", {"a": 1}), ("transaction_total", "1e40"),
    ],
)  # fmt: skip
def test_a_wrong_type_in_the_data_is_reported_and_never_cast(
    flatten_one: One, column: str, value: Any
) -> None:
    row = flatten_one(request(batch(event(evn="custom", additionalData={column: value}))))
    assert row[column] is None
    assert list(json.loads(row["type_conflicts"])) == [column]
    assert row["additional_data"] is None


@pytest.mark.parametrize("column", ["transaction_total", "item_price"])
@pytest.mark.parametrize("amount", ["100000000000.0001", -100000000001, "99999999999999.99", 1e13])
def test_an_amount_beyond_a_hundred_thousand_million_is_a_conflict(
    flatten_one: One, column: str, amount: Any
) -> None:
    row = flatten_one(request(batch(event(evn="transaction", additionalData={column: amount}))))
    assert row[column] is None
    assert list(json.loads(row["type_conflicts"])) == [column]


@pytest.mark.parametrize("amount", ["100000000000", "-1e11", 99999999999.9999, "-0.01"])
def test_an_amount_up_to_a_hundred_thousand_million_is_money(flatten_one: One, amount: Any) -> None:
    data = {"transaction_total": amount}
    row = flatten_one(request(batch(event(evn="transaction", additionalData=data))))
    assert row["transaction_total"] == Decimal(str(amount))
    assert row["type_conflicts"] is None


def test_two_conflicts_of_the_platform_are_both_kept_and_fail_nobody(flatten_one: One) -> None:
    row = flatten_one(request(batch(event(), osn={"a": 1}, plf="many")))
    assert json.loads(row["type_conflicts"]) == {"platform": '{"a":1}', "platform_code": "many"}


def test_meta_of_a_wrong_type_leaves_the_event_good(flatten_one: One) -> None:
    row = flatten_one(request({"meta": "none", "events": [event()]}))
    assert (row["event_id"], row["sdk_version"]) == ("m-1", None)


def test_unknown_keys_are_kept_and_counted(lake: Lake) -> None:
    put(
        lake,
        [
            request(batch(event(additionalData={"zeta": None, "0": "h", "map_id": "1"}))),
            request(batch(event("b"))),
        ],
    )
    [result] = flatten_pending(lake)
    assert [row["additional_data"] for row in core_rows(lake)] == ['{"zeta":null,"0":"h"}', None]
    assert (result.events_with_unknown_keys, result.unknown_keys) == (1, ["0", "zeta"])


def test_events_without_an_id_get_one_from_content_and_place(lake: Lake) -> None:
    put(lake, [request(batch(event(mid=...), event(mid="")))] * 2)
    flatten_pending(lake)
    ids = [row["event_id"] for row in core_rows(lake)]
    assert len(set(ids)) == 4
    assert all(text.startswith("made-") for text in ids)
    assert bad_rows(lake) == []


def test_robots_are_flagged_and_kept(flatten_one: One) -> None:
    agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    row = flatten_one(request(batch(event()), headers={"User-Agent": agent}))
    assert (row["is_bot"], row["device_type"]) == (True, "bot")


def test_the_country_comes_from_the_address_and_the_address_is_not_kept(flatten_one: One) -> None:
    row = flatten_one(request(batch(event()), headers={"X-Forwarded-For": "10.0.0.1, 8.8.8.8"}))
    assert row["country"] == "US"
    assert not any("8.8.8.8" in str(value) for value in row.values())
