"""Which fields of a connection hold secrets, and that none of them holds the secret itself.

Belongs here: telling a secret by the name of its field or by its look. Does not belong here: looking up what
a reference stands for (platform/secrets.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import JsonValue

from blotout_orchestration.platform.registry.problems import Problem
from blotout_orchestration.platform.secrets import FORMS, is_reference

_SECRET_NAME: Final = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|secret|token|api_?key|access_key|private_key|secret_access_key"
    r"|service_account_key|account_key|signing_key|credentials|authorization|cookie|connection_string|dsn"
    r"|sas|api_secret)$"
)
_SECRET_LOOK: Final = re.compile(
    r"shp(at|ca|pa|ss)_[0-9a-fA-F]{16,}"  # Shopify
    r"|pk_[0-9a-f]{18,}"  # Klaviyo's private key
    r"|(AKIA|ASIA)[0-9A-Z]{16}"  # AWS
    r"|EAA[0-9A-Za-z]{30,}"  # Meta
    r"|sk_(live|test)_[0-9A-Za-z]{16,}"  # Stripe and others
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\beyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}\."  # a JSON web token
    r"|\b(Bearer|Basic|Klaviyo-API-Key) \S+",
)
_CREDENTIALS_IN_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\d{1,5}/)\S+@", re.IGNORECASE)
"""A password with an unescaped `/` counts; a port and a path with `@` do not."""
_WORD_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class SecretsInTheClearError(ValueError):
    """Every secret in the clear of one connection, by its field; the values are nowhere kept."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """`problems` have paths within the connection."""
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{one.field}: {one.reason}" for one in problems))


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret (`password`, `clientSecret`, `X-Shopify-Access-Token`)."""
    plain = re.sub(r"[^a-z0-9]+", "_", _WORD_BORDER.sub("_", name).lower()).strip("_")
    return _SECRET_NAME.search(plain) is not None


def looks_secret(text: str) -> bool:
    """Whether a text has the look of a well-known kind of key, or is an address with a password in it."""
    if is_reference(text):
        return False
    if _SECRET_LOOK.search(text) or _CREDENTIALS_IN_ADDRESS.search(text):
        return True
    try:
        query = urlsplit(text).query if "://" in text else ""
    except ValueError:
        return False
    return any(is_secret_name(name) and not is_reference(value) for name, value in parse_qsl(query))


def may_be_shown(path: Sequence[str], text: str) -> bool:
    """Whether a value may stand in a message."""
    return is_reference(text) or not (any(is_secret_name(part) for part in path) or looks_secret(text))


def check_connection(connection: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The connection as it is; raises ValueError with every secret in the clear, none of them repeated."""
    problems = list(_in_the_clear(connection, ()))
    if problems:
        raise SecretsInTheClearError(problems)
    return connection


def _in_the_clear(value: JsonValue, path: tuple[str, ...]) -> Iterator[Problem]:
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _in_the_clear(entry, (*path, name))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _in_the_clear(entry, (*path, str(index)))
    elif value is not None and not isinstance(value, bool):
        named = next((part for part in reversed(path) if not part.isdigit()), "")
        if is_secret_name(named) and not is_reference(str(value)):
            yield Problem(".".join(path), f"holds a secret; write {FORMS}, never the secret itself")
        elif isinstance(value, str) and looks_secret(value):
            yield Problem(
                ".".join(path), f"a secret in the clear; give it a field of its own and write {FORMS}"
            )


def references(value: JsonValue) -> Iterator[str]:
    """All references to secrets in a connection, in order."""
    if isinstance(value, dict):
        for entry in value.values():
            yield from references(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from references(entry)
    elif isinstance(value, str) and is_reference(value):
        yield value
