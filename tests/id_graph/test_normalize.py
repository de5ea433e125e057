"""One spelling for one id, junk refused, whatever comes in."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.id_graph.contract import NODE_TYPES
from blotout_orchestration.id_graph.normalize import Node, email_node, hashed_twins, node, phone_node
from blotout_orchestration.id_graph.rules import Rules

RULES = Rules()
DIGEST = hashlib.sha256(b"ann@example.com").hexdigest()
VALUES = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.emails(), st.binary().map(repr))
TYPES = st.one_of(st.sampled_from(NODE_TYPES), st.text(max_size=8))


@given(TYPES, st.one_of(st.none(), st.text(max_size=12)), VALUES, st.sampled_from([None, "US", "AT", "zz"]))
def test_normalising_never_raises_and_is_idempotent(
    id_type: str, provider: str | None, value: object, country: str | None
) -> None:
    found = node(id_type, provider, value, RULES, country)
    if found is not None:
        assert node(found.id_type, found.provider, found.id, RULES, country) == found


@given(st.from_regex(r"\+?[0-9 ()/.-]{3,20}", fullmatch=True), st.sampled_from([None, "US", "DE", "IN"]))
def test_phones_are_e164_or_refused(text: str, country: str | None) -> None:
    found = phone_node(text, RULES, country)
    if found is not None:
        assert found.id.startswith("+")
        assert found.id[1:].isdigit()
        assert phone_node(found.id, RULES) == found


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "  ",
        "nan",
        "None",
        "NULL",
        "undefined",
        "0",
        "000-000",
        "00000000-0000-0000-0000-000000000000",
        "anonymous",
        "Guest",
        "[object Object]",
        "-",
        hashlib.sha256(b"").hexdigest(),
        "x" * 600,
    ],
)
def test_junk_is_no_id_of_any_type(value: str | None) -> None:
    assert [kind for kind in NODE_TYPES if node(kind, "shopify", value, RULES)] == []


@pytest.mark.parametrize(
    "address", ["test@shop.com", "ann@test.com", "a@sub.test", "noreply@shop.com", "not an address", "a@b"]
)
def test_test_addresses_and_no_addresses_are_refused(address: str) -> None:
    assert email_node(address, RULES) is None


def test_addresses_of_example_domains_are_ids_like_others() -> None:
    assert email_node(" User21@Example.COM ", RULES) == Node("email", None, "user21@example.com")
    assert email_node("j.o.e+tag@gmail.com", RULES) == Node("email", None, "j.o.e+tag@gmail.com")


def test_a_phone_without_prefix_needs_a_country() -> None:
    assert phone_node("0660 1234567", RULES) is None
    assert phone_node("0660 1234567", RULES, "AT") == Node("phone", None, "+436601234567")
    assert phone_node("0660 1234567", Rules(default_country="AT")) == Node("phone", None, "+436601234567")


def test_a_hash_sent_and_an_address_sent_meet_in_one_node() -> None:
    sent = node("map_id", "Email_SHA256", DIGEST.upper(), RULES)
    assert sent == Node("email_sha256", None, DIGEST)
    assert hashed_twins(Node("email", None, "ann@example.com")) == (sent,)


def test_the_blocklist_is_a_matter_of_the_rules() -> None:
    rules = Rules(
        junk_values=("house account",), junk_patterns=(r"kiosk-\d+",), junk_email_domains=("x.org",)
    )
    assert node("map_id", "shop", "House Account", rules) is None
    assert node("map_id", "shop", "KIOSK-17", rules) is None
    assert email_node("ann@mail.x.org", rules) is None
    assert node("map_id", "shop", "guest", rules) == Node("map_id", "shop", "guest")
