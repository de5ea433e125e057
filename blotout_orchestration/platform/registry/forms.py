"""The form in which people write definitions, and what the registry makes of it.

Belongs here: short names, durations, defaults of what is not said. Does not belong here: the registry's own
shape (pipeline.py, channel.py), the original's payload (originals.py), and reading files.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from blotout_orchestration.platform.registry.channel import Audience, Channel, Mode
from blotout_orchestration.platform.registry.fields import Connection, Kind, RegistryName, Strict
from blotout_orchestration.platform.registry.pipeline import (
    LONGEST_LAG_SECONDS,
    Moment,
    Pipeline,
    SchemaContract,
    SourceName,
    SyncMode,
    WriteMode,
)
from blotout_orchestration.platform.registry.timing import Interval, Schedule, check_one_of_both

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(value: object) -> object:
    """A duration such as `90s`, `15m`, `6h` or `2d` in seconds; a number is seconds already."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,9}) ?([smhd])", value.strip())
        if match is None:
            raise ValueError("expected a duration such as 90s, 15m, 6h or 2d")
        return int(match[1]) * _SECONDS[match[2]]
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _named_stream(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _same_names(value: object) -> object:
    """A list of columns is a mapping whose fields have the columns' names."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return dict(zip(value, value, strict=True))
    return value


Duration = Annotated[Interval, BeforeValidator(seconds)]
Lag = Annotated[int, Field(ge=0, le=LONGEST_LAG_SECONDS), BeforeValidator(seconds)]


class IdMappingForm(Strict):
    """One column that holds an id."""

    map_column: str = Field(alias="column", min_length=1)
    map_provider: str = Field(alias="provider", min_length=1)
    map_id: bool = False


class EventMapForm(Strict):
    """One event that a row stands for."""

    map_event: str = Field(alias="event", min_length=1)
    map_column: str = Field(alias="column", min_length=1)
    columns: dict[str, str] = Field(default_factory=dict)
    when: dict[str, str | bool | int] = Field(default_factory=dict)


class StreamForm(Strict):
    """One stream; a name alone is a stream as its source type has it."""

    name: str = Field(min_length=1, max_length=256)
    table: str | None = None
    mode: SyncMode | None = None
    write: WriteMode | None = None
    cursor: str | None = None
    primary_key: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = ()
    selected: bool = True
    id_mapping: tuple[IdMappingForm, ...] = ()
    event_map: tuple[EventMapForm, ...] = ()
    profile_map: dict[str, str] = Field(default_factory=dict)
    spend_map: dict[str, str] = Field(default_factory=dict)
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _modes_agree(self) -> StreamForm:
        if self.mode == "incremental" and str(self.write).startswith("overwrite"):
            raise ValueError("an incremental stream cannot overwrite; write: append or append_dedup")
        return self

    def entry(self) -> dict[str, Any]:
        """The entry of `syncCatalog.streams`."""
        metadata = {
            "id_mapping": [one.model_dump(by_alias=False) for one in self.id_mapping],
            "event_map": [one.model_dump(by_alias=False) for one in self.event_map],
            "profile_map": self.profile_map,
            "spend_map": self.spend_map,
        }
        config = {
            "syncMode": self.mode,
            "destinationSyncMode": self.write,
            "cursorField": self.cursor.split(".") if self.cursor else [],
            "primaryKey": [column.split(".") for column in self.primary_key],
            "aliasName": self.table,
            "selected": self.selected,
            "options": self.options,
        }
        return {"stream": {"name": self.name, "jsonSchema": {"metadata": metadata}}, "config": config}


class PipelineForm(Strict):
    """A pipeline as people write it."""

    name: RegistryName
    source_type: Kind = Field(alias="type")
    source_name: SourceName | None = Field(None, alias="source")
    schedule: Schedule | None = None
    interval: Duration | None = None
    paused: bool | None = None
    schema_contract: SchemaContract = "evolve"
    lag: Lag = 0
    backfill_from: Moment | None = None
    connection: Connection = Field(default_factory=dict)
    streams: tuple[Annotated[StreamForm, BeforeValidator(_named_stream)], ...] = ()

    @model_validator(mode="after")
    def _timing_is_possible(self) -> PipelineForm:
        check_one_of_both(self.schedule, self.interval)
        return self

    def definition(self) -> Pipeline:
        """The registry's definition. Raises pydantic's ValidationError."""
        payload: dict[str, Any] = {
            "syncCatalog": {"streams": [stream.entry() for stream in self.streams]},
            "connection": self.connection,
            "schedule": self.schedule,
            "interval_seconds": self.interval,
            "schema_contract": self.schema_contract,
            "lag_seconds": self.lag,
            "backfill_from": self.backfill_from,
        }
        if self.paused is not None:
            payload["paused"] = self.paused
        source_name = self.source_name or self.name
        return Pipeline.model_validate(
            {
                "name": self.name,
                "source_name": source_name,
                "source_type": self.source_type,
                "payload": payload,
            }
        )


class ChannelForm(Strict):
    """A channel as people write it."""

    name: RegistryName
    channel_type: Kind = Field(alias="type")
    audience: Audience
    mode: Mode = "upsert"
    schedule: Schedule | None = None
    interval: Duration | None = None
    paused: bool | None = None
    connection: Connection = Field(default_factory=dict)
    mapping: Annotated[dict[str, str], BeforeValidator(_same_names)] = Field(default_factory=dict)
    key: str | None = None
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _timing_is_possible(self) -> ChannelForm:
        check_one_of_both(self.schedule, self.interval)
        return self

    def definition(self) -> Channel:
        """The registry's definition. Raises pydantic's ValidationError."""
        payload = self.model_dump(include={"connection", "mapping", "key", "options"})
        columns = self.model_dump(
            include={"name", "channel_type", "audience", "mode", "schedule"}, by_alias=False
        )
        if self.paused is not None:
            columns["paused"] = self.paused
        return Channel.model_validate({**columns, "payload": {**payload, "interval_seconds": self.interval}})
