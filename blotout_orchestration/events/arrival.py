"""When a request arrived, and which hours of arrival are processed.

Belongs here: the time that a line names, and the bounds of times that can be meant. Does not belong here:
reading or writing of files (landing.py), which hours are pending (processing.py).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

from blotout_orchestration.settings import Settings

FAR_BACK = timedelta(days=3653)
"""Ten years: an older time of arrival is taken for a broken clock, unless EVENTS_START_HOUR lies before it."""
FAR_AHEAD = timedelta(days=1)
"""A time of arrival further ahead is taken for a broken clock."""

_RECEIVED_AT = re.compile(rb'\s*\{\s*"received_at"\s*:\s*"([^"\\]{1,64})"')


def first_hour(settings: Settings, now: datetime | None = None) -> datetime:
    """The first hour of arrival that may be processed, UTC: EVENTS_START_HOUR, else ten years before now."""
    if settings.events_start_hour:
        start = datetime.fromisoformat(settings.events_start_hour)
        return (start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC)
    return hour_of((now or datetime.now(UTC)) - FAR_BACK)


def believable(settings: Settings, now: datetime | None = None) -> tuple[datetime, datetime]:
    """The oldest and the newest time of arrival that a line is believed, UTC."""
    now = now or datetime.now(UTC)
    return min(first_hour(settings, now), hour_of(now - FAR_BACK)), now + FAR_AHEAD


def hour_of(moment: datetime) -> datetime:
    """The hour, UTC, in which a moment lies."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def time_of_line(line: bytes) -> datetime | None:
    """The `received_at` of a request, UTC; None when the line has none, or is no JSON object.

    Raises ValueError for a `received_at` that is not a date and time.
    """
    match = _RECEIVED_AT.match(line)
    if match:
        text = match.group(1).decode("ascii", "replace")
    else:
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            return None
        text = document.get("received_at") if isinstance(document, dict) else None
        if text is None:
            return None
        if not isinstance(text, str):
            raise ValueError("received_at is not a text")
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("received_at is outside the calendar") from error
