"""`klaviyo`: profiles through bulk import jobs, and the members of one list.

Belongs here: what an operation means at Klaviyo. Does not belong here: the calls (klaviyo_client.py). Segments
of Klaviyo make themselves and cannot be filled; nobody is ever unsubscribed here, only taken out of the list.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from blotout_orchestration.activation import values as kinds
from blotout_orchestration.activation.channel import (
    Answer,
    Batch,
    Channel,
    Context,
    Limits,
    Probe,
    Rejection,
    UnavailableError,
)
from blotout_orchestration.activation.channels.klaviyo_client import PAGE, KlaviyoClient
from blotout_orchestration.activation.options import EngineOptions
from blotout_orchestration.activation.retrying import with_retries
from blotout_orchestration.platform.registry.fields import Strict
from blotout_orchestration.platform.secrets import check_reference, resolve

MODES = ("upsert", "update", "create", "mirror", "delete")
KEYS: tuple[str, ...] = ("email", "phone_number", "external_id")
DROPS_UNUSABLE = False
_LOCATION = ("address1", "address2", "city", "country", "region", "zip", "timezone", "ip")
_PROFILE = ("first_name", "last_name", "organization", "locale", "title", "image")
FIELDS: Mapping[str, kinds.Kind] = {
    "email": kinds.email,
    "phone_number": kinds.phone,
    "external_id": kinds.text,
    **dict.fromkeys(_PROFILE, kinds.text),
    **{f"location.{name}": kinds.text for name in _LOCATION},
    "location.latitude": kinds.number,
    "location.longitude": kinds.number,
}
_PROPERTY = "properties."
_FRAME = 4096
"""Bytes kept free for the JSON around the profiles."""
_POLL_SECONDS = 2.0
_LONGEST_SETTLING = 3600.0


class Connection(Strict):
    """The reference to a private key with the scopes lists:read, lists:write, profiles:read, profiles:write."""

    api_key: Annotated[str, AfterValidator(check_reference)]
    host: str | None = None
    """Another address than Klaviyo's own, for tests."""


class Options(EngineOptions):
    """Where in Klaviyo."""

    list_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$")]
    """The list whose members are the audience."""


def custom_field(name: str) -> kinds.Kind | None:
    """`properties.NAME`: a custom property of the profile."""
    return kinds.plain if name.startswith(_PROPERTY) and len(name) > len(_PROPERTY) else None


def connect(context: Context) -> Channel:
    """The channel. Raises SecretError when nothing stands behind the reference."""
    return KlaviyoChannel(context)


class KlaviyoChannel:
    """One list of one account."""

    pending = 10

    def __init__(self, context: Context) -> None:
        """The key is looked up now; nothing is called yet."""
        self._key = context.definition.key
        self._hash_key, self._clock = context.hash_key, context.clock
        self._list: str = context.definition.options.list_id
        connection: Connection = context.definition.connection
        secret = resolve(connection.api_key, context.settings).get_secret_value()
        self._client = KlaviyoClient(secret, context.clock, context.definition.name, connection.host)
        bulk = Limits(10_000, 5_000_000 - _FRAME, 100_000)
        single = Limits(1_000, 5_000_000 - _FRAME, 100_000)
        self.limits = {"upsert": bulk, "update": single, "create": single, "delete": single}
        self._members: sqlite3.Connection | None = None
        self._unanswered: dict[str, list[int]] = {}

    def prepare(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A profile's attributes in Klaviyo's form; what is null is left as it is at Klaviyo."""
        profile: dict[str, Any] = {}
        for field, value in values.items():
            if value is None:
                continue
            group, _, name = field.partition(".")
            if name:
                profile.setdefault(group, {})[name] = value
            else:
                profile[field] = value
        return profile

    def size(self, values: Mapping[str, Any]) -> int:
        """Bytes in the body, as the SDK encodes it."""
        return len(json.dumps(_resource(values))) + 2

    def removal_key(self, values: Mapping[str, Any]) -> str | None:
        """Klaviyo knows no hashes: who left is found in the list by the ledger's own hash."""
        return None

    def deliver(self, batch: Batch) -> Answer:
        """Start an import job, or take people out of the list."""
        if batch.operation == "delete":
            return self._remove(batch)
        if batch.operation == "upsert":
            return Answer(receipt=self._import(batch, range(len(batch.rows))))
        wanted = batch.operation == "update"
        # Klaviyo may have taken an import whose answer was lost: asked again, it would know those as its own.
        chosen = self._unanswered.get(batch.idempotency_key)
        if chosen is None:
            keys = [str(row.values[self._key]) for row in batch.rows]
            known = self._known(keys)
            chosen = [index for index, key in enumerate(keys) if (key in known) == wanted]
        why = "no such profile to update" if wanted else "the profile exists already"
        refused = tuple(Rejection(i, why) for i in sorted(set(range(len(batch.rows))) - set(chosen)))
        if not chosen:
            return Answer(refused)
        self._unanswered[batch.idempotency_key] = chosen
        job = self._import(batch, chosen)
        del self._unanswered[batch.idempotency_key]
        skipped = [one.index for one in refused]
        return Answer(receipt=json.dumps({"job": job, "skipped": skipped, "why": why}))

    def _import(self, batch: Batch, chosen: range | list[int]) -> str:
        return self._client.import_profiles([_resource(batch.rows[i].values) for i in chosen], self._list)

    def collect(self, receipt: str, rows: int) -> Answer | None:
        """Ask the job. Raises UnavailableError when Klaviyo cancelled it or names too few of its failures."""
        job, found = receipt, dict[int, str]()
        if receipt.startswith("{"):
            document = json.loads(receipt)
            job, found = document["job"], dict.fromkeys(document["skipped"], document["why"])
        state = self._client.import_job(job)
        if state.status == "cancelled":
            raise UnavailableError("Klaviyo cancelled the import job")
        if state.status != "complete":
            return None
        sent = [index for index in range(rows) if index not in found]
        expected = len(found) + state.failed
        if state.failed:
            for place, reason in self._client.import_errors(job):
                if place is not None and place < len(sent):
                    found.setdefault(sent[place], reason)
        if len(found) < expected:
            raise UnavailableError(f"the import job names fewer rows than the {state.failed} that failed")
        return Answer(tuple(Rejection(index, reason) for index, reason in sorted(found.items())))

    def _remove(self, batch: Batch) -> Answer:
        """Take out of the list who is in it; who is not there has nothing to be removed."""
        given = [str(row.values[self._key]) for row in batch.rows if row.values.get(self._key)]
        ids = set(self._known(given).values())
        gone = [row.key_hash for row in batch.rows if not row.values.get(self._key)]
        if gone:
            ids |= self._member_ids(gone)
        if ids:
            self._client.remove_from_list(self._list, sorted(ids))
        return Answer()

    def _known(self, keys: list[str]) -> dict[str, str]:
        known: dict[str, str] = {}
        for start in range(0, len(keys), PAGE):
            known |= self._client.known_profiles(self._key, keys[start : start + PAGE])
        return known

    def _member_ids(self, hashes: list[str]) -> set[str]:
        """Profile ids of members by the hash of their key; the list is read once a sync, onto disk."""
        if self._members is None:
            # An empty name is SQLite's private file on disk, gone with the connection.
            table = sqlite3.connect("")
            table.execute("create table members (key_hash text primary key, id text) without rowid")
            kind = FIELDS[self._key]
            for profile_id, key in self._client.list_members(self._list, self._key):
                try:
                    key_hash = self._hash_key(str(kind(key)))
                except ValueError:
                    continue
                table.execute("insert or replace into members values (?, ?)", (key_hash, profile_id))
            self._members = table
        found: set[str] = set()
        for one in hashes:
            found |= {
                row[0] for row in self._members.execute("select id from members where key_hash = ?", (one,))
            }
        return found

    def settle(self) -> None:
        """Wait for import jobs that a killed sync may have started, or its people could come after a removal."""
        give_up = self._clock.monotonic() + _LONGEST_SETTLING
        while with_retries(self._client.jobs_at_work, self._clock):
            if self._clock.monotonic() > give_up:
                raise UnavailableError("import jobs have been at work for an hour")
            self._clock.sleep(_POLL_SECONDS)

    def matched(self) -> int | None:
        """Members of the list by Klaviyo's own count."""
        return with_retries(lambda: self._client.list_size(self._list), self._clock)

    def probe(self) -> Probe:
        """Read the list's name. Raises ChannelError for a wrong key or list."""
        name = with_retries(lambda: self._client.list_name(self._list), self._clock, attempts=2)
        return Probe("klaviyo", {"list": name})


def _resource(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "profile", "attributes": dict(values)}
