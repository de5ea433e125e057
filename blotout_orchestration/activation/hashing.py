"""Hashes by which the ledger knows rows, so that it holds no personal data.

Belongs here: how a key and a row's values become hashes. Does not belong here: the hashes that a destination
asks for (channels/facebook_hashing.py).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from blotout_orchestration.settings import Settings

_DIGITS = 32


@dataclass(frozen=True)
class Hasher:
    """HMAC-SHA-256, cut to 128 bits, keyed with ACTIVATION_HASH_KEY and the name of the deployment.

    Without ACTIVATION_HASH_KEY whoever knows the deployment's name can test a guessed address against a hash.
    """

    settings: Settings

    @cached_property
    def _secret(self) -> bytes:
        key = self.settings.activation_hash_key
        secret = key.get_secret_value() if key else ""
        return f"{self.settings.namespace}\0{secret}".encode()

    def key(self, text: str) -> str:
        """Hash of a key as the channel prepared it."""
        return self._digest(b"key\0" + text.encode())

    def payload(self, key_hash: str, encoded: str) -> str:
        """Hash of a row's encoded values; of two people with equal values it differs."""
        return self._digest(f"payload\0{key_hash}\0{encoded}".encode())

    def _digest(self, data: bytes) -> str:
        return hmac.new(self._secret, data, hashlib.sha256).hexdigest()[:_DIGITS]


def encode(values: Mapping[str, Any]) -> str:
    """Prepared values as JSON, the same text for the same values."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def batch_key(channel: str, operation: str, rows: Sequence[tuple[str, str | None]]) -> str:
    """Idempotency key of a batch: the same for the same rows (key hash, payload hash) and operation."""
    digest = hashlib.sha256(f"{channel}\0{operation}".encode())
    for key_hash, payload_hash in rows:
        digest.update(f"\0{key_hash}{payload_hash or ''}".encode())
    return digest.hexdigest()[:_DIGITS]
