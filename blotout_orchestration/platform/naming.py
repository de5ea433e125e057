"""Names of tables and columns: the platform's one function from any spelling to snake_case.

Belongs here: pure functions on names. `[a-z0-9_]` is what Glue, Athena, Trino and DuckDB all take unquoted.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

MAXIMUM_LENGTH = 200
"""Longer names are cut and told apart by a hash; Glue takes 255 characters."""

_WORDS = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+[0-9]*(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")


def snake_case(name: str) -> str:
    """A name in snake_case: `userID` -> `user_id`, `HTTPServer` -> `http_server`, `Líne Items` -> `line_items`.

    Idempotent. Accents are dropped, everything else outside ASCII letters and digits parts words; one leading
    underscore is kept, and one is put before a digit. A name without any such character becomes `x` + a hash.
    """
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(character for character in plain if not unicodedata.combining(character)).strip()
    words = "_".join(
        word.lower() for part in re.split(r"[^A-Za-z0-9]+", plain) for word in _WORDS.findall(part)
    )
    if not words:
        return "x" + _hash(name)
    found = f"_{words}" if plain.startswith("_") or words[0].isdigit() else words
    if len(found) > MAXIMUM_LENGTH:
        found = f"{found[: MAXIMUM_LENGTH - 9].rstrip('_')}_{_hash(name)}"
    return found


def snake_case_names(names: Iterable[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Each of some names with a snake_case name of its own, whatever their order.

    Of names that would become the same one, the one already spelled so keeps it (else the first in sorted
    order); the others get a hash of their own spelling behind it. `known` names keep what they were given before. `{"userID": "user_id_1f3c...", "user_id": "user_id"}`
    """
    given = dict(known or {})
    wanted = set(names)
    found = {name: given[name] for name in wanted if name in given}
    taken = set(given.values())
    for name in sorted(wanted - found.keys(), key=lambda one: (snake_case(one) != one, one)):
        short = snake_case(name)
        length = 8
        candidate = short
        while candidate in taken:
            candidate = f"{short[: MAXIMUM_LENGTH - length - 1]}_{_hash(name, length)}"
            length += 4
        taken.add(candidate)
        found[name] = candidate
    return found


def _hash(name: str, length: int = 8) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:length]
