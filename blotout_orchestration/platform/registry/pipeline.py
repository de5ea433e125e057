"""The definition of an ELT pipeline: the original's columns and `syncCatalog`, and our own keys beside it.

Belongs here: shape and meaning of a definition. Does not belong here: what a source type needs in
`connection` and `options` (the elt room checks that), and the friendly YAML form (files.py).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from blotout_orchestration.platform.registry.fields import Connection, Kind, RegistryName, Strict
from blotout_orchestration.platform.registry.timing import (
    Interval,
    Schedule,
    Timing,
    check_one_of_both,
)

SyncMode = Literal["full_refresh", "incremental"]
WriteMode = Literal["append", "overwrite", "append_dedup", "overwrite_dedup"]
SchemaContract = Literal["evolve", "freeze", "discard_row"]
LONGEST_LAG_SECONDS = 90 * 86_400


class IdMapping(Strict):
    """A column that holds an id of a person. `map_id: true`: the source's own id; false: an id linked to it."""

    map_column: str = Field(min_length=1)
    map_provider: str = Field(min_length=1)
    map_id: bool


class EventMap(Strict):
    """An event that each row of the stream stands for; `map_column` says when it happened.

    `columns` fills further columns of `offline_events` (`revenue`, `currency`, `transaction_id` ...), each from
    a column of the stream or an expression that the elt room knows; `when` narrows the event to rows whose
    columns have these values.
    """

    map_event: str = Field(min_length=1)
    map_column: str = Field(min_length=1)
    columns: dict[str, str] = Field(default_factory=dict)
    when: dict[str, str | bool | int] = Field(default_factory=dict)


class StreamMetadata(Strict):
    """What the platform makes of a stream's rows beside its table."""

    id_mapping: tuple[IdMapping, ...] = ()
    event_map: tuple[EventMap, ...] = ()
    profile_map: dict[str, str] = Field(default_factory=dict)
    """Columns of `crm_profiles`, each with the stream's column that fills it; empty: no profiles."""
    spend_map: dict[str, str] = Field(default_factory=dict)
    """Columns of `ad_spend`, each with the stream's column that fills it; empty: no spend."""


class JsonSchema(Strict):
    """The stream's JSON schema as discovered by the original; we read its `metadata` only."""

    model_config = ConfigDict(extra="allow")
    metadata: StreamMetadata = StreamMetadata()


class StreamDescription(Strict):
    """`syncCatalog.streams[].stream`, in Airbyte's vocabulary."""

    name: str = Field(min_length=1, max_length=256)
    namespace: str | None = None
    json_schema: JsonSchema = Field(JsonSchema(), alias="jsonSchema")
    supported_sync_modes: tuple[SyncMode, ...] | None = Field(None, alias="supportedSyncModes")
    source_defined_cursor: bool | None = Field(None, alias="sourceDefinedCursor")
    default_cursor_field: tuple[str, ...] | None = Field(None, alias="defaultCursorField")
    source_defined_primary_key: tuple[tuple[str, ...], ...] | None = Field(
        None, alias="sourceDefinedPrimaryKey"
    )


class StreamConfig(Strict):
    """`syncCatalog.streams[].config`, in Airbyte's vocabulary. What is None is as the source type has it."""

    sync_mode: SyncMode | None = Field(None, alias="syncMode")
    cursor_field: tuple[str, ...] = Field((), alias="cursorField")
    destination_sync_mode: WriteMode | None = Field(None, alias="destinationSyncMode")
    primary_key: tuple[tuple[str, ...], ...] = Field((), alias="primaryKey")
    alias_name: str | None = Field(None, alias="aliasName")
    selected: bool = True
    suggested: bool | None = None
    field_selection_enabled: bool | None = Field(None, alias="fieldSelectionEnabled")
    selected_fields: tuple[dict[str, JsonValue], ...] | None = Field(None, alias="selectedFields")
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Ours: what only this source type knows (a path, a glob of files, an endpoint); checked by the elt room."""

    @model_validator(mode="after")
    def _modes_agree(self) -> StreamConfig:
        if self.sync_mode == "incremental" and str(self.destination_sync_mode).startswith("overwrite"):
            raise ValueError("an incremental stream cannot overwrite; use append or append_dedup")
        return self


class Stream(Strict):
    """One entry of `syncCatalog.streams`."""

    stream: StreamDescription
    config: StreamConfig = StreamConfig()

    @property
    def name(self) -> str:
        """The stream's name at the source."""
        return self.stream.name

    @property
    def destination_name(self) -> str:
        """The name that the table is made of."""
        return self.config.alias_name or self.stream.name

    @property
    def metadata(self) -> StreamMetadata:
        """id_mapping, event_map and their kin."""
        return self.stream.json_schema.metadata

    @property
    def cursor(self) -> str | None:
        """The cursor column; a nested one as `outer.inner`."""
        return ".".join(self.config.cursor_field) or None

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns of the primary key; nested ones as `outer.inner`."""
        return tuple(".".join(path) for path in self.config.primary_key)


class SyncCatalog(Strict):
    """The streams of a pipeline. None at all: every stream that the source type offers."""

    streams: tuple[Stream, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> SyncCatalog:
        names = [stream.destination_name.lower() for stream in self.streams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"two streams go to one table: {', '.join(twice)}; give one of them another alias"
            )
        return self


def _moment(value: object) -> object:
    """A day means its first moment, in UTC."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_in_utc)]


class PipelinePayload(Strict):
    """The column `payload`: the original's `syncCatalog`, and beside it our own keys."""

    sync_catalog: SyncCatalog = Field(SyncCatalog(), alias="syncCatalog")
    connection: Connection = Field(default_factory=dict)
    schedule: Schedule | None = None
    interval_seconds: Interval | None = None
    paused: bool = False
    schema_contract: SchemaContract = "evolve"
    lag_seconds: int = Field(0, ge=0, le=LONGEST_LAG_SECONDS)
    """How far before its cursor an incremental stream reads again, for rows that were committed late."""
    backfill_from: Moment | None = None
    """Where the first load of incremental streams begins."""

    @model_validator(mode="after")
    def _timing_is_possible(self) -> PipelinePayload:
        check_one_of_both(self.schedule, self.interval_seconds)
        return self


def _check_source_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_ ]{0,99}", value):
        raise ValueError("expected letters, digits, spaces and `_`, beginning with a letter, at most 100")
    return value


SourceName = Annotated[str, AfterValidator(_check_source_name)]


class Pipeline(Strict):
    """A live row of `connection_pipeline`."""

    name: RegistryName
    source_name: SourceName
    source_type: Kind
    payload: PipelinePayload = PipelinePayload()
    created_at: datetime = Field(datetime.min.replace(tzinfo=UTC), exclude=True)
    updated_at: datetime = Field(datetime.min.replace(tzinfo=UTC), exclude=True)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The selected streams; empty means all that the source type offers."""
        return tuple(one for one in self.payload.sync_catalog.streams if one.config.selected)

    @property
    def connection(self) -> dict[str, JsonValue]:
        """How to reach the source; secrets are references."""
        return self.payload.connection

    @property
    def timing(self) -> Timing:
        """When it runs."""
        return Timing(schedule=self.payload.schedule, interval_seconds=self.payload.interval_seconds)

    @property
    def schedule(self) -> str:
        """`timing` as text."""
        return self.timing.text

    @property
    def paused(self) -> bool:
        """Whether it must not run by itself."""
        return self.payload.paused

    def namespace(self, environment: str) -> str:
        """The schema of its tables: lower(source_name), spaces as `_`, and the environment."""
        return f"{self.source_name.lower().replace(' ', '_')}_{environment}"

    def stored_payload(self) -> dict[str, Any]:
        """The payload as the registry keeps it: Airbyte's names, without nulls."""
        return self.payload.model_dump(mode="json", by_alias=True, exclude_none=True)
