"""The country of a request: named by the CDN, else looked up from the client's address.

Belongs here: choosing the address and the look-up (geoip2fast, its data is in the wheel). Addresses are
never returned, logged or kept.
"""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache
from typing import Any

_UNKNOWN = frozenset({"XX", "ZZ", "T1", "EU", "AP"})
"""What CDNs answer for an unknown place, for Tor, and for whole continents."""


def named_country(text: str | None) -> str | None:
    """The ISO 3166 alpha-2 code that a header names, or None."""
    code = (text or "").strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() and code not in _UNKNOWN else None


@cache
def _database() -> Any:
    from geoip2fast import GeoIP2Fast

    return GeoIP2Fast()


@lru_cache(maxsize=65536)
def country_of_address(forwarded_for: str | None) -> str | None:
    """Country of the first public address of an `X-Forwarded-For` header (client first); None if unknown."""
    for part in (forwarded_for or "").split(",", 16)[:16]:
        text = part.strip().strip("[]")
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if address.version == 4 and address.is_global:
            return named_country(_database().lookup(text).country_code)
    return None
