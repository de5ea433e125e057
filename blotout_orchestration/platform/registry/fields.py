"""What the definitions of pipelines and channels are made of: names, kinds, connections.

Belongs here: types that both registries share. Does not belong here: either definition itself.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue

from blotout_orchestration.platform.registry.secret_fields import check_connection

_NAME: Final = re.compile(r"[a-z0-9_]+")
LONGEST_NAME: Final = 128


class Strict(BaseModel):
    """A part of a definition: unknown fields are refused, and errors of pydantic repeat no value."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


def check_registry_name(value: str) -> str:
    """A name that can be a partition key, a file name and a part of a table's name."""
    if not _NAME.fullmatch(value) or len(value) > LONGEST_NAME:
        proposal = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")[:LONGEST_NAME]
        hint = f"; {proposal!r} would do" if proposal else ""
        raise ValueError(f"expected up to {LONGEST_NAME} lower-case letters, digits and `_`{hint}")
    return value


def check_kind(value: str) -> str:
    """A source type or channel type, by syntax; which there are is for the domain to say."""
    if not _NAME.fullmatch(value) or len(value) > 64:
        raise ValueError("expected lower-case letters, digits and `_`")
    return value


RegistryName = Annotated[str, AfterValidator(check_registry_name)]
Kind = Annotated[str, AfterValidator(check_kind)]
Connection = Annotated[dict[str, JsonValue], AfterValidator(check_connection)]
"""How to reach a system. Under a field that holds a secret stands a reference (platform/secrets.py)."""
