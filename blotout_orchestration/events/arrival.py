"""When a request arrived, and which hours of arrival are processed.

Belongs here: the time that a line names, and the bounds of times that can be meant. Does not belong here:
reading or writing of files (landing.py), which hours are pending (processing.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from blotout_orchestration.settings import Settings

FAR_BACK = timedelta(days=3653)
"""Ten years: older hours of arrival wait for EVENTS_START_HOUR, so that one odd time makes no endless partitions."""
FAR_AHEAD = timedelta(days=1)
"""A time of arrival further ahead is taken for a broken clock."""
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No click stream is older: a time of arrival before it is taken for a broken clock."""

_RECEIVED_AT = re.compile(rb'\s*\{\s*"received_at"\s*:\s*"([^"\\]{1,64})"')


def first_hour(settings: Settings, now: datetime | None = None) -> datetime:
    """The first hour of arrival that may be processed, UTC: EVENTS_START_HOUR, else ten years before now."""
    if settings.events_start_hour:
        start = datetime.fromisoformat(settings.events_start_hour)
        return (start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC)
    return hour_of((now or datetime.now(UTC)) - FAR_BACK)


def is_believable(moment: datetime, now: datetime) -> bool:
    """Whether a line can have arrived then."""
    return _OLDEST <= moment <= now + FAR_AHEAD


def left_out(settings: Settings, hours: Iterable[datetime], now: datetime | None = None) -> list[str]:
    """What is to be said of landed hours that are no partitions: too old, or still to come. Empty without any."""
    now = now or datetime.now(UTC)
    first, found = first_hour(settings, now), sorted(hours)
    early = [hour for hour in found if hour < first]
    ahead = [hour for hour in found if hour > now]
    said = []
    if early:
        said.append(
            f"hours of arrival before {hour_text(first)} that are not processed: {len(early)}, the first"
            f" {hour_text(early[0])}; EVENTS_START_HOUR tells where to begin"
        )
    if ahead:
        said.append(
            f"hours of arrival in the future: {len(ahead)}, the last {hour_text(ahead[-1])}; they are processed when"
            " they come"
        )
    return said


def hour_text(hour: datetime) -> str:
    """`2026-03-05T17`, the way in which hours are given on the command line."""
    return f"{hour.year:04}-{hour:%m-%dT%H}"


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
