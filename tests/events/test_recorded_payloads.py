"""Every request that the SDKs were recorded to send, accounted for against what the visitors really did."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events.landing import land
from blotout_orchestration.lake import Lake

from .sdk_requests import bad_rows, core_rows, flatten_pending

SDKS = ["sdk_v0.9", "sdk_v0.10", "edgetag_v0.8"]
CHANNELS = {
    "tiktok": "Paid Social",
    "bing_cpc": "Paid Search",
    "email": "Email",
    "google_gbraid": "Paid Search",
    "google_cpc": "Paid Search",
    "google_organic": "Organic Search",
    "facebook_paid": "Paid Social",
    "twitter_paid": "Paid Social",
    "instagram": "Organic Social",
    "partner_blog": "Referral",
    "direct": "Direct",
}


@pytest.fixture(params=SDKS)
def recorded(request: pytest.FixtureRequest, lake: Lake, real_data: Path) -> dict[str, Any]:
    """One SDK's recording, landed and flattened: truth, ledger results and rows."""
    folder = real_data / "sdk_events" / request.param
    report = land(lake, [folder / "landing"])
    results = flatten_pending(lake)
    return {
        "sdk": request.param,
        "truth": json.loads((folder / "TRUTH.json").read_text()),
        "mids": json.loads(gzip.decompress((folder / "TRUTH_MIDS.json.gz").read_bytes())),
        "landed": report,
        "results": results,
        "core": core_rows(lake),
        "bad": bad_rows(lake),
    }


def _tags(recorded: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of events; EdgeTag's consent, data and user requests are no events in the truth's sense."""
    return [row for row in recorded["core"] if not row["event_id"].startswith("made-")]


def test_every_body_and_delivery_is_accounted_for(recorded: dict[str, Any]) -> None:
    totals = recorded["truth"]["totals"]
    others = sum(totals["other_posts"].values())
    assert recorded["landed"].files_landed == (118 if recorded["sdk"] == "edgetag_v0.8" else 63)
    assert sum(r.events_in for r in recorded["results"]) == totals["event_deliveries"] + others
    assert sum(r.events_good for r in recorded["results"]) + sum(
        r.events_duplicate for r in recorded["results"]
    ) == sum(r.events_in for r in recorded["results"])
    assert recorded["bad"] == []
    lines = {(row["landing_file"], row["landing_line"]) for row in recorded["core"]}
    assert totals["publish_calls_stored"] - totals["identical_body_repeats"] <= len(lines)


def test_the_distinct_events_are_those_that_happened(recorded: dict[str, Any]) -> None:
    totals = recorded["truth"]["totals"]
    ids = {row["event_id"] for row in _tags(recorded)}
    assert len(ids) == totals["distinct_events"]
    assert ids == set(recorded["mids"])
    within = sum(r.events_duplicate for r in recorded["results"])
    across = len(_tags(recorded)) - len(ids)
    assert within + across == totals["duplicate_deliveries"]


def test_events_keep_their_names(recorded: dict[str, Any]) -> None:
    first = {row["event_id"]: row["event_name"] for row in _tags(recorded)}
    assert Counter(first.values()) == recorded["truth"]["totals"]["events_by_name"]
    others = Counter(row["event_name"] for row in recorded["core"] if row["event_id"].startswith("made-"))
    assert others == recorded["truth"]["totals"]["other_posts"]


def test_transactions_are_those_of_the_visitors(recorded: dict[str, Any]) -> None:
    expected = {
        order: (Decimal(str(sale["total"])), sale["currency"])
        for visitor in recorded["truth"]["visitors"]
        for order, sale in visitor["transactions"].items()
    }
    names = {"transaction", "Purchase"}
    found = {
        row["transaction_id"]: (row["transaction_total"], row["transaction_currency"])
        for row in recorded["core"]
        if row["event_name"] in names
    }
    totals = recorded["truth"]["totals"]
    assert set(found) <= set(expected)
    # EdgeTag does not send again what got lost on the way; the other SDKs do.
    lost = totals["lost_events"] if recorded["sdk"] == "edgetag_v0.8" else 0
    assert len(found) >= totals["transactions_distinct"] - lost
    assert len(found) == totals["transactions_distinct"] or lost
    assert {order: found[order][1] for order in found} == {order: expected[order][1] for order in found}
    assert all(abs(found[order][0] - expected[order][0]) < Decimal("0.005") for order in found)


def test_identities_are_those_of_the_devices(recorded: dict[str, Any]) -> None:
    truth = recorded["truth"]
    mapped = {
        (row["data_map_id"], row["data_map_provider"]) for row in recorded["core"] if row["data_map_id"]
    }
    expected = {(i, provider) for visitor in truth["visitors"] for i, provider, *_ in visitor["map_ids"]}
    if recorded["sdk"] == "edgetag_v0.8":
        hashes = {i for i, provider in expected if provider == "email_sha256"}
        emails = {row["persona_email"] for row in recorded["core"] if row["persona_email"]}
        assert hashes <= emails
        assert {(i, p) for i, p in expected if p != "email_sha256"} <= mapped
        assert {p for _, p in mapped - expected} <= {"klaviyo"}
        assert all(row["user_id"] for row in recorded["core"])
        return
    assert mapped == expected
    if recorded["sdk"] == "sdk_v0.9":
        assert (
            len({row["user_id"] for row in recorded["core"]})
            == truth["totals"]["distinct_userids_in_payload"]
        )


def test_a_browser_keeps_one_user_id_per_origin_and_visitor_device(recorded: dict[str, Any]) -> None:
    owners = defaultdict(set)
    for row in _tags(recorded):
        if row["user_id"]:
            visitor, device, _ = recorded["mids"][row["event_id"]]
            owners[row["user_id"]].add((visitor, device))
    shared = [user for user, devices in owners.items() if len(devices) > 1]
    assert shared == []


def test_the_timezone_offset_is_minutes_east(recorded: dict[str, Any]) -> None:
    from zoneinfo import ZoneInfo

    if recorded["sdk"] == "edgetag_v0.8":
        assert {row["timezone_offset_minutes"] for row in recorded["core"]} == {None}
        return
    visitors = {visitor["label"]: visitor for visitor in recorded["truth"]["visitors"]}
    wrong = 0
    for row in recorded["core"]:
        visitor, device, _ = recorded["mids"][row["event_id"]]
        zone = ZoneInfo(visitors[visitor]["devices"][device]["tz"])
        offset = row["received_at"].astimezone(zone).utcoffset().total_seconds() / 60
        wrong += row["timezone_offset_minutes"] != offset
    assert wrong <= 2  # the recorder's one corrected beacon carries another machine's clock


def test_landings_have_the_channel_the_visitor_came_by(recorded: dict[str, Any]) -> None:
    sessions = {
        (visitor["label"], session["device"], session["n"]): session
        for visitor in recorded["truth"]["visitors"]
        for session in visitor["sessions"]
    }
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(_tags(recorded), key=lambda row: row["event_datetime"]):
        first.setdefault(tuple(recorded["mids"][row["event_id"]]), row)
    wrong = [
        (key, row["channel"], sessions[key]["channel"])
        for key, row in first.items()
        if key in sessions
        and sessions[key]["landing"] == row["page_url"]
        and sessions[key]["channel"] in CHANNELS
        and row["channel"] != CHANNELS[sessions[key]["channel"]]
    ]
    assert len(first) >= 50
    assert wrong == []


def test_encrypted_events_are_kept_as_sent(recorded: dict[str, Any]) -> None:
    encrypted = [row for row in recorded["core"] if row["event_type"] in ("pii", "phi")]
    assert len(encrypted) == (0 if recorded["sdk"] == "edgetag_v0.8" else 6)
    for row in encrypted:
        assert set(json.loads(row["encrypted_data"])) == {"data", "key", "iv"}
        assert row["additional_data"] is None
