"""URLs, query strings, channels and user agents: the rules, and that no input makes them raise."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.events.channels import channel_group, channel_of, find_source, parse_referrer
from blotout_orchestration.events.countries import country_of_address, named_country
from blotout_orchestration.events.urls import CLICK_IDS, UTM, parse_page, parse_search
from blotout_orchestration.events.user_agents import parse_user_agent


@pytest.mark.parametrize(
    ("source", "medium", "campaign", "channel"),
    [
        ("", "", "", "Direct"),
        ("(direct)", "(none)", "", "Direct"),
        ("google", "cpc", "Cross-network sale", "Cross-network"),
        ("amazon.de", "cpc", "", "Paid Shopping"),
        ("google", "ppc", "spring shopping", "Paid Shopping"),
        ("google", "cpc", "workshop", "Paid Search"),
        ("google", "CPC", "", "Paid Search"),
        ("facebook", "paid_social", "", "Paid Social"),
        ("youtube", "cpv", "", "Paid Video"),
        ("youtube.com", "paid", "", "Paid Video"),
        ("dv360", "display", "", "Display"),
        ("dv360", "cpm", "", "Display"),
        ("partner", "cpa", "", "Paid Other"),
        ("etsy.com", "referral", "", "Organic Shopping"),
        ("t.co", "referral", "", "Organic Social"),
        ("forum", "sm", "", "Organic Social"),
        ("vimeo.com", "referral", "", "Organic Video"),
        ("bing", "organic", "", "Organic Search"),
        ("blog.partner.example", "referral", "", "Referral"),
        ("klaviyo", "e-mail", "", "Email"),
        ("partner", "affiliate", "", "Affiliates"),
        ("podcast", "audio", "", "Audio"),
        ("attentive", "sms", "", "SMS"),
        ("app", "web push", "", "Mobile Push Notifications"),
        ("someone", "something", "", "Unassigned"),
    ],
)
def test_channels_follow_the_default_channel_grouping(
    source: str, medium: str, campaign: str, channel: str
) -> None:
    assert channel_group(source, medium, campaign) == channel


@pytest.mark.parametrize(
    ("search", "referrer", "channel"),
    [
        ("?gclid=1", None, "Paid Search"),
        ("?wbraid=1", "https://www.google.com/", "Paid Search"),
        ("?msclkid=1", None, "Paid Search"),
        ("?ttclid=1", None, "Paid Social"),
        ("?fbclid=1", None, "Organic Social"),
        (None, "https://www.google.co.uk/", "Organic Search"),
        (None, "https://google.phishing.example/", "Referral"),
        (None, "https://mail.google.com/mail", "Email"),
        (None, "https://www.shop.example/cart", "Direct"),
        (None, "https://outlet.shop.example/", "Direct"),
        ("?page=2", None, "Direct"),
        ("utm_source=x&gclid=1", None, "Paid Social"),
    ],
)
def test_a_landing_without_utm_is_read_from_click_ids_and_referrer(
    search: str | None, referrer: str | None, channel: str
) -> None:
    assert channel_of(search, referrer, "www.shop.example") == channel


def test_a_source_is_found_by_its_longest_known_suffix() -> None:
    assert find_source("mail.google.com") == ("email", "Gmail")
    assert find_source("news.google.com.au") == ("search", "Google")
    assert find_source("notgoogle.com") is None


def test_search_is_read_from_text_and_object_alike() -> None:
    as_text = parse_search("?utm_source=a+b&UTM_Campaign=c%20d&utm_source=last&gclid=%20")
    assert as_text == {"utm_source": "last", "utm_campaign": "c d"}
    assert parse_search('{"utm_source":"last","utm_campaign":"c d","gclid":1,"x":{}}') == as_text


@given(
    query=st.lists(
        st.sampled_from(
            [
                "utm_source",
                "gclid",
                "UTM_Term",
                "=",
                "&",
                "%20",
                "%c3%a9",
                "%ff",
                "%",
                "+",
                ";",
                "x",
                "é",
                "\0",
            ]
        ),
        max_size=14,
    ).map("".join)
)
def test_a_query_is_read_as_the_standard_library_reads_it(query: str) -> None:
    pairs = parse_qsl(query, errors="replace")
    expected = {name.strip().lower(): value.strip() for name, value in pairs if value.strip()}
    assert parse_search("?" + query) == {
        name: value for name, value in expected.items() if name in UTM + CLICK_IDS
    }


_TEXTS = st.one_of(
    st.none(),
    st.text(max_size=200),
    st.builds(
        lambda scheme, rest: f"{scheme}://{rest}",
        st.sampled_from(["http", "https", "ftp"]),
        st.text(max_size=80),
    ),
    st.builds(lambda rest: "?" + rest, st.text(max_size=80)),
    st.builds(lambda rest: "{" + rest, st.text(max_size=80)),
    st.sampled_from(
        [
            "http://[",
            "https://[::1]:99999/",
            "http://a:b:c",
            "//x",
            "https://%",
            "https://xn--/",
            "?%ff%fe&&==",
        ]
    ),
)


@settings(deadline=None)  # the first look-up loads its rules
@given(search=_TEXTS, referrer=_TEXTS, page=_TEXTS, agent=_TEXTS)
def test_no_text_makes_a_parser_raise(
    search: str | None, referrer: str | None, page: str | None, agent: str | None
) -> None:
    parsed = parse_page(page)
    assert (parsed.host is None) == (parsed.path is None)
    assert all(isinstance(value, str) and value for value in parse_search(search).values())
    parse_referrer(referrer, parsed.host)
    assert channel_of(search, referrer, parsed.host)
    parse_user_agent(agent)
    assert named_country(agent) is None or len(named_country(agent) or "") == 2
    country_of_address(referrer)
