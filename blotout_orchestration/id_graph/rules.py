"""The rules of the ID graph as one typed object: what is junk, and what may join whom.

Belongs here: defaults, the YAML override, the hashes by which a run notices a change. How the rules are
applied is in normalize.py (junk) and people.py (limits, super-nodes, giants).
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.id_graph.contract import NODE_TYPES

RULES_FILE = "id_graph_rules.yaml"
"""Name of the override in BLOTOUT_HOME."""

EXTRACTION_VERSION = "1"
"""Raised whenever the same events would give different edges."""

_WORDS = (
    "null",
    "nil",
    "nan",
    "none",
    "undefined",
    "unknown",
    "anonymous",
    "anon",
    "guest",
    "test",
    "tester",
    "testing",
    "n/a",
    "na",
    "not set",
    "(not set)",
    "not provided",
    "empty",
    "blank",
    "default",
    "true",
    "false",
    "[object object]",
    "inf",
    "-inf",
    "infinity",
    "-1",
    "deleted",
    "redacted",
)
_NOTHING = re.compile(r"[\W0_]*")


class RulesError(BlotoutError):
    """The rules file cannot be read or holds a value that cannot be meant."""


class Rules(BaseModel):
    """What is junk and what may join whom. Every field can be overridden in `id_graph_rules.yaml`.

    Limits are those that Segment starts with, 5 ids of a type, save for these:
    - `user_id` has none: it is a browser, and a person gets a new one with every device and cleared cookie;
    - click ids have none: every click on an ad makes one; `maximum_links` stops those that are passed on;
    - `map_id` has 5 of a provider, not 1: guest orders and second accounts give a customer several;
    - `phone_sha256` has 10: a phone has a hash with and one without its plus sign;
    - no limit has a window of time: the same evidence gives the same people, whenever it is looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    junk_values: tuple[str, ...] = Field(
        _WORDS, description="Values that are no id, compared without case; their SHA-256 is junk as well."
    )
    junk_patterns: tuple[str, ...] = Field(
        (), description="Regular expressions; a whole match, without case, is no id."
    )
    junk_email_local_parts: tuple[str, ...] = Field(
        (
            "test",
            "tester",
            "testing",
            "noreply",
            "no-reply",
            "donotreply",
            "none",
            "null",
            "na",
            "nobody",
            "guest",
            "anonymous",
            "unknown",
            "fake",
            "asdf",
            "example",
        ),
        description="E-mail addresses with this part before the @ are nobody's.",
    )
    junk_email_domains: tuple[str, ...] = Field(
        ("test", "test.com", "localhost", "invalid", "domain.com", "email.com", "marketplace.amazon.invalid"),
        description="E-mail addresses of these domains, or below them, are nobody's.",
    )
    default_country: str | None = Field(
        None, description="ISO 3166 alpha-2 country of phone numbers written without a prefix."
    )
    persona_id_provider: str | None = Field(
        "persona", description="Provider under which `persona_id` is a map_id; null leaves it out."
    )
    limits: dict[str, int | None] = Field(
        {"map_id": 5, "email": 5, "email_sha256": 5, "phone": 5, "phone_sha256": 10},
        description="How many ids of a type one person may have; of `map_id` per provider. Null: any number.",
    )
    map_id_limits: dict[str, int | None] = Field(
        {}, description="The limit for map ids of one provider, e.g. {shopify: 1}."
    )
    priorities: tuple[str, ...] = Field(
        (
            "map_id",
            "email",
            "email_sha256",
            "phone",
            "phone_sha256",
            "user_id",
            "gclid",
            "fbclid",
            "twclid",
            "ttclid",
            "msclkid",
        ),
        description="Types from strong to weak: where a limit binds, links between strong types come first.",
    )
    maximum_links: dict[str, int | None] = Field(
        {
            "map_id": 500,
            "email": 500,
            "email_sha256": 500,
            "phone": 500,
            "phone_sha256": 500,
            "user_id": 2000,
            **dict.fromkeys(("gclid", "fbclid", "twclid", "ttclid", "msclkid"), 25),
        },
        description="An id linked to more other ids than this is a super-node: its links are not followed.",
    )
    maximum_ids_per_person: int | None = Field(
        10_000, ge=2, description="A person with more ids is a giant: taken apart and reported."
    )

    @field_validator("limits", "maximum_links")
    @classmethod
    def _types_are_known(cls, value: dict[str, int | None]) -> dict[str, int | None]:
        unknown = sorted(set(value) - set(NODE_TYPES))
        if unknown:
            raise ValueError(f"unknown id type {unknown[0]!r}; the types are {', '.join(NODE_TYPES)}")
        return _positive(value)

    @field_validator("map_id_limits")
    @classmethod
    def _limits_are_positive(cls, value: dict[str, int | None]) -> dict[str, int | None]:
        return {name.strip().lower(): limit for name, limit in _positive(value).items()}

    @field_validator("priorities")
    @classmethod
    def _priorities_are_complete(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if sorted(value) != sorted(NODE_TYPES):
            raise ValueError(f"must name every id type once: {', '.join(NODE_TYPES)}")
        return value

    @field_validator("junk_patterns")
    @classmethod
    def _patterns_compile(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"pattern {pattern!r}: {error}") from error
        return value

    @cached_property
    def _junk(self) -> frozenset[str]:
        words = {word.lower() for word in self.junk_values} | {""}
        return frozenset(words | {hashlib.sha256(word.encode()).hexdigest() for word in words})

    @cached_property
    def _junk_pattern(self) -> re.Pattern[str] | None:
        return (
            re.compile("|".join(f"(?:{part})" for part in self.junk_patterns), re.I)
            if self.junk_patterns
            else None
        )

    def is_junk(self, text: str) -> bool:
        """Whether a trimmed value is no id: a junk word or its hash, only zeros and signs, or a pattern."""
        if text.lower() in self._junk or _NOTHING.fullmatch(text):
            return True
        return bool(self._junk_pattern and self._junk_pattern.fullmatch(text))

    def is_junk_email(self, address: str) -> bool:
        """Whether an address in lower case is nobody's: a test address or a placeholder."""
        local, _, domain = address.rpartition("@")
        parts = domain.split(".")
        suffixes = {".".join(parts[index:]) for index in range(len(parts))}
        return local in self.junk_email_local_parts or not suffixes.isdisjoint(self.junk_email_domains)

    def limit(self, id_type: str, provider: str | None) -> int | None:
        """How many ids of this type and provider a person may have; None: any number."""
        if id_type == "map_id" and provider in self.map_id_limits:
            return self.map_id_limits[provider]
        return self.limits.get(id_type)

    @property
    def extraction_hash(self) -> str:
        """Changes when the same input would give different edges."""
        names = {"junk_values", "junk_patterns", "junk_email_local_parts", "junk_email_domains"}
        names |= {"default_country", "persona_id_provider"}
        return _digest([EXTRACTION_VERSION, self.model_dump(include=names)])

    @property
    def people_hash(self) -> str:
        """Changes when the same edges would give different people."""
        names = {"limits", "map_id_limits", "priorities", "maximum_links", "maximum_ids_per_person"}
        return _digest(self.model_dump(include=names))


def load_rules(home: Path) -> Rules:
    """The rules of a deployment: defaults, overridden by `id_graph_rules.yaml` in its home when that exists.

    Raises RulesError naming file, field and value.
    """
    path = home / RULES_FILE
    if not path.exists():
        return Rules()
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(content, dict):
            raise RulesError(f"{path}: expected fields with values, found {type(content).__name__}")
        return Rules(**content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RulesError(f"{path}: not readable as YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']} (found {problem['input']!r})"
            for problem in error.errors()
        )
        raise RulesError(f"{path}: {problems}") from error


def _positive(value: dict[str, int | None]) -> dict[str, int | None]:
    for name, limit in value.items():
        if limit is not None and limit < 1:
            raise ValueError(f"{name}: expected a number from 1, or null for no limit, found {limit}")
    return value


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
