"""Klaviyo as far as the channel uses it: profiles, lists, import jobs that take time, and rate limits.

It keeps what it is sent, so that a test can ask who is in a list. Every request and every answer is held
against Klaviyo's OpenAPI description. Profiles at `@rejected.example` fail alone, in the job; a profile at
`@refused.example` has the whole request refused.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.activation.fakes.openapi import Contract
from tests.activation.fakes.server import FakeServer, Request, Response

_CREATED = "2026-03-05T12:00:00+00:00"
_SMALL, _LARGE, _COUNTED = ((10, 1), (150, 60)), ((75, 1), (750, 60)), ((1, 1), (15, 60))


@dataclass
class Job:
    """A bulk import job; done once it was asked about so often, or once so much time has gone by."""

    profiles: list[dict[str, Any]]
    lists: list[str]
    polls: int
    ready_at: float
    done: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)


class FakeKlaviyo(FakeServer):
    """One account with one list, `LIST1`."""

    content_type = "application/vnd.api+json"

    def __init__(self, contract: Contract, now: Callable[[], float] | None = None) -> None:
        self.contract = contract
        self.now = now or (lambda: 0.0)
        self.limited = now is not None
        self.profiles: dict[str, dict[str, Any]] = {}
        self.by_email: dict[str, str] = {}
        self.lists: dict[str, dict[str, None]] = {"LIST1": {}}
        self.jobs: list[Job] = []
        self.polls_needed, self.job_seconds = 1, 0.0
        self.names_rows = True
        self.imported = 0
        self.validated_profiles = 10_000
        self._calls: dict[tuple[str, int], deque[float]] = {}
        super().__init__()

    def members(self, list_id: str = "LIST1") -> set[str]:
        """E-mails of the people in a list, jobs at work included."""
        for job in self.jobs:
            self._finish(job)
        return {self.profiles[one]["email"] for one in self.lists[list_id]}

    def answer(self, request: Request) -> Response:
        document = request.document
        for problem in self.contract.request_problems(
            request.method, request.path, request.query, request.headers, self._shortened(document)
        ):
            self.problems.append(f"request {request.method} {request.path}: {problem}")
        if request.headers.get("Authorization") != "Klaviyo-API-Key pk_test":
            response = _error(401, "not_authenticated", "Missing or invalid private key.")
        else:
            response = self._limited(request) or self._route(request, document)
        for problem in self.contract.response_problems(
            request.method, request.path, response.status, response.document
        ):
            self.problems.append(f"answer to {request.method} {request.path}: {problem}")
        return response

    def _shortened(self, document: Any) -> Any:
        """Large imports are validated in part: the validator takes a millisecond a profile."""
        if (
            not isinstance(document, dict)
            or document.get("data") is None
            or isinstance(document["data"], list)
        ):
            return document
        data = document["data"]
        profiles = data["attributes"]["profiles"]["data"][: self.validated_profiles]
        return {"data": data | {"attributes": {"profiles": {"data": profiles}}}}

    def throttled(self) -> Response:
        return Response(429, _error(429, "throttled", "Slow down.").document, {"Retry-After": "3"})

    def failed(self) -> Response:
        return _error(500, "error", "Something went wrong.")

    def _limited(self, request: Request) -> Response | None:
        """429 when the caller is faster than Klaviyo says it may be, by the simulated clock."""
        if not self.limited:
            return None
        windows = _SMALL if "bulk-import" in request.path or request.method == "DELETE" else _LARGE
        windows = _COUNTED if "additional-fields[list]" in request.query else windows
        kind = re.sub(r"/job\d+", "", f"{request.method} {request.path} {windows}")
        now = self.now()
        for calls, seconds in windows:
            made = self._calls.setdefault((kind, seconds), deque())
            while made and made[0] <= now - seconds + 1e-6:  # clocks round
                made.popleft()
            if len(made) >= calls:
                return self.throttled()
        for _, seconds in windows:
            self._calls[kind, seconds].append(now)
        return None

    def _route(self, request: Request, document: Any) -> Response:
        path, method = request.path, request.method
        for job in self.jobs:
            if self.job_seconds and job.ready_at <= self.now():
                self._finish(job)
        if path == "/api/profile-bulk-import-jobs":
            return self._import(document) if method == "POST" else self._at_work()
        if found := re.fullmatch(r"/api/profile-bulk-import-jobs/job(\d+)(/import-errors)?", path):
            return self._job(int(found[1]), errors=bool(found[2]), request=request)
        if path == "/api/profiles":
            return self._known(request)
        if found := re.fullmatch(r"/api/lists/(\w+)(/profiles|/relationships/profiles)?", path):
            if found[1] not in self.lists:
                return _error(404, "not_found", f"A list with id {found[1]} does not exist.")
            if found[2] is None:
                return self._list(found[1], request)
            if method == "DELETE":
                return self._remove(found[1], document)
            return self._page([*self.lists[found[1]]], request, f"/api/lists/{found[1]}/profiles")
        return _error(404, "not_found", "Unknown.")

    def _import(self, document: Any) -> Response:
        profiles = document["data"]["attributes"]["profiles"]["data"]
        if len(profiles) > 10_000 or len(json.dumps(document)) > 5_000_000:
            return _error(413, "too_large", "At most 10,000 profiles and 5 MB.")
        for index, profile in enumerate(profiles):
            email = profile["attributes"].get("email", "")
            if email.endswith("@refused.example"):
                pointer = (
                    f"/data/attributes/profiles/data/{index}/attributes/email" if self.names_rows else "/data"
                )
                return _error(400, "invalid", f"'{email}' is not a valid email.", pointer)
        lists = [
            one["id"] for one in document["data"].get("relationships", {}).get("lists", {}).get("data", [])
        ]
        ready = self.now() + self.job_seconds
        self.jobs.append(Job(profiles, lists, self.polls_needed, ready))
        self.imported += len(profiles)
        return Response(202, {"data": self._job_document(len(self.jobs) - 1)})

    def _finish(self, job: Job) -> None:
        if job.done:
            return
        for index, profile in enumerate(job.profiles):
            attributes = profile["attributes"]
            email = attributes["email"]
            if email.endswith("@rejected.example"):
                job.errors.append(_import_error(index, email))
                continue
            profile_id = self.by_email.setdefault(email, f"P{len(self.by_email):08d}")
            self.profiles.setdefault(profile_id, {}).update(attributes)
            for one in job.lists:
                self.lists[one][profile_id] = None
        job.done, job.profiles = True, [{}] * len(job.profiles)

    def _job_document(self, number: int) -> dict[str, Any]:
        job = self.jobs[number]
        return {
            "type": "profile-bulk-import-job",
            "id": f"job{number}",
            "attributes": {
                "status": "complete" if job.done else "processing",
                "created_at": _CREATED,
                "total_count": len(job.profiles),
                "completed_count": len(job.profiles) - len(job.errors) if job.done else 0,
                "failed_count": len(job.errors),
            },
            "links": {"self": f"{self.url}/api/profile-bulk-import-jobs/job{number}"},
        }

    def _job(self, number: int, *, errors: bool, request: Request) -> Response:
        job = self.jobs[number]
        if errors:
            start = int(request.query.get("page[cursor]", 0))
            size = int(request.query.get("page[size]", 20))
            path = f"/api/profile-bulk-import-jobs/job{number}/import-errors"
            links = self._links(path, start, size, len(job.errors))
            return Response(200, {"data": job.errors[start : start + size], "links": links})
        job.polls -= 1
        if not self.job_seconds and job.polls < 0:
            self._finish(job)
        return Response(200, {"data": self._job_document(number)})

    def _at_work(self) -> Response:
        for job in self.jobs:
            job.polls -= 1
            if not self.job_seconds and job.polls < 0:
                self._finish(job)
        data = [self._job_document(number) for number, job in enumerate(self.jobs) if not job.done]
        return Response(200, {"data": data, "links": self._links("/api/profile-bulk-import-jobs", 0, 100, 0)})

    def _known(self, request: Request) -> Response:
        condition = re.fullmatch(r"any\(email,(\[.*\])\)", request.query["filter"])
        assert condition is not None
        found = [self.by_email[one] for one in json.loads(condition[1]) if one in self.by_email]
        return self._page(found, request, "/api/profiles")

    def _page(self, ids: list[str], request: Request, path: str) -> Response:
        start, size = int(request.query.get("page[cursor]", 0)), int(request.query.get("page[size]", 20))
        data = [
            {
                "type": "profile",
                "id": one,
                "attributes": {"email": self.profiles[one]["email"], "joined_group_at": _CREATED},
                "links": {"self": f"{self.url}/api/profiles/{one}"},
            }
            for one in ids[start : start + size]
        ]
        return Response(200, {"data": data, "links": self._links(path, start, size, len(ids))})

    def _links(self, path: str, start: int, size: int, total: int) -> dict[str, Any]:
        more = start + size < total
        after = f"{self.url}{path}?page%5Bsize%5D={size}&page%5Bcursor%5D={start + size}"
        return {"self": f"{self.url}{path}", **({"next": after} if more else {})}

    def _list(self, list_id: str, request: Request) -> Response:
        attributes: dict[str, Any] = {"name": "VIP"}
        if request.query.get("additional-fields[list]") == "profile_count":
            attributes["profile_count"] = len(self.lists[list_id])
        links = {"self": f"{self.url}/api/lists/{list_id}"}
        return Response(
            200, {"data": {"type": "list", "id": list_id, "attributes": attributes, "links": links}}
        )

    def _remove(self, list_id: str, document: Any) -> Response:
        if len(document["data"]) > 1_000:
            return _error(400, "invalid", "At most 1,000 profiles.", "/data")
        for one in document["data"]:
            self.lists[list_id].pop(one["id"], None)
        return Response(204)


def _error(status: int, code: str, detail: str, pointer: str = "/data") -> Response:
    entry = {"id": "e1", "status": status, "code": code, "title": code, "detail": detail}
    return Response(status, {"errors": [entry | {"source": {"pointer": pointer}}]})


def _import_error(index: int, email: str) -> dict[str, Any]:
    return {
        "type": "import-error",
        "id": f"error{index}",
        "attributes": {
            "code": "invalid",
            "title": "Invalid input",
            "detail": f"{email} is not a valid email.",
            "source": {"pointer": f"/data/attributes/profiles/data/{index}/attributes/email"},
            "original_payload": {"email": email},
        },
        "links": {"self": "http://127.0.0.1/"},
    }
