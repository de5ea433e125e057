"""What HTTP says when it says no: Retry-After, and which status means what.

Belongs here: reading of headers that several channels share. Does not belong here: any channel's own errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRYABLE = frozenset({408, 425, 500, 502, 503, 504, 520, 522, 524})
"""Statuses after which the batch may or may not have been taken."""


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the header Retry-After asks for, as a number or as a date; None when it does not."""
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    if given is None:
        return None
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(given)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
