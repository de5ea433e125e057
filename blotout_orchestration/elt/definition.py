"""How each stream of a pipeline is loaded: what the source type offers, overridden by what the user said.

Belongs here: the typed stream and every check that needs no connection. The registry's own form is in
platform/registry; what a connection consists of is said by each source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, OFFLINE_EVENTS
from blotout_orchestration.elt.expressions import parse_expression
from blotout_orchestration.elt.moments import moment, same_kind
from blotout_orchestration.errors import UsageError
from blotout_orchestration.lake import TableSpec
from blotout_orchestration.platform.naming import snake_case
from blotout_orchestration.platform.registry import Pipeline
from blotout_orchestration.platform.registry.pipeline import Stream as RegistryStream

Contract = Literal["evolve", "freeze", "discard_row", "discard_value"]
Write = Literal["overwrite", "append", "merge"]
_WRITES = {
    "append": "append",
    "overwrite": "overwrite",
    "append_dedup": "merge",
    "overwrite_dedup": "overwrite",
}
_LOADERS_OWN = {"source_name", "etl_run_date", "etl_run_datetime"}
_STREAM_OPTIONS = ("deleted_column", "contract", "start")


class PipelineError(UsageError):
    """A pipeline's definition cannot be meant; the message lists everything that is wrong with it."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class IdMapping(_Strict):
    """A column that holds an id of a person; `map_id`: the source's own id, else an id linked to it."""

    map_column: str
    map_provider: str
    map_id: bool = True


class EventMap(_Strict):
    """A row whose `map_column` is not null is the event `map_event` at that time.

    `columns` fills columns of `offline_events` by expressions (expressions.py); `when` names columns and the
    values they must have.
    """

    map_event: str
    map_column: str
    columns: dict[str, str] = Field(default_factory=dict)
    when: dict[str, str | bool | int] = Field(default_factory=dict)

    @field_validator("columns")
    @classmethod
    def _columns_exist(cls, value: dict[str, str]) -> dict[str, str]:
        return check_expressions(OFFLINE_EVENTS, value)


class Stream(_Strict):
    """One table of a source and how it is loaded. Column names are the source's own."""

    name: str = Field(min_length=1)
    alias: str | None = None
    sync: Literal["full_refresh", "incremental"] = "full_refresh"
    write: Write | None = None
    primary_key: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    cursor: str | None = None
    start: Annotated[Any, BeforeValidator(moment)] = None
    lag: timedelta = timedelta(0)
    deleted_column: str | None = None
    replace_by: str | None = None
    contract: Contract = "evolve"
    id_mapping: tuple[IdMapping, ...] = ()
    event_map: tuple[EventMap, ...] = ()
    profile_map: dict[str, str] = Field(default_factory=dict)
    spend_map: dict[str, str] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def table(self) -> str:
        """Name of the stream's table."""
        return snake_case(self.alias or self.name)

    def named(self, names: Mapping[str, str]) -> Stream:
        """The stream with its columns called as they are in the lake; `names` are those of the delivered ones."""

        def lake(name: str | None) -> str | None:
            return None if name is None else names.get(name, snake_case(name))

        return self.model_copy(
            update={
                "primary_key": tuple(names.get(name, snake_case(name)) for name in self.primary_key),
                "cursor": lake(self.cursor),
                "deleted_column": lake(self.deleted_column),
                "id_mapping": tuple(
                    one.model_copy(update={"map_column": lake(one.map_column)}) for one in self.id_mapping
                ),
                "event_map": tuple(
                    one.model_copy(update={"map_column": lake(one.map_column)}) for one in self.event_map
                ),
            }
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """The primary key's columns in the lake."""
        return tuple(snake_case(name) for name in self.primary_key)

    @property
    def cursor_column(self) -> str | None:
        """The cursor's column in the lake."""
        return snake_case(self.cursor) if self.cursor else None

    @property
    def deleted(self) -> str | None:
        """The column in the lake that flags deleted rows."""
        return snake_case(self.deleted_column) if self.deleted_column else None

    @property
    def disposition(self) -> Write:
        """What becomes of the rows that the table holds."""
        if self.write:
            return self.write
        if self.sync == "full_refresh":
            return "overwrite"
        return "merge" if self.primary_key else "append"

    @field_validator("profile_map")
    @classmethod
    def _profile_columns_exist(cls, value: dict[str, str]) -> dict[str, str]:
        return check_expressions(CRM_PROFILES, value)

    @field_validator("spend_map")
    @classmethod
    def _spend_columns_exist(cls, value: dict[str, str]) -> dict[str, str]:
        return check_expressions(AD_SPEND, value)

    @model_validator(mode="after")
    def _consistent(self) -> Stream:
        wrong = []
        if self.sync == "incremental" and not self.cursor:
            wrong.append("an incremental stream needs a cursor, a column that grows with every change")
        if self.disposition == "merge" and not self.primary_key:
            wrong.append("append_dedup needs a primary key")
        if self.sync == "incremental" and self.disposition == "overwrite":
            wrong.append("an incremental stream cannot overwrite: the older rows would be lost")
        if self.deleted_column and not self.primary_key:
            wrong.append("deleted_column needs a primary key")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def check_expressions(spec: TableSpec, value: dict[str, str]) -> dict[str, str]:
    """A mapping of contract columns as it is. Raises ValueError for unknown columns and wrong expressions."""
    columns = {column.name for column in spec.columns} - _LOADERS_OWN
    unknown = sorted(set(value) - columns)
    if unknown:
        raise ValueError(
            f"{spec.name} has no {', '.join(unknown)}; its columns are {', '.join(sorted(columns))}"
        )
    for text in value.values():
        parse_expression(text).sql()
    return value


def streams_of(pipeline: Pipeline, offered: Mapping[str, Mapping[str, Any]]) -> tuple[Stream, ...]:
    """The streams that a run of the pipeline loads; `offered` is what the source type says of each, by name.

    Without streams of its own a pipeline loads all that are offered. Raises PipelineError with all problems.
    """
    chosen: Sequence[RegistryStream | str] = pipeline.streams or list(offered)
    found: list[Stream] = []
    problems: list[str] = []
    for one in chosen:
        name = one if isinstance(one, str) else one.name
        values = {"name": name, **offered.get(name, {})}
        if not isinstance(one, str):
            _override(values, one)
        payload = pipeline.payload
        values.setdefault("contract", payload.schema_contract)
        if payload.backfill_from is not None:
            values["start"] = same_kind(payload.backfill_from, values.get("start"))
        if values.get("sync") == "incremental" and values.get("primary_key"):
            values.setdefault("lag", payload.lag_seconds)
        try:
            found.append(Stream.model_validate(values))
        except ValidationError as error:
            problems += [
                _line(name, detail) for detail in error.errors(include_url=False, include_input=False)
            ]
    if not chosen:
        problems.append("the source offers no streams, and the pipeline names none")
    tables = [stream.table for stream in found]
    problems += [
        f"two streams would fill the table {t}" for t in sorted({t for t in tables if tables.count(t) > 1})
    ]
    if problems:
        raise PipelineError("\n  ".join([f"pipeline {pipeline.name} cannot be loaded:", *problems]))
    return tuple(found)


def _line(name: str, detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    return f"stream {name}{': ' + where if where else ''}: {detail['msg'].removeprefix('Value error, ')}"


def _override(values: dict[str, Any], given: RegistryStream) -> None:
    """Put what the user said over what the source type offers."""
    config, metadata = given.config, given.metadata
    said: dict[str, Any] = {
        "alias": config.alias_name,
        "sync": config.sync_mode,
        "write": _WRITES[config.destination_sync_mode] if config.destination_sync_mode else None,
        "cursor": given.cursor,
        "primary_key": given.primary_key,
        "id_mapping": [one.model_dump() for one in metadata.id_mapping],
        "event_map": [one.model_dump() for one in metadata.event_map],
        "profile_map": metadata.profile_map,
        "spend_map": metadata.spend_map,
    }
    said |= {key: config.options[key] for key in _STREAM_OPTIONS if key in config.options}
    values.update({key: value for key, value in said.items() if value})
    rest = {key: value for key, value in config.options.items() if key not in _STREAM_OPTIONS}
    values["options"] = {**values.get("options", {}), **rest}
    if config.sync_mode == "full_refresh" and not config.destination_sync_mode:
        values.pop("write", None)


def check(pipeline: Pipeline) -> None:
    """Everything that can be found wrong in a pipeline without connecting and without its secrets.

    Raises PipelineError.
    """
    from blotout_orchestration.elt.sources.checks import check_source

    check_source(pipeline)
