"""Addresses: under which one the door stands, and whether a request, a path or a target belongs to it.

Belongs here: pure checks of hosts, origins, paths and targets. Does not belong here: who makes the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from blotout_orchestration.errors import UsageError

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_TARGET: Final = 2000
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_-]+)*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class Address:
    """Where the door stands: `origin` is what browsers call it, None on the loopback address only."""

    origin: str | None
    prefix: str

    @property
    def is_secure(self) -> bool:
        """Whether people reach the door through TLS, so that cookies may be bound to it."""
        return self.origin is not None and self.origin.startswith("https://")

    def is_host(self, host: str) -> bool:
        """Whether a Host header names this door; another one is a proxy's mistake or DNS rebinding."""
        if self.origin is None:
            return _hostname(host) in LOOPBACK_NAMES
        return _canonical(self.origin.partition(":")[0], host) == self.origin

    def is_own_origin(self, origin: str, scheme: str, host: str) -> bool:
        """Whether an Origin header is the door's own."""
        own = self.origin or _canonical({"ws": "http", "wss": "https"}.get(scheme, scheme), host)
        head, separator, rest = origin.partition("://")
        return bool(separator) and _canonical(head, rest) == own

    def target(self, text: str | None) -> str:
        """Where to go after the login: a page below the prefix, or the first page when `text` is no such page."""
        home = f"{self.prefix}/"
        if not text or len(text) > LONGEST_TARGET or _CONTROL.search(text) or not text.isascii():
            return home
        try:
            parts = urlsplit(text)
        except ValueError:
            return home
        inside = parts.path == self.prefix or parts.path.startswith(home)
        if parts.scheme or parts.netloc or not inside or is_ambiguous(parts.path):
            return home
        first = parts.path.removeprefix(self.prefix).strip("/").partition("/")[0]
        return home if first in ("login", "logout", "oidc", "graphql") else text


def address_of(public: str, prefix: str | None = None) -> Address:
    """The door's address from DAGSTER_ADDRESS; `prefix` instead of its path when given. Raises UsageError."""
    parts = urlsplit(public)
    chosen = (parts.path if prefix is None else prefix).rstrip("/")
    if not _PREFIX.fullmatch(chosen):
        raise UsageError(
            f"path prefix {chosen!r}: expected something like /dagster, of letters, digits, _ and -"
        )
    if (parts.hostname or "").lower() in LOOPBACK_NAMES:
        return Address(None, chosen)
    return Address(_canonical(parts.scheme, parts.netloc), chosen)


def is_ambiguous(path: str) -> bool:
    """Whether servers may disagree what a path means: `//`, dot segments, backslashes, control characters.

    Looked at as it came and decoded up to three times, since a proxy may decode once more than we do.
    """
    for _ in range(4):
        if "//" in path or _CONTROL.search(path) or {".", ".."} & set(path.split("/")):
            return True
        decoded = unquote(path)
        if decoded == path:
            return False
        path = decoded
    return True


def comes_from_elsewhere(address: Address, method: str, scheme: str, headers: Mapping[str, str]) -> bool:
    """Whether another site made the browser send this request (method `WEBSOCKET` for a websocket).

    A link that somebody follows is fine; anything that changes something, or that another page embeds or
    fetches, is not. A client that sends neither header is no browser.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    is_navigation = (
        method in SAFE_METHODS
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
    if method == "WEBSOCKET" and origin is None:
        return True
    if origin is not None and not address.is_own_origin(origin, scheme, headers.get("host", "")):
        return True
    return site is not None and site not in ("same-origin", "none") and not is_navigation


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _canonical(scheme: str, netloc: str) -> str:
    try:
        parts = urlsplit(f"//{netloc}")
        name, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    if not name or parts.path or parts.query or parts.fragment or "@" in netloc:
        return ""
    name = f"[{name}]" if ":" in name else name
    default = {"http": 80, "https": 443}.get(scheme.lower())
    return f"{scheme.lower()}://{name}" + (f":{port}" if port and port != default else "")
