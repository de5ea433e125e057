"""Raw identifiers to nodes of the ID graph: one spelling for one id, and junk refused.

Belongs here: pure functions on single values. They are idempotent, never raise, and never touch the network.
What junk is comes from the rules.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

from blotout_orchestration.id_graph.contract import CLICK_ID_TYPES
from blotout_orchestration.id_graph.rules import Rules

MAXIMUM_ID_LENGTH = 512
"""Longer values are not ids; click ids are the longest that occur, some 250 characters."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ALIASES = {
    "e-mail": "email",
    "mail": "email",
    "email_hash": "email_sha256",
    "hashed_email": "email_sha256",
    "phone_number": "phone",
    "phone_hash": "phone_sha256",
    "hashed_phone": "phone_sha256",
}


class Node(NamedTuple):
    """A node of the graph; provider is None except for `map_id`."""

    id_type: str
    provider: str | None
    id: str


def clean(value: object, rules: Rules) -> str | None:
    """Trimmed text of an id, or None when it is empty, junk, or too long to be one."""
    if value is None:
        return None
    text = unicodedata.normalize("NFC", str(value).replace("\x00", "")).strip()
    if not text or len(text) > MAXIMUM_ID_LENGTH or rules.is_junk(text):
        return None
    return text


def email_node(value: object, rules: Rules) -> Node | None:
    """An e-mail address in lower case, or the SHA-256 of one; None when it is neither.

    Syntax as email-validator has it, without a DNS query. Dots and `+tags` are kept: whether they matter is
    for the mailbox's provider to say.
    """
    text = clean(value, rules)
    if text is None:
        return None
    lowered = text.lower()
    if _SHA256.fullmatch(lowered):
        return Node("email_sha256", None, lowered)
    if "@" not in lowered or rules.is_junk_email(lowered):
        return None
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(lowered, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, ValueError):
        return None
    address = checked.normalized.lower()
    return None if rules.is_junk_email(address) else Node("email", None, address)


def phone_node(value: object, rules: Rules, country: str | None = None) -> Node | None:
    """A phone number in E.164, or the SHA-256 of one; None when it is neither.

    `country` (ISO 3166 alpha-2) gives the prefix of a number written without one; without a country such a
    number is refused. "Possible" numbers pass, so that a numbering plan newer than the library does no harm.
    """
    text = clean(value, rules)
    if text is None:
        return None
    if _SHA256.fullmatch(text.lower()):
        return Node("phone_sha256", None, text.lower())
    import phonenumbers

    region = (country or rules.default_country or "").strip().upper() or None
    try:
        parsed = phonenumbers.parse(text, region if region in phonenumbers.SUPPORTED_REGIONS else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return None if rules.is_junk(number) or rules.is_junk(number.lstrip("+")) else Node("phone", None, number)


def node(
    id_type: str, provider: str | None, value: object, rules: Rules, country: str | None = None
) -> Node | None:
    """The node of a raw id, or None when it is junk.

    A `map_id` whose provider names an identifier that has a type of its own (`email_sha256`, `gclid` ...) is
    that identifier, so that all ways in which an id arrives meet in one node.
    """
    kind = _kind(id_type)
    if kind == "map_id":
        named = _kind(provider or "")
        if named not in ("email", "email_sha256", "phone", "phone_sha256", "user_id", *CLICK_ID_TYPES):
            text = clean(value, rules)
            return Node("map_id", named or "unknown", text) if text else None
        kind = named
    if kind in ("email", "email_sha256"):
        found = email_node(value, rules)
        return found if kind == "email" or (found and found.id_type == kind) else None
    if kind in ("phone", "phone_sha256"):
        found = phone_node(value, rules, country)
        return found if kind == "phone" or (found and found.id_type == kind) else None
    text = clean(value, rules)
    if text is None:
        return None
    if kind == "user_id" or kind in CLICK_ID_TYPES:
        return Node(kind, None, text)
    return Node("map_id", kind or "unknown", text)


def hashed_twins(found: Node) -> tuple[Node, ...]:
    """The SHA-256 nodes of a plain e-mail or phone, under which senders of hashes know the same person.

    A phone has two: digits only (as Meta asks senders for) and E.164 with the `+` (as Google does).
    """
    if found.id_type == "email":
        return (Node("email_sha256", None, _sha256(found.id)),)
    if found.id_type == "phone":
        return tuple(Node("phone_sha256", None, _sha256(text)) for text in (found.id.lstrip("+"), found.id))
    return ()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _kind(text: str) -> str:
    lowered = unicodedata.normalize("NFC", text.replace("\x00", "")).strip().lower()
    return _ALIASES.get(lowered, lowered)
