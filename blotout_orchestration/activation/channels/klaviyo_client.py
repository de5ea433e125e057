"""Calls of Klaviyo's SDK that the channel makes, within Klaviyo's rate limits, with errors told apart.

Belongs here: one function a call. Does not belong here: what the calls are made for (klaviyo.py). The SDK's
own retries are switched off: it sleeps on the machine's clock and repeats a batch that may have been taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from blotout_orchestration.activation.channel import (
    ChannelError,
    RefusedError,
    Rejection,
    ThrottledError,
    UnavailableError,
)
from blotout_orchestration.activation.channels.http_answers import RETRYABLE, retry_after
from blotout_orchestration.activation.clock import Clock
from blotout_orchestration.activation.log_filter import hide_queries
from blotout_orchestration.activation.throttle import RateLimit
from blotout_orchestration.activation.values import without_values

PAGE = 100
_TIMEOUT = (10.0, 90.0)
_SMALL = ((10, 1.0), (150, 60.0))
"""Bulk import jobs, list membership: burst 10 a second, steady 150 a minute (OpenAPI of Klaviyo)."""
_LARGE = ((75, 1.0), (700, 60.0))
"""Reading profiles and lists: 75 a second, 750 a minute; a little is left to others."""
_COUNTED = ((1, 1.0), (15, 60.0))
_POINTER = re.compile(r"/data/attributes/profiles/data/(\d+)(?:/|$)")
_LIST_POINTER = re.compile(r"/data/(\d+)(?:/|$)")


@dataclass(frozen=True)
class ImportJob:
    """A bulk import job as Klaviyo tells it."""

    status: str
    failed: int


class KlaviyoClient:
    """Klaviyo through its SDK. Every call is made once; ThrottledError, UnavailableError, RefusedError or ChannelError."""

    def __init__(self, api_key: str, clock: Clock, name: str, host: str | None = None) -> None:
        """`name` is the channel's, for messages; `host` is another address than Klaviyo's own."""
        from klaviyo_api import KlaviyoAPI  # type: ignore[import-untyped]

        hide_queries()
        self._name, self._clock = name, clock
        api = KlaviyoAPI(
            api_key,
            max_retries=0,
            test_host=host or "",
            options={"USE_DICTIONARY_FOR_RESPONSE_DATA": True},
        )
        api.api_client.rest_client.pool_manager.connection_pool_kw["retries"] = False
        # The SDK wraps some hundred functions each time a group is asked for.
        self._profiles, self._lists = api.Profiles, api.Lists
        self._limits: dict[str, RateLimit] = {}

    def import_profiles(self, profiles: Sequence[Mapping[str, Any]], list_id: str | None) -> str:
        """Start a bulk import job, which also adds to the list; returns its id."""
        data: dict[str, Any] = {
            "type": "profile-bulk-import-job",
            "attributes": {"profiles": {"data": list(profiles)}},
        }
        if list_id is not None:
            data["relationships"] = {"lists": {"data": [{"type": "list", "id": list_id}]}}
        answer = self._call("import", _SMALL, self._profiles.bulk_import_profiles, {"data": data})
        return str(answer["data"]["id"])

    def import_job(self, job_id: str) -> ImportJob:
        """State of a job."""
        answer = self._call("job", _SMALL, self._profiles.get_bulk_import_profiles_job, job_id)
        attributes = answer["data"]["attributes"]
        return ImportJob(str(attributes["status"]), int(attributes.get("failed_count") or 0))

    def import_errors(self, job_id: str) -> Iterator[tuple[int | None, str]]:
        """Errors of a job: place of the profile in the request when it is told, and why."""
        for entry in self._pages(
            "errors", _SMALL, self._profiles.get_errors_for_bulk_import_profiles_job, job_id
        ):
            attributes = entry["attributes"]
            found = _POINTER.search(str((attributes.get("source") or {}).get("pointer") or ""))
            yield (int(found[1]) if found else None, _reason(attributes))

    def jobs_at_work(self) -> bool:
        """Whether any bulk import job of the account is queued or processing."""
        condition = 'any(status,["queued","processing"])'
        call = self._profiles.get_bulk_import_profiles_jobs
        return bool(self._call("jobs", _SMALL, call, filter=condition).get("data"))

    def list_members(self, list_id: str, field: str) -> Iterator[tuple[str, str]]:
        """Profile id and key of everybody in a list who has that key."""
        call = self._lists.get_profiles_for_list
        for entry in self._pages("members", _LARGE, call, list_id, fields_profile=[field]):
            value = entry["attributes"].get(field)
            if value:
                yield str(entry["id"]), str(value)

    def known_profiles(self, field: str, keys: Sequence[str]) -> dict[str, str]:
        """Profile ids by key, of those keys that Klaviyo has; at most PAGE keys."""
        condition = f"any({field},{json.dumps(list(keys), ensure_ascii=False)})"
        found = self._pages(
            "profiles", _LARGE, self._profiles.get_profiles, filter=condition, fields_profile=[field]
        )
        return {str(entry["attributes"][field]): str(entry["id"]) for entry in found}

    def remove_from_list(self, list_id: str, profile_ids: Sequence[str]) -> None:
        """Take profiles out of a list; consent and subscriptions stay as they are."""
        document = {"data": [{"type": "profile", "id": one} for one in profile_ids]}
        self._call("remove", _SMALL, self._lists.remove_profiles_from_list, list_id, document)

    def list_size(self, list_id: str) -> int:
        """Profiles in the list."""
        call = self._lists.get_list
        answer = self._call("list size", _COUNTED, call, list_id, additional_fields_list=["profile_count"])
        return int(answer["data"]["attributes"].get("profile_count") or 0)

    def list_name(self, list_id: str) -> str:
        """Name of the list."""
        answer = self._call("list", _LARGE, self._lists.get_list, list_id)
        return str(answer["data"]["attributes"].get("name") or "")

    def _pages(
        self,
        label: str,
        limit: tuple[tuple[int, float], ...],
        call: Callable[..., Any],
        *given: Any,
        **named: Any,
    ) -> Iterator[dict[str, Any]]:
        from blotout_orchestration.activation.retrying import with_retries

        cursor: str | None = None
        while True:
            where = {} if cursor is None else {"page_cursor": cursor}
            # A page is tried again by itself: a whole list is not read anew for one lost answer.
            answer = with_retries(
                lambda where=where: self._call(label, limit, call, *given, page_size=PAGE, **named, **where),  # type: ignore[misc]
                self._clock,
            )
            yield from answer.get("data") or []
            cursor = _cursor((answer.get("links") or {}).get("next"))
            if not cursor:
                return

    def _call(
        self,
        label: str,
        limit: tuple[tuple[int, float], ...],
        call: Callable[..., Any],
        *given: Any,
        **named: Any,
    ) -> dict[str, Any]:
        from openapi_client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        self._limits.setdefault(label, RateLimit(self._clock, limit)).wait()
        try:
            answer = call(*given, **named, _request_timeout=_TIMEOUT)
        except ApiException as error:
            raise self._understood(label, error) from None
        except HTTPError as error:
            raise UnavailableError(f"{label}: {type(error).__name__}") from None
        return answer if isinstance(answer, dict) else {}

    def _understood(self, label: str, error: Any) -> Exception:
        status = int(error.status or 0)
        wait = retry_after(error.headers or {}, self._clock.now())
        if status == 429:
            return ThrottledError(f"{label}: status 429", wait)
        if status == 0 or status in RETRYABLE:
            reason = f"{label}: status {status}"
            return UnavailableError(reason) if wait is None else ThrottledError(reason, wait)
        errors = _errors(error.body)
        reason = "; ".join(dict.fromkeys(_reason(one) for one in errors)) or f"status {status}"
        if status in (400, 409, 413, 422):
            return RefusedError(reason, _named_rows(errors))
        return ChannelError(f"{self._name}: Klaviyo answered {status} to {label}: {reason}")


def _cursor(link: str | None) -> str | None:
    """The cursor in the address of the next page; None on the last page."""
    return next(iter(parse_qs(urlsplit(link or "").query).get("page[cursor]", [])), None)


def _errors(body: Any) -> list[dict[str, Any]]:
    try:
        found = json.loads(body or "{}").get("errors") or []
    except (ValueError, AttributeError):
        return []
    return [one for one in found if isinstance(one, dict)]


def _reason(error: Mapping[str, Any]) -> str:
    """Code and detail of an error without what it may quote of the row."""
    return without_values(f"{error.get('code', '')}: {error.get('detail') or error.get('title') or ''}")


def _named_rows(errors: Sequence[Mapping[str, Any]]) -> tuple[Rejection, ...]:
    rows: dict[int, str] = {}
    for error in errors:
        pointer = str((error.get("source") or {}).get("pointer") or "")
        found = _POINTER.search(pointer) or _LIST_POINTER.match(pointer)
        if not found:
            return ()
        rows.setdefault(int(found[1]), _reason(error))
    return tuple(Rejection(index, reason) for index, reason in sorted(rows.items()))
