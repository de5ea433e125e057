"""Size, period and seed of the demo store. Belongs here: options and their check, nothing that generates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from blotout_orchestration.errors import BlotoutError

LAST_DAY = date(2026, 3, 31)
"""Last day of the default period: fixed, so that the store is the same whenever it is made."""


class DemoOptionsError(BlotoutError):
    """An option of the demo store that makes no store."""


@dataclass(frozen=True)
class DemoOptions:
    """What to generate.

    `people` is the number of persons, `events` the approximate number of distinct events (the figure made is
    in the truth), `days` the length of the period that ends on `last_day` (UTC). Raises `DemoOptionsError`
    for values that make no store.
    """

    seed: int = 20260331
    days: int = 90
    people: int = 2_000
    events: int = 100_000
    last_day: date = LAST_DAY

    def __post_init__(self) -> None:
        for name, minimum in (("days", 3), ("people", 10), ("events", 100)):
            value = getattr(self, name)
            if value < minimum:
                raise DemoOptionsError(f"demo option {name} is {value}; give at least {minimum}")

    @property
    def start(self) -> datetime:
        """First instant of the period, UTC."""
        first = self.last_day - timedelta(days=self.days - 1)
        return datetime(first.year, first.month, first.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """First instant after the period, UTC; late deliveries arrive up to two days after it."""
        return self.start + timedelta(days=self.days)
