"""Where ids come from: the click stream and the tables of the ELT contract.

Belongs here: one class a table that says which columns hold ids of one person. A new source either fills the
ELT contract, or is one more class with the two methods of `IdSource`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyiceberg.expressions import And, BooleanExpression, GreaterThanOrEqual, In, LessThanOrEqual

from blotout_orchestration.elt.contract import CRM_PROFILES, ID_MAPPINGS, OFFLINE_EVENTS
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.id_graph.contract import CLICK_ID_TYPES, STORED_CLICK_ID_TYPES
from blotout_orchestration.id_graph.edges import RAW_IDS, IdSource, edges_of_raw_ids
from blotout_orchestration.id_graph.rules import Rules
from blotout_orchestration.lake import Lake, TableSpec

_HOUR_FORMAT = "%Y-%m-%dT%H"
_SNAPSHOT = "#snapshot/"
_LISTED_HOURS = 100


class EventsSource:
    """Ids of the click stream, a batch an hour of arrival; work is found through event_hours."""

    name = "core_events"

    def batches(self, lake: Lake, connection: Any, held: Mapping[str, str]) -> dict[str, str]:
        """Every processed hour with the revision that event_hours gives it."""
        hours = lake.read(EVENT_HOURS, columns=("arrival_hour", "revision")).to_pylist()
        return {f"core_events/{row['arrival_hour'].strftime(_HOUR_FORMAT)}": row["revision"] for row in hours}

    def edges(self, lake: Lake, connection: Any, batches: Sequence[str], rules: Rules) -> pa.Table:
        """Edges of these hours: the browser's id with every other id of the same event."""
        hours = [
            datetime.strptime(b.split("/")[1], _HOUR_FORMAT).replace(tzinfo=UTC) for b in sorted(batches)
        ]
        texts = [hour.isoformat() for hour in hours]
        where: BooleanExpression = In("arrival_hour", texts)  # type: ignore[misc,call-arg]
        if len(hours) > _LISTED_HOURS:
            where = And(
                GreaterThanOrEqual(term="arrival_hour", value=texts[0]),
                LessThanOrEqual(term="arrival_hour", value=texts[-1]),
            )
        lake.register(connection, "changed_events", CORE_EVENTS, where=where)
        connection.register(
            "changed_hours", pa.table({"hour": pa.array(hours, pa.timestamp("us", tz="UTC"))})
        )
        connection.execute(RAW_IDS)
        connection.execute(_EVENT_ROWS)
        for slot, (column, source, id_type, provider) in enumerate(_event_columns(rules)):
            connection.execute(
                f"""insert into raw_ids
                    select 'core_events/' || strftime(arrival_hour, '{_HOUR_FORMAT}'), arrival_hour, row_id,
                           {slot}, 'core_events.{source}', '{id_type}', {provider}, {column},
                           {"persona_country" if id_type == "phone" else "null"}, first_seen, last_seen, n
                    from event_rows where {column} is not null"""
            )
        connection.unregister("changed_hours")
        return edges_of_raw_ids(connection, rules)


_EVENT_ROWS = f"""
    create or replace temporary table event_rows as
    select *, row_number() over () as row_id
    from (
        select arrival_hour, user_id, data_map_id, data_map_provider, persona_email, persona_number,
               persona_country, persona_id, {", ".join(f"search_{name}" for name in CLICK_ID_TYPES)},
               {", ".join(f"nullif(stored_{name}, search_{name}) as kept_{name}" for name in STORED_CLICK_ID_TYPES)},
               min(received_at) as first_seen, max(received_at) as last_seen, count(*) as n
        from changed_events
        where arrival_hour in (select hour from changed_hours)
        group by all
    )
"""


def _event_columns(rules: Rules) -> list[tuple[str, str, str, str]]:
    """(column, source, node type, provider as SQL), the hub first."""
    columns = [
        ("user_id", "user_id", "user_id", "null"),
        ("data_map_id", "map_id", "map_id", "data_map_provider"),
        ("persona_email", "persona_email", "email", "null"),
        ("persona_number", "persona_number", "phone", "null"),
    ]
    if rules.persona_id_provider:
        provider = "'" + rules.persona_id_provider.replace("'", "''") + "'"
        columns.append(("persona_id", "persona_id", "map_id", provider))
    for name in CLICK_ID_TYPES:
        columns.append((f"search_{name}", name, name, "null"))
        if name in STORED_CLICK_ID_TYPES:
            columns.append((f"kept_{name}", name, name, "null"))
    return columns


@dataclass(frozen=True)
class ContractSource:
    """Ids of a table of the ELT contract, a batch a source; a batch's revision is a hash of its ids.

    `ids` are (column, node type, provider, country) as SQL over the table, the hub first.
    """

    name: str
    spec: TableSpec
    ids: tuple[tuple[str, str, str, str], ...]
    seen_first: str
    seen_last: str

    def batches(self, lake: Lake, connection: Any, held: Mapping[str, str]) -> dict[str, str]:
        """Every source of the table; nothing is read while the table's snapshot is the one that is held."""
        snapshot_id = str(lake.register(connection, self.name, self.spec))
        mark = f"{_SNAPSHOT}{self.name}"
        if held.get(mark) == snapshot_id:
            return {
                key: value for key, value in held.items() if key == mark or key.startswith(f"{self.name}/")
            }
        columns = ", ".join(f"{value}, {kind}, {p}, {country}" for value, kind, p, country in self.ids)
        rows = connection.execute(
            f"""select coalesce(source_name, 'unknown'), count(*),
                       sum(hash({columns}, {self.seen_first}, {self.seen_last})::hugeint)
                from {self.name} group by 1"""
        ).fetchall()
        found = {f"{self.name}/{source}": f"{count}:{total:x}" for source, count, total in rows}
        return {**found, mark: snapshot_id}

    def edges(self, lake: Lake, connection: Any, batches: Sequence[str], rules: Rules) -> pa.Table:
        """Edges between the ids of each row."""
        lake.register(connection, self.name, self.spec)
        names = [batch.split("/", 1)[1] for batch in batches if not batch.startswith(_SNAPSHOT)]
        connection.register("changed_sources", pa.table({"name": pa.array(names, pa.string())}))
        connection.execute(RAW_IDS)
        connection.execute(
            f"""create or replace temporary table contract_rows as
                select *, coalesce(source_name, 'unknown') as batch_source, row_number() over () as row_id
                from {self.name} where coalesce(source_name, 'unknown') in (select name from changed_sources)"""
        )
        for slot, (value, kind, provider, country) in enumerate(self.ids):
            connection.execute(
                f"""insert into raw_ids
                    select '{self.name}/' || batch_source, null, row_id, {slot}, '{self.name}.' || batch_source,
                           {kind}, {provider}, {value}, {country},
                           coalesce({self.seen_first}, etl_run_datetime, to_timestamp(0)),
                           coalesce({self.seen_last}, {self.seen_first}, etl_run_datetime, to_timestamp(0)), 1
                    from contract_rows where {value} is not null and {kind} is not null"""
            )
        connection.unregister("changed_sources")
        return edges_of_raw_ids(connection, rules)


def default_sources() -> tuple[IdSource, ...]:
    """The click stream and the three tables of the ELT contract that name people."""
    return (
        EventsSource(),
        ContractSource(
            "id_mappings",
            ID_MAPPINGS,
            (("id_a", "id_a_type", "id_a_provider", "null"), ("id_b", "id_b_type", "id_b_provider", "null")),
            "seen_at",
            "seen_at",
        ),
        ContractSource(
            "crm_profiles",
            CRM_PROFILES,
            (
                ("profile_id", "'map_id'", "profile_id_provider", "null"),
                ("email", "'email'", "null", "null"),
                ("phone", "'phone'", "null", "country"),
            ),
            "created_at",
            "updated_at",
        ),
        ContractSource(
            "offline_events",
            OFFLINE_EVENTS,
            (("person_id", "person_id_type", "person_id_provider", "null"),),
            "event_datetime",
            "event_datetime",
        ),
    )
