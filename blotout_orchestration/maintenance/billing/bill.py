"""A bill: lines, and the sums that people compare.

Belongs here: pure sums over lines. Does not belong here: where lines come from and how they are shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from blotout_orchestration.errors import UsageError

LineKind = Literal["usage", "credit", "refund", "tax"]


@dataclass(frozen=True)
class Line:
    """An amount of one day. `item` is a service or a job; `unit` a currency (ISO 4217) or such as `bytes`."""

    day: date
    account: str
    item: str
    kind: LineKind
    amount: Decimal
    unit: str


@dataclass(frozen=True)
class Month:
    """A calendar month, in UTC as the cloud bills it."""

    first: date

    @property
    def next(self) -> Month:
        """The month after."""
        return Month((self.first + timedelta(days=31)).replace(day=1))

    @property
    def previous(self) -> Month:
        """The month before."""
        return Month((self.first - timedelta(days=1)).replace(day=1))

    @property
    def name(self) -> str:
        """Such as `2026-10`."""
        return f"{self.first:%Y-%m}"

    def holds(self, day: date) -> bool:
        """Whether a day lies in this month."""
        return self.first <= day < self.next.first


def month_of(day: date) -> Month:
    """The month of a day."""
    return Month(day.replace(day=1))


def month_named(name: str) -> Month:
    """The month that `YYYY-MM` names. Raises UsageError."""
    try:
        return Month(date.fromisoformat(f"{name}-01"))
    except ValueError:
        raise UsageError(f"month = {name!r}: expected a month such as 2026-10") from None


@dataclass(frozen=True)
class Forecast:
    """What a month is expected to come to; `reason` says why there is no amount."""

    month: Month
    amount: Decimal | None = None
    unit: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Compared:
    """One item against the month before; `share` is the relative change, None when there was nothing before."""

    item: str
    unit: str
    amount: Decimal
    before: Decimal

    @property
    def share(self) -> Decimal | None:
        """Relative change: 0.25 is a quarter more."""
        return (self.amount - self.before) / self.before if self.before else None


@dataclass(frozen=True)
class Bill:
    """A month's bill with the lines of the month before; `stored` is bytes by table, on embedded ground."""

    month: Month
    subject: str
    lines: Sequence[Line]
    forecast: Forecast | None = None
    stored: Sequence[tuple[str, int]] = field(default=())

    @property
    def units(self) -> list[str]:
        """Currencies or units of this month and the one before, in order of their names."""
        return sorted({line.unit for line in self.lines})

    @property
    def accounts(self) -> list[str]:
        """Accounts with a line."""
        return sorted({line.account for line in self.lines})

    def total(self, unit: str, kind: LineKind | None = None, month: Month | None = None) -> Decimal:
        """Sum in one unit, of one kind or of all, of this month or of another."""
        wanted = month or self.month
        return _sum(
            line.amount
            for line in self.lines
            if line.unit == unit and wanted.holds(line.day) and kind in (None, line.kind)
        )

    def by_item(self, unit: str) -> list[Compared]:
        """Usage of each item against the month before, dearest first; what vanished is there with 0."""
        return self._compared(unit, "item", "usage")

    def by_account(self, unit: str) -> list[Compared]:
        """All of each account against the month before, dearest first."""
        return self._compared(unit, "account", None)

    def by_day(self, unit: str) -> list[tuple[date, Decimal]]:
        """Usage of every day of the month, days without any included."""
        sums: dict[date, Decimal] = defaultdict(Decimal)
        for line in self.lines:
            if line.unit == unit and line.kind == "usage" and self.month.holds(line.day):
                sums[line.day] += line.amount
        length = (self.month.next.first - self.month.first).days
        days = [self.month.first + timedelta(days=number) for number in range(length)]
        return [(day, sums[day]) for day in days]

    def _compared(self, unit: str, key: Literal["item", "account"], kind: LineKind | None) -> list[Compared]:
        sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(), Decimal()])
        for line in self.lines:
            if line.unit != unit or kind not in (None, line.kind):
                continue
            if self.month.holds(line.day):
                sums[getattr(line, key)][0] += line.amount
            elif self.month.previous.holds(line.day):
                sums[getattr(line, key)][1] += line.amount
        rows = [Compared(name, unit, now, before) for name, (now, before) in sums.items()]
        return sorted(rows, key=lambda row: (-row.amount, -row.before, row.item))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal())
