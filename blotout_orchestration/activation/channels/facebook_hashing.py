"""Values as Meta's Custom Audiences hash them: normalised first, then SHA-256.

Belongs here: Meta's normalisation of every field. The digests are unkeyed, because Meta compares them with
its own. Rules: developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Any

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def email(value: Any) -> str:
    """Trimmed, in lower case."""
    text = str(value).strip().lower()
    if not _EMAIL.fullmatch(text):
        raise ValueError("not an e-mail address")
    return text


def phone(value: Any) -> str:
    """Digits with the country code, leading zeros taken off; a number of zeros only is none."""
    digits = re.sub(r"\D", "", str(value)).lstrip("0")
    if not 7 <= len(digits) <= 15:
        raise ValueError("not a phone number with its country code")
    return digits


def letters(value: Any) -> str:
    """Lower case without punctuation, digits and spaces; letters of every script stay."""
    text = unicodedata.normalize("NFC", str(value)).lower()
    return _filled("".join(sign for sign in text if unicodedata.category(sign)[0] in "LM"))


def zip_code(value: Any) -> str:
    """Lower case without spaces; of a US code only the part before the dash."""
    return _filled(re.sub(r"\s", "", str(value).lower()).split("-")[0])


def country(value: Any) -> str:
    """Two letters, ISO 3166."""
    text = str(value).strip().lower()
    if not re.fullmatch(r"[a-z]{2}", text):
        raise ValueError("not a country of two letters (ISO 3166)")
    return text


def gender(value: Any) -> str:
    """`m` or `f`."""
    initial = str(value).strip().lower()[:1]
    if initial not in ("m", "f"):
        raise ValueError("Meta knows m and f")
    return initial


def birth_year(value: Any) -> str:
    """Four digits."""
    text = str(value.year) if isinstance(value, date) else str(value).strip()
    if not re.fullmatch(r"(19|20)\d\d", text):
        raise ValueError("not a year of four digits")
    return text


def birth_month(value: Any) -> str:
    """Two digits, from a number, an English name or its first three letters."""
    text = str(value.month) if isinstance(value, date) else str(value).strip().lower()
    for number, name in enumerate(_MONTHS, start=1):
        if len(text) >= 3 and name.startswith(text):
            return f"{number:02d}"
    return _two_digits(text, 12, "month")


def birth_day(value: Any) -> str:
    """Two digits."""
    return _two_digits(str(value.day) if isinstance(value, date) else str(value).strip(), 31, "day")


def identifier(value: Any) -> str:
    """An id of the advertiser's own, trimmed; Meta takes it as it is."""
    return _filled(str(value).strip())


def _two_digits(text: str, highest: int, what: str) -> str:
    if not re.fullmatch(r"\d{1,2}", text) or not 1 <= int(text) <= highest:
        raise ValueError(f"not a {what}")
    return f"{int(text):02d}"


def _filled(text: str) -> str:
    if not text:
        raise ValueError("nothing is left after normalisation")
    return text


FIELDS: dict[str, tuple[str, Callable[[Any], str], bool]] = {
    "email": ("EMAIL", email, True),
    "phone": ("PHONE", phone, True),
    "external_id": ("EXTERN_ID", identifier, False),
    "mobile_advertiser_id": ("MADID", lambda value: identifier(value).lower(), False),
    "first_name": ("FN", letters, True),
    "last_name": ("LN", letters, True),
    "city": ("CT", letters, True),
    "state": ("ST", letters, True),
    "zip": ("ZIP", zip_code, True),
    "country": ("COUNTRY", country, True),
    "gender": ("GEN", gender, True),
    "birth_year": ("DOBY", birth_year, True),
    "birth_month": ("DOBM", birth_month, True),
    "birth_day": ("DOBD", birth_day, True),
}
"""Field names of a mapping: Meta's key, its normalisation, and whether it is hashed."""


def digest(field: str, normalised: str) -> str:
    """A normalised value as it is sent."""
    return hashlib.sha256(normalised.encode()).hexdigest() if FIELDS[field][2] else normalised
