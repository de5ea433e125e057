"""`facebook_audience`: the members of one Custom Audience of Meta, sent as hashes only.

Belongs here: what an operation means at Meta, and Meta's errors told apart. Does not belong here: hashing
(facebook_hashing.py). Meta's token and the payload of removals lie in addresses: no address is ever logged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from blotout_orchestration.activation.channel import (
    Answer,
    Batch,
    Channel,
    ChannelError,
    Context,
    Limits,
    Probe,
    RefusedError,
    Rejection,
    ThrottledError,
    UnavailableError,
)
from blotout_orchestration.activation.channels import facebook_hashing as hashing
from blotout_orchestration.activation.channels.facebook_usage import breather, wait_of
from blotout_orchestration.activation.log_filter import hide_queries
from blotout_orchestration.activation.options import EngineOptions
from blotout_orchestration.activation.retrying import with_retries
from blotout_orchestration.activation.values import Kind, without_values
from blotout_orchestration.platform.registry.fields import Strict
from blotout_orchestration.platform.secrets import check_reference, resolve

MODES = ("upsert", "create", "mirror", "delete")
FIELDS: Mapping[str, Kind] = {name: kind for name, (_, kind, _) in hashing.FIELDS.items()}
KEYS: tuple[str, ...] = ("email", "phone", "external_id", "mobile_advertiser_id")
DROPS_UNUSABLE = True
_THROTTLED = frozenset({4, 17, 32, 613, *range(80000, 80015)})
_TEMPORARY = frozenset({1, 2})
_NEEDS_A_PERSON = frozenset({3, 10, 102, 190, 294, 368, 463, 467, *range(200, 300)})
_TIMEOUT = 90.0


class Connection(Strict):
    """References to the token of a system user with ads_management, and to the app's secret for its proof."""

    access_token: Annotated[str, AfterValidator(check_reference)]
    app_secret: Annotated[str, AfterValidator(check_reference)] | None = None
    host: str | None = None
    """Another address than Meta's own, for tests."""


class Options(EngineOptions):
    """Which audience."""

    audience_id: Annotated[str, Field(pattern=r"^\d{1,20}$")]


def custom_field(name: str) -> Kind | None:
    """Meta has no fields of one's own."""
    return None


def connect(context: Context) -> Channel:
    """The channel. Raises SecretError when nothing stands behind a reference."""
    return FacebookAudienceChannel(context)


class FacebookAudienceChannel:
    """One Custom Audience."""

    pending = 1

    def __init__(self, context: Context) -> None:
        """The secrets are looked up now; nothing is called yet."""
        from facebook_business.adobjects.customaudience import CustomAudience  # type: ignore[import-untyped]
        from facebook_business.api import FacebookAdsApi  # type: ignore[import-untyped]
        from facebook_business.session import FacebookSession  # type: ignore[import-untyped]

        hide_queries()
        connection: Connection = context.definition.connection
        token = resolve(connection.access_token, context.settings).get_secret_value()
        proof = connection.app_secret and resolve(connection.app_secret, context.settings).get_secret_value()
        session = FacebookSession(app_secret=proof, access_token=token, timeout=_TIMEOUT)
        if connection.host is not None:
            session.GRAPH = connection.host
        self._audience = CustomAudience(
            fbid=context.definition.options.audience_id, api=FacebookAdsApi(session)
        )
        self._clock, self._name, self._key = context.clock, context.definition.name, context.definition.key
        self._fields = tuple(context.definition.mapping)
        adding = Limits(10_000)
        # Removals go in the address, whose length servers bound.
        self.limits = {"upsert": adding, "create": adding, "delete": Limits(100)}

    def prepare(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The hashes that will be sent; the plain values go no further."""
        return {field: hashing.digest(field, value) for field, value in values.items() if value is not None}

    def size(self, values: Mapping[str, Any]) -> int:
        """Bytes in the body."""
        return 70 * len(self._fields)

    def removal_key(self, values: Mapping[str, Any]) -> str | None:
        """The key as Meta has it: its unkeyed hash, or the id itself where Meta takes ids."""
        return str(values[self._key])

    def deliver(self, batch: Batch) -> Answer:
        """Add to or take out of the audience, in a session of its own that makes a repetition known."""
        removing = batch.operation == "delete"
        fields = (self._key,) if removing else self._fields
        users = [[row.values.get(field, "") for field in fields] for row in batch.rows]
        if removing:
            users = [[row.values.get(self._key) or row.removal_key or ""] for row in batch.rows]
        session = {
            "session_id": _session_id(batch.idempotency_key),
            "batch_seq": 1,
            "last_batch_flag": True,
            "estimated_num_total": len(users),
        }
        call = self._audience.remove_users if removing else self._audience.add_users
        schema = [hashing.FIELDS[field][0] for field in fields]
        response = self._call(lambda: call(schema, users, is_raw=True, pre_hashed=True, session=session))
        return self._answer(response.json(), len(users))

    def _answer(self, document: Any, sent: int) -> Answer:
        try:
            received, invalid = int(document["num_received"]), int(document["num_invalid_entries"])
        except (TypeError, KeyError, ValueError):
            raise UnavailableError("Meta answered without counts") from None
        reason = "Meta counts the entry as invalid"
        if received != sent:
            raise UnavailableError(f"Meta received {received} of {sent} entries")
        if invalid == sent:
            return Answer(tuple(Rejection(index, reason) for index in range(sent)))
        if invalid:
            # Meta takes the others and does not name the invalid: halves are sent until they stand alone.
            raise RefusedError(reason, taken=True)
        return Answer()

    def _call(self, action: Callable[[], Any]) -> Any:
        import requests
        from facebook_business.exceptions import FacebookRequestError  # type: ignore[import-untyped]

        try:
            response = action()
        except FacebookRequestError as error:
            raise self._understood(error) from None
        except requests.RequestException as error:
            raise UnavailableError(type(error).__name__) from None
        pause = breather(getattr(response, "headers", dict)())
        if pause:
            self._clock.sleep(pause)
        return response

    def _understood(self, error: Any) -> Exception:
        code, status = int(error.api_error_code() or 0), int(error.http_status() or 0)
        reason = f"code {code}, subcode {error.api_error_subcode() or 0}: " + without_values(
            str(error.api_error_message() or "")
        )
        if code in _THROTTLED or status == 429:
            return ThrottledError(reason, wait_of(error.http_headers() or {}, self._clock.now()))
        if status >= 500 or code in _TEMPORARY or error.api_transient_error():
            return UnavailableError(reason)
        if code in _NEEDS_A_PERSON or status in (401, 403, 404):
            return ChannelError(f"{self._name}: Meta answered {reason}")
        return RefusedError(reason)

    def collect(self, receipt: str, rows: int) -> Answer | None:
        """Meta answers at once that it received; matching takes it up to a day."""
        return Answer()

    def settle(self) -> None:
        """Meta takes an entry again as the same entry."""

    def _read(self) -> Mapping[str, Any]:
        from facebook_business.adobjects.customaudience import CustomAudience

        field = CustomAudience.Field
        wanted = [field.name, field.approximate_count_lower_bound, field.operation_status]
        return with_retries(
            lambda: dict(self._call(lambda: self._audience.api_get(fields=wanted))), self._clock, attempts=3
        )

    def matched(self) -> int | None:
        """Meta's lower bound of matched people; None while it does not tell (small audiences)."""
        count = int(self._read().get("approximate_count_lower_bound") or -1)
        return count if count >= 0 else None

    def probe(self) -> Probe:
        """Read the audience. Raises ChannelError for a wrong token or audience."""
        status = self._read().get("operation_status")
        described = json.dumps(dict(status)) if isinstance(status, Mapping) else ""
        return Probe(
            "facebook_audience", {"audience": str(self._read().get("name", "")), "status": described}
        )


def _session_id(idempotency_key: str) -> int:
    """A number of the whole key, so that the same rows in a later sync are a new session; 60 of Meta's 63 bits."""
    return int(hashlib.sha256(idempotency_key.encode()).hexdigest()[:15], 16)
