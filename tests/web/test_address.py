"""Hosts, origins, paths and targets, as pure functions."""

from __future__ import annotations

from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.errors import UsageError
from blotout_orchestration.web.address import address_of, comes_from_elsewhere, is_ambiguous

HOME = "http://localhost:3000/dagster"
PUBLIC = "https://data.example.com/dagster"
texts = st.text(st.sampled_from("/\\.%:@?#e2f5ac dgstrx\t\n\u2044"), max_size=30)


@given(texts)
def test_no_target_leaves_the_prefix_whatever_a_browser_makes_of_it(text):
    for given_text in (text, f"/dagster/{text}", f"/dagster{text}"):
        target = address_of(PUBLIC).target(given_text)
        for browser in (target, target.replace("\\", "/").replace("\t", "").replace("\n", "")):
            there = urlsplit(urljoin("https://data.example.com/dagster/login", browser))
            assert (there.scheme, there.netloc) == ("https", "data.example.com")
            assert there.path.startswith("/dagster/") or there.path == "/dagster"


@given(texts)
def test_a_path_is_read_one_way_only(text):
    path = f"/{text}"
    if not is_ambiguous(path):
        for _ in range(3):
            assert "//" not in path
            assert not {".", ".."} & set(path.split("/"))
            path = unquote(path)


@pytest.mark.parametrize(
    "path", ["/dagster/", "/dagster/assets/a/b", "/dagster/runs/3f-4", "/a.b/c..d/e...", "/%20/%7E"]
)
def test_an_ordinary_path_is_fine(path):
    assert not is_ambiguous(path)


@given(st.integers(0, 5))
def test_dots_are_found_however_often_they_are_encoded(times):
    hidden = ".."
    for _ in range(times):
        hidden = quote(hidden.replace(".", "%2e") if "%" not in hidden else hidden, safe="")
    assert is_ambiguous(f"/dagster/{hidden}/x")


@pytest.mark.parametrize(
    ("public", "host", "expected"),
    [
        (HOME, "localhost:3000", True),
        (HOME, "localhost:9999", True),
        (HOME, "127.0.0.1:3000", True),
        (HOME, "[::1]:3000", True),
        (HOME, "data.example.com", False),
        (HOME, "127.0.0.1.evil.example", False),
        (PUBLIC, "data.example.com", True),
        (PUBLIC, "DATA.example.com:443", True),
        (PUBLIC, "data.example.com:8443", False),
        (PUBLIC, "localhost:3000", False),
        (PUBLIC, "data.example.com/x", False),
        (PUBLIC, "user@data.example.com", False),
        ("http://intranet:8080/dagster", "intranet:8080", True),
        ("http://intranet:8080/dagster", "intranet", False),
    ],
)
def test_a_host_header_names_the_door_or_does_not(public, host, expected):
    assert address_of(public).is_host(host) is expected


@pytest.mark.parametrize(
    ("public", "prefix", "origin", "chosen"),
    [
        (HOME, None, None, "/dagster"),
        (HOME, "/airflow", None, "/airflow"),
        (HOME, "/", None, ""),
        (PUBLIC, None, "https://data.example.com", "/dagster"),
        ("https://data.example.com:443", "/dagster/", "https://data.example.com", "/dagster"),
        ("http://Intranet:8080/a/b", None, "http://intranet:8080", "/a/b"),
    ],
)
def test_the_address_comes_from_the_setting_and_the_option(public, prefix, origin, chosen):
    address = address_of(public, prefix)
    assert (address.origin, address.prefix) == (origin, chosen)


@pytest.mark.parametrize(
    "prefix", ["dagster", "//dagster", "/a//b", "/a/../b", "/a?b", "/a b", "/\u00e4", "/a.b"]
)
def test_a_prefix_that_cannot_be_meant_is_refused(prefix):
    with pytest.raises(UsageError, match="path prefix"):
        address_of(HOME, prefix)


def test_only_a_secure_address_has_secure_cookies():
    assert address_of(PUBLIC).is_secure
    assert not address_of(HOME).is_secure
    assert not address_of("http://intranet/dagster").is_secure


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("POST", {}, False),
        ("POST", {"origin": "https://data.example.com"}, False),
        ("POST", {"origin": "https://data.example.com", "sec-fetch-site": "same-origin"}, False),
        ("POST", {"origin": "https://data.example.com", "sec-fetch-site": "cross-site"}, True),
        ("POST", {"origin": "http://data.example.com"}, True),
        ("POST", {"origin": "https://other.example.com"}, True),
        ("POST", {"origin": "null"}, True),
        ("POST", {"sec-fetch-site": "same-site"}, True),
        ("GET", {"sec-fetch-site": "none"}, False),
        ("GET", {"sec-fetch-site": "cross-site"}, True),
        (
            "GET",
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
            False,
        ),
        (
            "GET",
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
            True,
        ),
        (
            "POST",
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
            True,
        ),
        ("WEBSOCKET", {}, True),
        ("WEBSOCKET", {"origin": "https://data.example.com"}, False),
        ("WEBSOCKET", {"origin": "https://evil.example"}, True),
    ],
)
def test_where_a_request_comes_from(method, headers, expected):
    assert comes_from_elsewhere(address_of(PUBLIC), method, "https", headers) is expected
