"""The audience: the rows of a segment or a model, as the channel will send them, or why they are not.

Belongs here: reading the audience and judging each row by itself. Does not belong here: comparing rows with
each other or with the ledger (staging.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from blotout_orchestration.activation import values as kinds
from blotout_orchestration.activation.channel import Channel
from blotout_orchestration.activation.definition import Definition
from blotout_orchestration.activation.hashing import Hasher, encode
from blotout_orchestration.activation.rows import open_rows
from blotout_orchestration.lake.reads import quote
from blotout_orchestration.settings import Settings

CHUNK = 5_000
PROFILES = "view_users"
MEMBERSHIP = "segment_membership"


@dataclass(frozen=True)
class Judged:
    """A row of the audience: ready, or why it is not sent. `payload` is JSON of what will be sent."""

    state: Literal["ready", "invalid", "withheld"]
    key_hash: str | None = None
    payload_hash: str | None = None
    payload: str | None = None
    size: int = 0
    removal_key: str | None = None
    suppression: str | None = None
    reason: str | None = None


def audience_query(definition: Definition) -> str:
    """The query of the audience: its mapped columns and the one of consent."""
    wanted = dict.fromkeys(definition.mapping.values())
    if definition.options.consent:
        wanted[definition.options.consent] = None
    columns = ", ".join(f'audience."{column}"' for column in wanted)
    if definition.audience_kind == "model":
        relation = ".".join(f'"{part}"' for part in definition.audience_name.split("."))
        return f"select {columns} from {relation} as audience"
    return (
        f"select {columns} from {MEMBERSHIP} as membership join {PROFILES} as audience"
        " on audience.global_user_id = membership.global_user_id"
        f" where membership.left_at is null and membership.segment = {quote(definition.audience_name)}"
    )


def read_audience(
    settings: Settings, definition: Definition, channel: Channel, hasher: Hasher
) -> Iterator[list[Judged]]:
    """The audience in chunks. Raises AudienceError when it cannot be read, without values of its rows."""
    with open_rows(settings, audience_query(definition)) as (names, rows):
        while chunk := list(islice(rows, CHUNK)):
            judged = [judge(definition, channel, hasher, dict(zip(names, row, strict=True))) for row in chunk]
            yield judged


def judge(definition: Definition, channel: Channel, hasher: Hasher, row: Mapping[str, Any]) -> Judged:
    """One row by itself: consent, key, values, size. Never raises for what is in a row."""
    key_hash: str | None = None
    suppression: str | None = None
    consent = definition.options.consent
    consented = consent is None or _consents(row[consent])
    compared = (definition.options.suppression and definition.options.suppression.field) or definition.key
    try:
        values = _converted(definition, row, only=(definition.key, compared))
        if values[definition.key] is None:
            return Judged("invalid" if consented else "withheld", reason="null_key")
        key = channel.prepare({definition.key: values[definition.key]})
        key_hash = hasher.key(key_text(definition, key))
        if values.get(compared) is not None:
            suppression = hasher.key(str(values[compared]))
        if not consented:
            return Judged("withheld", key_hash, suppression=suppression, reason="no_consent")
        prepared = channel.prepare(_converted(definition, row))
        payload = encode(prepared)
    except (kinds.UnusableError, ValueError) as error:
        state: Literal["invalid", "withheld"] = "invalid" if consented else "withheld"
        return Judged(state, key_hash, suppression=suppression, reason=f"unusable_value: {error}")
    size = channel.size(prepared)
    if size > channel.limits[definition.operation].row_bytes:
        limit = channel.limits[definition.operation].row_bytes
        reason = f"too_large: more than {limit} bytes"
        return Judged("invalid", key_hash, suppression=suppression, reason=reason)
    payload_hash = hasher.payload(key_hash, payload)
    removal_key = channel.removal_key(prepared)
    return Judged("ready", key_hash, payload_hash, payload, size, removal_key, suppression)


def key_text(definition: Definition, prepared: Mapping[str, Any]) -> str:
    """The key of a prepared row as text, which the ledger's hash is made of."""
    return str(prepared[definition.key])


def _consents(value: Any) -> bool:
    """Only what says yes is consent: null, blank and anything unknown are not."""
    try:
        return value is not None and kinds.boolean(value)
    except ValueError:
        return False


def _converted(
    definition: Definition, row: Mapping[str, Any], only: Sequence[str] | None = None
) -> dict[str, Any]:
    converted: dict[str, Any] = {}
    for field, column in definition.mapping.items():
        if only is not None and field not in only:
            continue
        try:
            converted[field] = kinds.convert(field, definition.kinds[field], row[column])
        except kinds.UnusableError:
            if not definition.drops(field):
                raise
            converted[field] = None
    return converted


def suppressed_hashes(settings: Settings, definition: Definition, hasher: Hasher) -> Iterator[list[str]]:
    """Hashes of the values of the suppression list, in chunks; values that are none of the kind are left out.

    Raises AudienceError when the list cannot be read: without it nothing is sent.
    """
    suppression = definition.options.suppression
    if suppression is None:
        return
    kind = definition.kinds[suppression.field or definition.key]
    relation = ".".join(f'"{part}"' for part in suppression.table.split("."))
    query = f'select distinct "{suppression.column}" from {relation}'
    with open_rows(settings, query) as (_, rows):
        while chunk := list(islice(rows, CHUNK)):
            hashes = []
            for (value,) in chunk:
                try:
                    usable = kinds.convert("suppression", kind, value)
                except kinds.UnusableError:
                    continue
                if usable is not None:
                    hashes.append(hasher.key(str(usable)))
            yield hashes
