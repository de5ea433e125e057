"""Reading a range of hours as people write it.

Belongs here: the text form only. Which hours a job has is the job's own knowledge.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from blotout_orchestration.errors import UsageError

_POINT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T -](\d{2})(?::00)?Z?)?", re.ASCII)
_FORM = "expected FROM..TO as hours (2026-03-05T17..2026-03-06T02) or days (2026-03-05..2026-03-06), in UTC"


def parse_hours(text: str) -> tuple[datetime, datetime]:
    """First and last hour, both included, UTC, of `FROM..TO`.

    A day stands for all its hours: as FROM for its first, as TO for its last. One hour or day alone is a range
    of itself. The key of a partition as the UI shows it (`2026-03-05-17:00`) is read too.
    Raises UsageError naming the part that cannot be read.
    """
    start, separator, end = text.strip().partition("..")
    if not separator:
        end = start
    first, last = _hour(start, text, default=0), _hour(end, text, default=23)
    if last < first:
        raise UsageError(f"--hours {text}: {end.strip()} lies before {start.strip()}; turn them round")
    return first, last


def _hour(part: str, text: str, default: int) -> datetime:
    """One end of a range; `default` is the hour that a bare day stands for."""
    match = _POINT.fullmatch(part.strip())
    if not match:
        raise UsageError(f"--hours {text}: {part.strip()!r} is not an hour or a day; {_FORM}")
    day, hour = match.groups()
    try:
        return datetime.fromisoformat(day).replace(hour=int(hour or default), tzinfo=UTC)
    except ValueError:
        raise UsageError(f"--hours {text}: there is no {part.strip()!r} in the calendar; {_FORM}") from None
