"""The tables of the platform's database; a change here comes with a migration in `migrations/versions`.

Belongs here: declarations. Does not belong here: queries, which are in the room that owns the table.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, in UTC on every database; a moment without a time zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; raises ValueError when the moment has no time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite forgets the time zone: what it gives back is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()
_KEY = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself for INTEGER only."""


def _sequence() -> Column[Any]:
    return Column("id", _KEY, primary_key=True, autoincrement=True)


connection_pipeline = Table(
    "connection_pipeline",
    metadata,
    _sequence(),
    Column("name", String(128), nullable=False),
    Column("source_name", String(128), nullable=False),
    Column("source_type", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("is_deleted", Integer, nullable=False, default=0),
    Index("connection_pipeline_by_name", "name", "updated_at"),
    comment="Append log of ELT pipelines: the row of a name with the latest updated_at holds.",
)

activation_channel = Table(
    "activation_channel",
    metadata,
    _sequence(),
    Column("name", String(128), nullable=False),
    Column("channel_type", String(64), nullable=False),
    Column("audience", String(256), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("schedule", String(64), nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("is_deleted", Integer, nullable=False, default=0),
    Index("activation_channel_by_name", "name", "updated_at"),
    comment="Append log of activation channels: the row of a name with the latest updated_at holds.",
)

entity_definition = Table(
    "entity_definition",
    metadata,
    _sequence(),
    Column("name", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("origin", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("author", String(128), nullable=False),
    Column("is_deleted", Integer, nullable=False, default=0),
    UniqueConstraint("kind", "name", "version", name="entity_definition_version"),
    comment="Segments and funnels, a row a version; the highest version of a name that is no offer holds.",
)

audit_log = Table(
    "audit_log",
    metadata,
    _sequence(),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(512), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("run_id", String(64), nullable=True),
    Column("details", JSON, nullable=False),
    Index("audit_log_by_time", "at"),
    comment="Who did what, when, in which run, and how it went. Append only.",
)

alert_outbox = Table(
    "alert_outbox",
    metadata,
    _sequence(),
    Column("created_at", UtcDateTime, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("transport", String(16), nullable=False),
    Column("recipients", JSON, nullable=False),
    Column("subject", String(512), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("suppressed", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime, nullable=True),
    Column("last_error", Text, nullable=True),
    Index("alert_outbox_waiting", "delivered_at", "next_attempt_at"),
    comment="Alerts on their way: a row stays undelivered until its transport took it.",
)

setup_step = Table(
    "setup_step",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("done_at", UtcDateTime, nullable=False),
    Column("run_id", String(64), nullable=True),
    Column("details", JSON, nullable=False),
    comment="Steps of one_time_setup that have succeeded.",
)

web_session = Table(
    "web_session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_name", String(128), nullable=False),
    Column("credential_fingerprint", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime, nullable=True),
    comment="Sessions of the web login: the hash of the token only, never the token.",
)
