"""The definition of an activation channel: which people go where, how, and when.

Belongs here: shape and meaning of a definition. Does not belong here: what a channel type needs in
`connection` and `options` (the activation room checks that).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from blotout_orchestration.platform.registry.fields import Connection, Kind, RegistryName, Strict
from blotout_orchestration.platform.registry.timing import (
    Interval,
    Schedule,
    Timing,
    check_one_of_both,
)

Mode = Literal["upsert", "update", "create", "mirror", "append", "delete"]
_AUDIENCE = re.compile(r"(segment:)?[a-z0-9_]+|model:([a-z0-9_]+\.)?[a-z0-9_]+")


def _check_audience(value: str) -> str:
    if not _AUDIENCE.fullmatch(value) or len(value) > 256:
        raise ValueError("expected `segment:NAME` or `model:NAME` (a table or view of the warehouse)")
    return value if ":" in value else f"segment:{value}"


Audience = Annotated[str, AfterValidator(_check_audience)]


class ChannelPayload(Strict):
    """The column `payload`: what the other columns do not hold."""

    connection: Connection = Field(default_factory=dict)
    mapping: dict[str, str] = Field(default_factory=dict)
    """Fields of the destination, each with the column of the audience that fills it."""
    key: str | None = None
    """The destination's field that tells one person from another; None: as the channel type has it."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """What only this channel type and the engine know (list, guards, batch sizes); checked by activation."""
    interval_seconds: Interval | None = None

    @model_validator(mode="after")
    def _key_is_mapped(self) -> ChannelPayload:
        if self.key is not None and self.mapping and self.key not in self.mapping:
            raise ValueError(f"key {self.key!r} is not in the mapping")
        return self


class Channel(Strict):
    """A live row of `activation_channel`."""

    name: RegistryName
    channel_type: Kind
    audience: Audience
    mode: Mode = "upsert"
    schedule: Schedule | None = None
    paused: bool = False
    payload: ChannelPayload = ChannelPayload()
    created_at: datetime = Field(datetime.min.replace(tzinfo=UTC), exclude=True)
    updated_at: datetime = Field(datetime.min.replace(tzinfo=UTC), exclude=True)

    @model_validator(mode="after")
    def _timing_is_possible(self) -> Channel:
        check_one_of_both(self.schedule, self.payload.interval_seconds)
        return self

    @property
    def audience_kind(self) -> Literal["segment", "model"]:
        """What `audience_name` names."""
        return "model" if self.audience.startswith("model:") else "segment"

    @property
    def audience_name(self) -> str:
        """Name of the segment or of the model."""
        return self.audience.partition(":")[2]

    @property
    def connection(self) -> dict[str, JsonValue]:
        """How to reach the destination; secrets are references."""
        return self.payload.connection

    @property
    def mapping(self) -> dict[str, str]:
        """Fields of the destination, each with the column of the audience that fills it."""
        return self.payload.mapping

    @property
    def key(self) -> str | None:
        """The destination's field that tells one person from another."""
        return self.payload.key

    @property
    def options(self) -> dict[str, JsonValue]:
        """What only this channel type and the engine know."""
        return self.payload.options

    @property
    def timing(self) -> Timing:
        """When it runs."""
        return Timing(schedule=self.schedule, interval_seconds=self.payload.interval_seconds)

    def stored_payload(self) -> dict[str, Any]:
        """The payload as the registry keeps it, without nulls."""
        return self.payload.model_dump(mode="json", by_alias=True, exclude_none=True)
