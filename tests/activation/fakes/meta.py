"""Meta's Graph API as far as the channel uses it: one Custom Audience that takes and loses hashes.

It keeps what it is sent, finds what is not a hash, knows sessions it has seen, and throttles as Meta does:
HTTP 400 with a code, and a usage header. Entries whose e-mail hash is in `invalid` are counted, not named.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qs

from tests.activation.fakes.server import FakeServer, Request, Response

TOKEN = "EAAtoken"
_HASH = re.compile(r"[0-9a-f]{64}")
_UNHASHED = {"EXTERN_ID", "MADID"}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class FakeMeta(FakeServer):
    """One audience, number 42, as rows of schema and values by the hash of the e-mail."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, str]] = {}
        self.invalid: set[str] = set()
        self.sessions: set[int] = set()
        self.repeated = 0
        self.usage = 1
        self.throttle_code, self.regain_minutes = 80003, 2
        super().__init__()

    def has(self, *emails: str) -> bool:
        return set(self.people) == {sha256(email) for email in emails}

    def throttled(self) -> Response:
        return self._error(400, self.throttle_code, "There have been too many calls", self._usage(100))

    def failed(self) -> Response:
        return self._error(500, 2, "Service temporarily unavailable", {})

    def _usage(self, share: int) -> dict[str, str]:
        wait = self.regain_minutes if share >= 100 else 0
        entry = {"type": "custom_audience", "call_count": share, "estimated_time_to_regain_access": wait}
        return {"X-Business-Use-Case-Usage": json.dumps({"1234567890": [entry]})}

    @staticmethod
    def _error(status: int, code: int, message: str, headers: dict[str, str]) -> Response:
        return Response(
            status, {"error": {"message": message, "code": code, "type": "OAuthException"}}, headers
        )

    def answer(self, request: Request) -> Response:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        given = {**form, **request.query}
        if given.get("access_token") != TOKEN:
            return self._error(400, 190, "Invalid OAuth access token", {})
        if not re.fullmatch(r"/v\d+\.\d+/42(/users|/)?", request.path):
            return self._error(404, 803, "Unknown object", {})
        if request.method == "GET":
            count = len(self.people)
            status = {"code": 200, "description": "Normal"}
            facts = {
                "id": "42",
                "name": "VIP",
                "approximate_count_lower_bound": count,
                "operation_status": status,
            }
            return Response(200, facts, self._usage(self.usage))
        return self._users(request.method, json.loads(given["payload"]), json.loads(given["session"]))

    def _users(self, method: str, payload: Any, session: Any) -> Response:
        schema, data = payload["schema"], payload["data"]
        if len(data) > 10_000:
            return self._error(400, 100, "Too many users", {})
        if (
            not 0 < session["session_id"] < 2**63
            or session["batch_seq"] != 1
            or not session["last_batch_flag"]
        ):
            self.problems.append(f"session {session}")
        self.repeated += session["session_id"] in self.sessions
        self.sessions.add(session["session_id"])
        invalid = 0
        for entry in data:
            row = dict(zip(schema, entry, strict=True))
            self.problems += [
                f"{name} is no hash"
                for name, value in row.items()
                if name not in _UNHASHED and value and not _HASH.fullmatch(value)
            ]
            if row["EMAIL"] in self.invalid:
                invalid += 1
            elif method == "DELETE":
                self.people.pop(row["EMAIL"], None)
            else:
                self.people[row["EMAIL"]] = row
        counts = {"num_received": len(data), "num_invalid_entries": invalid}
        return Response(200, {"audience_id": "42", "session_id": "1", **counts}, self._usage(self.usage))
