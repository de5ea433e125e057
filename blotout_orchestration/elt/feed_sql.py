"""The SQL (DuckDB) by which a stream's mappings fill the contract tables.

Belongs here: one query a stream and mapping, with the contract's columns. A mapped column that the table does
not have yet is null: a source is free to say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from blotout_orchestration.elt.contract import AD_SPEND, CRM_PROFILES, OFFLINE_EVENTS
from blotout_orchestration.elt.expressions import Expression, identifier, literal, parse_expression
from blotout_orchestration.lake import TableSpec
from blotout_orchestration.lake.tables import DUCKDB_TYPES
from blotout_orchestration.platform.naming import snake_case

TYPED_PROVIDERS = ("email", "phone", "email_sha256", "phone_sha256", "user_id", "gclid", "fbclid", "twclid")
"""Providers that are types of ids by themselves; every other provider gives `map_id`s."""
_LOADERS_OWN = ("etl_", "source_name")
_PERSON = ("person_id", "person_id_type", "person_id_provider")


@dataclass(frozen=True)
class MappedStream:
    """A stream's table: its name, the view over it, its columns, and what its properties say it feeds."""

    name: str
    view: str
    columns: Mapping[str, pa.DataType]
    mapping: Mapping[str, Any]

    def has(self, column: str) -> bool:
        """Whether the table has a column, named as the source names it."""
        return snake_case(column) in self.columns


class FeedSql:
    """Queries over the streams of one source."""

    def __init__(self, streams: Mapping[str, MappedStream]) -> None:
        """`streams` by the name of their table."""
        self.streams = streams

    def id_mappings(self) -> list[str]:
        """A star around the first id of each row; an id that stands alone is told too."""
        queries = []
        for stream in self.streams.values():
            ids = self._ids(stream)
            if ids:
                queries.append(
                    f"""select found.ids[1].id, found.ids[1].kind, found.ids[1].provider,
                               other.id, other.kind, other.provider, min(found.seen_at)
                        from (select {ids} as ids, {self._seen(stream)} as seen_at from {stream.view}) as found,
                             unnest(case when len(ids) > 1 then ids[2:] else [null] end) as others(other)
                        where len(found.ids) > 0 group by all"""
                )
        return queries

    def offline_events(self) -> list[str]:
        """A row for every row whose time column is not null."""
        queries = []
        for stream in self.streams.values():
            for event in stream.mapping.get("event_map", ()):
                if stream.has(event["map_column"]):
                    queries.append(self._event(stream, event))
        return queries

    def profiles(self) -> list[str]:
        """A row for every row with a profile_id."""
        return list(self._mapped(CRM_PROFILES, "profile_map", "profile_id"))

    def spend(self) -> list[str]:
        """A row for every day and campaign: streams have one for each device or ad as well."""
        summed = {"impressions", "clicks", "spend", "platform_conversions", "platform_conversion_value"}
        keys = {"date", "ad_platform", "account_id", "campaign_id", "currency"}
        columns = [column.name for column in AD_SPEND.columns if not column.name.startswith(_LOADERS_OWN)]
        picked = []
        for name in columns:
            how = '"{0}"' if name in keys else 'sum("{0}")' if name in summed else 'max("{0}")'
            picked.append(f'{how.format(name)} as "{name}"')
        grouped = ", ".join(f'"{name}"' for name in sorted(keys))
        return [
            f"select {', '.join(picked)} from ({query}) group by {grouped},"
            " case when campaign_id is null then campaign_name end"
            for query in self._mapped(AD_SPEND, "spend_map", "date")
        ]

    def _ids(self, stream: MappedStream) -> str:
        """The row's ids as a list, those of the source itself first; empty when the stream maps none."""
        entries = sorted(stream.mapping.get("id_mapping", ()), key=lambda one: not one["map_id"])
        parts = []
        for entry in entries:
            if stream.has(entry["map_column"]):
                kind, provider = _kind(entry["map_provider"])
                value = f"nullif(trim({identifier(entry['map_column'])}::varchar), '')"
                parts.append(f"{{'id': {value}, 'kind': {literal(kind)}, 'provider': {provider}}}")
        return f"list_filter([{', '.join(parts)}], lambda one: one.id is not null)" if parts else ""

    def _seen(self, stream: MappedStream) -> str:
        """When the source knew the ids; null when no column of it tells."""
        for name in ("created_at", "updated_at"):
            if name in stream.columns and pa.types.is_timestamp(stream.columns[name]):
                return identifier(name)
        return "cast(null as timestamptz)"

    def _event(self, stream: MappedStream, event: Mapping[str, Any]) -> str:
        said: dict[str, str] = event.get("columns", {})
        keys = [identifier(key) for key in stream.mapping.get("primary_key", ()) if stream.has(key)]
        key = " || ':' || ".join(f"{one}::varchar" for one in keys) or f"md5(to_json({stream.view})::varchar)"
        prefix = literal(f"{stream.name}:{event['map_event']}:")
        values = {
            "event_id": f"{prefix} || {key}",
            "event_name": literal(event["map_event"]),
            "event_datetime": f"try_cast({identifier(event['map_column'])} as timestamptz)",
        }
        ids = self._ids(stream)
        if ids and "person_id" not in said:
            parts = zip(_PERSON, ("id", "kind", "provider"), strict=True)
            values |= {name: f"({ids})[1].{part}" for name, part in parts}
        joins: list[str] = []
        values |= self._values(stream, said, joins)
        where = [f"{values['event_datetime']} is not null", *_conditions(stream, event.get("when", {}))]
        return self._select(OFFLINE_EVENTS, stream, values, joins, where)

    def _mapped(self, spec: TableSpec, kind: str, required: str) -> Iterator[str]:
        for stream in self.streams.values():
            said = stream.mapping.get(kind, {})
            if said:
                joins: list[str] = []
                values = self._values(stream, said, joins)
                needed = values.get(required, "null")
                yield self._select(spec, stream, values, joins, [f"{needed} is not null"])

    def _values(self, stream: MappedStream, said: Mapping[str, str], joins: list[str]) -> dict[str, str]:
        found = {}
        for column, text in said.items():
            expression = parse_expression(text)
            if all(stream.has(name) for name in expression.columns):
                sql = self._looked_up(stream, expression, joins) if expression.lookup else expression.sql()
                if sql is not None:
                    found[column] = sql
        return found

    def _looked_up(self, stream: MappedStream, expression: Expression, joins: list[str]) -> str | None:
        """A join to the newest row of another stream, at most one for each row of this one."""
        lookup = expression.lookup
        if lookup is None:
            return None
        other = self.streams.get(snake_case(lookup.stream))
        if other is None or not (other.has(lookup.key) and other.has(lookup.value)):
            return None
        alias = f"lookup_{len(joins)}"
        order = [identifier(n) for n in ("updated_at", "updated_time", "created_at") if n in other.columns]
        newest = ", ".join(f"{one} desc nulls last" for one in [*order, "etl_run_datetime"])
        joins.append(
            f"""left join (select {identifier(lookup.key)}::varchar as looked_up_key, {identifier(lookup.value)} as looked_up
                    from {other.view} qualify row_number() over (partition by looked_up_key order by {newest}) = 1
                ) as {alias} on {alias}.looked_up_key = {stream.view}.{identifier(lookup.column)}::varchar"""
        )
        return f"{alias}.looked_up"

    def _select(
        self,
        spec: TableSpec,
        stream: MappedStream,
        values: Mapping[str, str],
        joins: list[str],
        where: list[str],
    ) -> str:
        columns = [
            f'try_cast({values.get(column.name, "null")} as {DUCKDB_TYPES[column.type]}) as "{column.name}"'
            for column in spec.columns
            if not column.name.startswith(_LOADERS_OWN)
        ]
        return f"select {', '.join(columns)} from {stream.view} {' '.join(joins)} where {' and '.join(where)}"


def _kind(provider: str) -> tuple[str, str]:
    """(type of id, provider as SQL) of a map_provider."""
    plain = provider.strip().lower()
    return (plain, "cast(null as varchar)") if plain in TYPED_PROVIDERS else ("map_id", literal(provider))


def _conditions(stream: MappedStream, when: Mapping[str, Any]) -> list[str]:
    """Columns that must have a value; an absent flag counts as false."""
    found = []
    for name, value in when.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if stream.has(name):
            absent = "'false'" if value is False else "null"
            found.append(
                f"coalesce({identifier(name)}::varchar, {absent}) is not distinct from {literal(text)}"
            )
        elif value is not False:
            found.append("false")
    return found
