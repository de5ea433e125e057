"""`webhook`: batches as signed JSON to an address of yours.

Belongs here: body, signature, and how answers are understood; docs/activation.md tells receivers the same.
Who left the audience is named by `key_hash` only, which every row carries.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, Field

from blotout_orchestration.activation import values as kinds
from blotout_orchestration.activation.channel import (
    Answer,
    Batch,
    ChannelError,
    Context,
    Limits,
    Probe,
    RefusedError,
    Rejection,
    ThrottledError,
    UnavailableError,
)
from blotout_orchestration.activation.channels.http_answers import RETRYABLE, retry_after
from blotout_orchestration.activation.log_filter import hide_queries
from blotout_orchestration.activation.options import EngineOptions
from blotout_orchestration.platform.registry.fields import Strict
from blotout_orchestration.platform.secrets import check_reference, resolve

MODES = ("upsert", "update", "create", "mirror", "append", "delete")
FIELDS: Mapping[str, kinds.Kind] = {"email": kinds.email, "phone": kinds.phone}
KEYS: tuple[str, ...] = ()
DROPS_UNUSABLE = False
_REFUSING = frozenset({400, 413, 422})
_OVERHEAD = 512


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not local):
        raise ValueError("expected an https address (http only on this machine)")
    if parts.query or parts.username:
        raise ValueError("expected an address without a query and without a user; the signature proves us")
    return value


class Connection(Strict):
    """Where the batches go, and the reference to the key they are signed with."""

    url: Annotated[str, AfterValidator(_check_url)]
    signing_key: Annotated[str, AfterValidator(check_reference)]
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0


class Options(EngineOptions):
    """How large a call may be."""

    rows: Annotated[int, Field(ge=1, le=10_000)] = 500
    bytes: Annotated[int, Field(ge=4096, le=50 << 20)] = 1 << 20


def custom_field(name: str) -> kinds.Kind | None:
    """Any field."""
    return kinds.plain


def connect(context: Context) -> WebhookChannel:
    """The channel. Raises SecretError when nothing stands behind the reference."""
    return WebhookChannel(context)


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA-256 over the seconds, a full stop and the body as sent."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class WebhookChannel:
    """One address."""

    pending = 1

    def __init__(self, context: Context) -> None:
        """The secret is looked up now and kept as long as the sync runs."""
        self._definition = context.definition
        self._clock = context.clock
        connection: Connection = context.definition.connection
        self._secret = resolve(connection.signing_key, context.settings)
        self._url = connection.url
        hide_queries()
        self._client = httpx.Client(timeout=connection.timeout_seconds, follow_redirects=False)
        options: Options = context.definition.options
        limits = Limits(options.rows, options.bytes - _OVERHEAD, options.bytes - _OVERHEAD)
        self.limits = dict.fromkeys(("upsert", "update", "create", "append", "delete"), limits)

    def prepare(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as they are."""
        return dict(values)

    def size(self, values: Mapping[str, Any]) -> int:
        """Bytes in the body."""
        return len(json.dumps(values, ensure_ascii=False).encode()) + 80

    def removal_key(self, values: Mapping[str, Any]) -> str | None:
        """The receiver knows the ledger's own hash."""
        return None

    def deliver(self, batch: Batch) -> Answer:
        """Send a batch once. A 2xx may name rejected rows: `{"rejected": [{"index": 3, "reason": "..."}]}`."""
        rows = [{"key_hash": row.key_hash, "values": dict(row.values)} for row in batch.rows]
        answer = self._post(
            {
                "channel": self._definition.name,
                "operation": batch.operation,
                "key": self._definition.key,
                "rows": rows,
            },
            batch.idempotency_key,
        )
        return Answer(_rejections(answer, len(rows)))

    def _post(self, document: Mapping[str, Any], idempotency_key: str) -> httpx.Response:
        body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        now = self._clock.now()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key,
            "Blotout-Signature": sign(self._secret.get_secret_value(), int(now.timestamp()), body),
        }
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise UnavailableError(type(error).__name__) from None
        status = answer.status_code
        if status in (409, 429):
            raise ThrottledError(f"status {status}", retry_after(answer.headers, now))
        if status in RETRYABLE:
            wait = retry_after(answer.headers, now)
            if wait is not None:
                raise ThrottledError(f"status {status}", wait)
            raise UnavailableError(f"status {status}")
        if status in _REFUSING:
            raise RefusedError(f"status {status}", _rejections(answer, len(document["rows"])))
        if not answer.is_success:
            raise ChannelError(f"{self._definition.name}: the receiver answered {status} to a signed batch")
        return answer

    def collect(self, receipt: str, rows: int) -> Answer | None:
        """A webhook answers at once."""
        return Answer()

    def settle(self) -> None:
        """A batch that is sent again carries the key of the first time; the receiver settles it."""

    def matched(self) -> int | None:
        """A webhook does not tell."""
        return None

    def probe(self) -> Probe:
        """Send an empty, signed batch: the receiver proves that it takes our signature."""
        document = {
            "channel": self._definition.name,
            "operation": "probe",
            "key": self._definition.key,
            "rows": [],
        }
        answer = self._post(document, "probe")
        return Probe("webhook", {"status": str(answer.status_code)})


def _rejections(answer: httpx.Response, rows: int) -> tuple[Rejection, ...]:
    """Rows that the receiver names; an answer that names none, or is no JSON, rejects none."""
    try:
        named = answer.json().get("rejected", [])
        found = {int(one["index"]): str(one.get("reason", "rejected")) for one in named}
    except (ValueError, AttributeError, TypeError, KeyError):
        return ()
    return tuple(
        Rejection(index, kinds.without_values(reason))
        for index, reason in sorted(found.items())
        if 0 <= index < rows
    )
