"""A receiver as docs/activation.md describes it: checks the signature, applies each idempotency key once."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from tests.activation.fakes.server import FakeServer, Request, Response

SECRET = "shared-secret"


class FakeReceiver(FakeServer):
    """Keeps the rows by key hash, and the log of everything it applied."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.applied: dict[str, Any] = {}
        self.log: list[tuple[str, str, dict[str, Any]]] = []
        self.rejecting: set[str] = set()
        self.refusing: set[str] = set()
        super().__init__()

    def emails(self) -> set[str]:
        return {row["email"] for row in self.rows.values()}

    def failed(self) -> Response:
        return Response(503)

    def answer(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        parts = dict(part.split("=") for part in headers["blotout-signature"].split(","))
        expected = hmac.new(SECRET.encode(), f"{parts['t']}.".encode() + request.body, hashlib.sha256)
        if not hmac.compare_digest(expected.hexdigest(), parts["v1"]):
            return Response(401)
        key, document = headers["idempotency-key"], request.document
        if key in self.applied:
            return self.applied[key]  # type: ignore[no-any-return]
        emails = {row["values"].get("email") for row in document["rows"]}
        if emails & self.refusing:
            return Response(422, {"message": f"cannot take {sorted(map(str, emails))}"})
        rejected = []
        for index, row in enumerate(document["rows"]):
            if row["values"].get("email") in self.rejecting:
                rejected.append({"index": index, "reason": f"unwanted: {row['values']['email']}"})
                continue
            self.log.append((document["operation"], row["key_hash"], row["values"]))
            if document["operation"] == "delete":
                self.rows.pop(row["key_hash"], None)
            else:
                self.rows[row["key_hash"]] = row["values"]
        self.applied[key] = Response(200, {"rejected": rejected})
        return self.applied[key]  # type: ignore[no-any-return]
