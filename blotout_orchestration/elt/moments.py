"""Moments and days as sources write them, brought to one form, so that cursors can be compared.

Belongs here: pure functions on single values.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")


def moment(value: Any) -> Any:
    """An ISO 8601 text as a date or a moment in UTC; anything else as it is.

    Cursors are compared as moments: as texts `09:00+02:00` would stand after `08:00Z`.
    """
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return value
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        found = datetime.fromisoformat(value)
    except ValueError:
        return value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def is_day(value: Any) -> bool:
    """Whether a value is a date without a time."""
    return isinstance(value, date) and not isinstance(value, datetime)


def same_kind(value: Any, example: Any) -> Any:
    """A moment as a day when the example is a day; anything else as it is."""
    return value.date() if isinstance(value, datetime) and is_day(example) else value
