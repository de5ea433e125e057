"""Options that every channel type has, whatever its destination.

Belongs here: consent, suppression, guards. Does not belong here: options of one channel type (its module).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from blotout_orchestration.platform.registry.fields import Strict

ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
TableName = Annotated[str, Field(pattern=r"^([a-z0-9_]+\.)?[a-z0-9_]+$")]


class Suppression(Strict):
    """A list of people who must not be reached: rows with one of its values are left out, and removed."""

    table: TableName
    column: ColumnName
    field: str | None = None
    """Field of the destination that is compared; None: the key."""


class EngineOptions(Strict):
    """What the engine does with the audience before anything is sent."""

    consent: ColumnName | None = None
    """Column of the audience that must be true; rows without consent are left out, and removed."""
    suppression: Suppression | None = None
    drop_unusable: tuple[str, ...] = ()
    """Fields whose unusable value is left out instead of making the row invalid."""
    maximum_drop: Annotated[float, Field(ge=0, le=1)] | None = None
    """Instead of ACTIVATION_MAXIMUM_DROP."""
    maximum_attempts: Annotated[int, Field(ge=1, le=100)] | None = None
    """Instead of ACTIVATION_MAXIMUM_ATTEMPTS."""
