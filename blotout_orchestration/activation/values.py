"""Values as destinations take them: e-mails, phones, numbers, dates; or the word that one cannot be used.

Belongs here: kinds of values that several channels share. Does not belong here: hashing, JSON bodies.
Messages never repeat the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_EMAIL = re.compile(
    r"[^@\s,;<>()\"]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+"
)
_LONGEST_EMAIL = 254
_SEPARATORS = re.compile(r"[\s().\-/]+")
_PHONE = re.compile(r"\+[1-9]\d{7,14}")


class UnusableError(ValueError):
    """A value that cannot be sent: names the field and what was expected, never the value."""

    def __init__(self, field: str, why: str) -> None:
        """`field` is the destination's."""
        super().__init__(f"{field}: {why}")
        self.field = field


def email(value: Any) -> str:
    """An e-mail address in lower case. Raises ValueError."""
    text = str(value).strip().lower()
    domain = text.rpartition("@")[2]
    try:
        ascii_domain = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        raise ValueError("not an e-mail address") from None
    text = f"{text.rpartition('@')[0]}@{ascii_domain}"
    if len(text) > _LONGEST_EMAIL or not _EMAIL.fullmatch(text):
        raise ValueError("not an e-mail address")
    return text


def phone(value: Any) -> str:
    """A phone number in E.164 (`+` and 8 to 15 digits). Raises ValueError."""
    text = _SEPARATORS.sub("", str(value).strip())
    if text.startswith("00"):
        text = f"+{text[2:]}"
    elif text.startswith("+00"):
        text = f"+{text[3:]}"
    if not _PHONE.fullmatch(text):
        raise ValueError("not a phone number with its country code (+ and 8 to 15 digits)")
    return text


def text(value: Any) -> str:
    """A text without white space around it."""
    return (value if isinstance(value, str) else str(plain(value))).strip()


def number(value: Any) -> int | float:
    """A number. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("not a number")
    if isinstance(value, int):
        return value
    try:
        read = Decimal(str(value).strip())
    except ArithmeticError:
        raise ValueError("not a number") from None
    if not read.is_finite():
        raise ValueError("not a finite number")
    return int(read) if read == read.to_integral_value() and abs(read) < 2**53 else float(read)


def boolean(value: Any) -> bool:
    """True or false. Raises ValueError."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return known[str(value).strip().lower()]
    except KeyError:
        raise ValueError("neither true nor false") from None


def plain(value: Any) -> Any:
    """A value of the warehouse as JSON has it: moments in UTC, decimals as numbers. Raises ValueError."""
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        raise ValueError("bytes cannot be sent")
    return str(value)


Kind = Callable[[Any], Any]


def convert(field: str, kind: Kind, value: Any) -> Any:
    """The value in its kind; null for null and blank texts. Raises UnusableError."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return kind(value)
    except ValueError as error:
        raise UnusableError(field, str(error)) from None


_IN_MESSAGES = (
    (re.compile(r"[^\s\"'<>@]+@[^\s\"'<>]+"), "(e-mail)"),
    (re.compile(r"\+?\d[\d\s().-]{5,}\d"), "(number)"),
    (re.compile(r"\b[0-9a-fA-F]{32,}\b"), "(hash)"),
    (re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`"), "(value)"),
    (re.compile(r"https?://\S+"), "(address)"),
)


def without_values(message: str, longest: int = 200) -> str:
    """A destination's message without what it may have quoted of a row: e-mails, numbers, hashes, quotes."""
    for pattern, stand_in in _IN_MESSAGES:
        message = pattern.sub(stand_in, message)
    return message if len(message) <= longest else message[: longest - 3] + "..."


def mask(value: Any) -> str:
    """A value that people may recognise but not read: the first letter and the length."""
    shown = str(value)
    return f"{shown[0]}*** ({len(shown)} characters)" if len(shown) > 1 else "***"
