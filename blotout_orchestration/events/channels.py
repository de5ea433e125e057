"""Where a visit came from: referrer medium and source, and GA4's default channel group.

Belongs here: the rules. Which hosts and source names are search engines, social networks, shops and so on
is declared in traffic_sources.json.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

from blotout_orchestration.events.urls import parse_page, parse_search

_PAID = re.compile(r"^(.*cp.*|ppc|retargeting|paid.*)$")
_SHOPPING_CAMPAIGN = re.compile(r"^(.*(([^a-df-z]|^)shop|shopping).*)$")
_EMAIL = re.compile(r"^e[-_ ]?mail$")
_DISPLAY = frozenset({"display", "banner", "expandable", "interstitial", "cpm"})
_SOCIAL = frozenset({"social", "social-network", "social-media", "sm", "social network", "social media"})
_REFERRAL = frozenset({"referral", "app", "link"})
_PAID_GROUPS = {"search": "Paid Search", "social": "Paid Social", "video": "Paid Video"}
# Ids that an ad platform appends to the ads it sells: they name source and medium where no UTM does.
_AD_IDS = (
    ("gclid", "google"),
    ("gbraid", "google"),
    ("wbraid", "google"),
    ("dclid", "google"),
    ("msclkid", "bing"),
    ("ttclid", "tiktok"),
    ("twclid", "twitter"),
    ("li_fat_id", "linkedin"),
)


class Referrer(NamedTuple):
    """What a referrer's URL says: host, medium and the name of the source."""

    host: str | None = None
    medium: str | None = None
    source: str | None = None


@cache
def _sources() -> dict[str, tuple[str, str]]:
    """Host, host pattern (`google.*`) or source name -> (medium, name)."""
    text = resources.files(__package__).joinpath("traffic_sources.json").read_text("utf-8")
    return {
        pattern: (medium, name)
        for medium, names in json.loads(text)["media"].items()
        for name, patterns in names.items()
        for pattern in patterns
    }


@lru_cache(maxsize=65536)
def find_source(source: str) -> tuple[str, str] | None:
    """(medium, name) of a host or of a `utm_source`, by its longest known suffix; None when unknown."""
    sources = _sources()
    labels = source.lower().split(".")
    for start in range(len(labels)):
        rest = labels[start + 1 :]
        known = sources.get(".".join(labels[start:]))
        if known is None and 1 <= len(rest) <= 2 and all(2 <= len(label) <= 3 for label in rest):
            known = sources.get(f"{labels[start]}.*")
        if known is not None:
            return known
    return None


@lru_cache(maxsize=65536)
def parse_referrer(url: str | None, page_host: str | None) -> Referrer:
    """Host, medium and source of a referrer; `internal` when it is the page's own site."""
    host = parse_page(url).host
    if host is None:
        return Referrer()
    if page_host and _same_site(host, page_host):
        return Referrer(host, "internal", None)
    known = find_source(host)
    return Referrer(host, known[0], known[1]) if known else Referrer(host, "unknown", None)


def _same_site(one: str, other: str) -> bool:
    first, second = one.removeprefix("www."), other.removeprefix("www.")
    return first == second or first.endswith("." + second) or second.endswith("." + first)


@lru_cache(maxsize=65536)
def channel_of(search: str | None, referrer_url: str | None, page_host: str | None) -> str:
    """The channel group of a landing: its query, its referrer, and the host it landed on."""
    found = parse_search(search)
    source, medium = found.get("utm_source", ""), found.get("utm_medium", "")
    campaign = found.get("utm_campaign", "")
    ad_source = next((name for key, name in _AD_IDS if key in found), None)
    if not (source or medium or campaign):
        referrer = parse_referrer(referrer_url, page_host)
        if ad_source:
            source, medium = ad_source, "cpc"
        elif "fbclid" in found:
            source, medium = "facebook", "referral"
        elif referrer.host and referrer.medium != "internal":
            source = referrer.host
            medium = "organic" if referrer.medium == "search" else "referral"
            medium = "email" if referrer.medium == "email" else medium
            medium = "cpc" if referrer.medium == "paid" else medium
    elif ad_source and not medium:
        source, medium = source or ad_source, "cpc"
    return channel_group(source, medium, campaign)


def channel_group(source: str, medium: str, campaign: str) -> str:
    """GA4's default channel group of source, medium and campaign, '' for none; first rule that fits.

    The rules are those for manual traffic of Google's "[GA4] Default channel group"
    (support.google.com/analytics/answer/9756891), matched without regard to case.
    """
    source, medium, campaign = source.strip().lower(), medium.strip().lower(), campaign.strip().lower()
    known = find_source(source) if source else None
    category = known[0] if known else None
    if source in ("", "(direct)", "direct") and medium in ("", "(none)", "(not set)") and not campaign:
        return "Direct"
    if "cross-network" in campaign:
        return "Cross-network"
    is_shopping = category == "shopping" or bool(_SHOPPING_CAMPAIGN.match(campaign))
    if _PAID.match(medium):
        if is_shopping:
            return "Paid Shopping"
        if category in _PAID_GROUPS:
            return _PAID_GROUPS[category]
        return "Display" if medium in _DISPLAY else "Paid Other"
    if medium in _DISPLAY:
        return "Display"
    if is_shopping:
        return "Organic Shopping"
    if category == "social" or medium in _SOCIAL:
        return "Organic Social"
    if category == "video" or "video" in medium:
        return "Organic Video"
    if category == "search" or medium == "organic":
        return "Organic Search"
    if medium in _REFERRAL:
        return "Referral"
    if _EMAIL.match(source) or _EMAIL.match(medium):
        return "Email"
    if medium in ("affiliate", "affiliates"):
        return "Affiliates"
    if medium == "audio":
        return "Audio"
    if source == "sms" or medium == "sms":
        return "SMS"
    if medium.endswith("push") or "mobile" in medium or "notification" in medium or source == "firebase":
        return "Mobile Push Notifications"
    return "Unassigned"
