"""Meta's usage headers: how long to wait once throttled, and when to slow down before that.

Belongs here: reading X-Business-Use-Case-Usage, X-App-Usage and X-Ad-Account-Usage. Does not belong here: waiting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from blotout_orchestration.activation.channels.http_answers import retry_after

_HEADERS = ("x-business-use-case-usage", "x-app-usage", "x-ad-account-usage")
_SHARES = ("call_count", "total_cputime", "total_time", "acc_id_util_pct")
_SLOW_FROM = 90.0
_BREATHER = 30.0


def wait_of(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until access is regained, the longest that any header tells; None when none does."""
    waits = [60.0 * float(usage.get("estimated_time_to_regain_access") or 0) for usage in _usages(headers)]
    waits += [float(usage.get("reset_time_duration") or 0) for usage in _usages(headers)]
    longest = max(waits, default=0.0)
    return longest if longest > 0 else retry_after(headers, now)


def breather(headers: Mapping[str, str]) -> float:
    """Seconds to wait before the next call: some when a usage has come near its limit."""
    shares = [float(usage.get(share) or 0) for usage in _usages(headers) for share in _SHARES]
    return _BREATHER if max(shares, default=0.0) >= _SLOW_FROM else 0.0


def _usages(headers: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    for name, value in headers.items():
        if name.lower() not in _HEADERS:
            continue
        try:
            document = json.loads(value)
        except (TypeError, ValueError):
            continue
        yield from _objects(document)


def _objects(document: Any) -> Iterator[Mapping[str, Any]]:
    """Every flat object in a header: the business one nests lists by business id."""
    if isinstance(document, list):
        for entry in document:
            yield from _objects(entry)
    elif isinstance(document, dict):
        nested = [entry for entry in document.values() if isinstance(entry, dict | list)]
        if nested:
            for entry in nested:
                yield from _objects(entry)
        else:
            yield document
