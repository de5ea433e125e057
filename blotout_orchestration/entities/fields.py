"""The small values that definitions are made of: names, durations, operators.

Belongs here: types that say themselves what they refuse. Does not belong here: how they become SQL.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, StringConstraints

from blotout_orchestration.errors import BlotoutError

MAXIMUM_DURATION = timedelta(days=3660)
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_DURATION = re.compile(r"(\d{1,9}) ?(second|minute|hour|day|week)s?")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
"""Name of a segment or funnel: a word of the lake's tables, safe in file names, keys and lists."""

ColumnName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,127}$")]
EventName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]


class DefinitionError(BlotoutError):
    """A definition is wrong; the message lists everything that is, by file, field and value."""

    exit_code = 2


class Operator(StrEnum):
    """The platform's operators, under the names that Blotout gave them, and `IS_SET`/`IS_NOT_SET` beside."""

    EQUAL = "EQUAL"
    NOT_EQUAL = "NOT_EQUAL"
    IN = "IN"
    NOT_IN = "NOT_IN"
    CONTAINS = "CONTAINS"
    NOT_CONTAINS = "NOT_CONTAINS"
    LIKE = "LIKE"
    NOT_LIKE = "NOT_LIKE"
    STARTS_WITH = "STARTS_WITH"
    END_WITH = "END_WITH"
    GREATER_THAN = "GREATER_THAN"
    GREATER_THAN_OR_EQUAL_TO = "GREATER_THAN_OR_EQUAL_TO"
    LESS_THAN = "LESS_THAN"
    LESS_THAN_OR_EQUAL_TO = "LESS_THAN_OR_EQUAL_TO"
    IS_SET = "IS_SET"
    IS_NOT_SET = "IS_NOT_SET"

    @property
    def negated(self) -> bool:
        """Whether it is the complement of another operator."""
        return self in _POSITIVE

    @property
    def positive(self) -> Operator:
        """The operator whose complement this is, or itself."""
        return _POSITIVE.get(self, self)

    @property
    def takes_a_list(self) -> bool:
        """Whether several values may be given: any of them may match."""
        return self.positive in {
            Operator.EQUAL,
            Operator.IN,
            Operator.CONTAINS,
            Operator.LIKE,
            Operator.STARTS_WITH,
            Operator.END_WITH,
        }

    @property
    def takes_a_value(self) -> bool:
        """Whether it compares with something."""
        return self.positive is not Operator.IS_SET


_POSITIVE = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_IN: Operator.IN,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_LIKE: Operator.LIKE,
    Operator.IS_NOT_SET: Operator.IS_SET,
}
ORDERING = frozenset(
    {
        Operator.GREATER_THAN,
        Operator.GREATER_THAN_OR_EQUAL_TO,
        Operator.LESS_THAN,
        Operator.LESS_THAN_OR_EQUAL_TO,
    }
)


def parse_duration(value: Any) -> timedelta:
    """A duration from `30 days`, `12 hours`, `90 minutes` ...; a day is 24 hours. Raises ValueError."""
    if isinstance(value, timedelta):
        found = value
    else:
        match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
        if match is None:
            raise ValueError(
                "is no duration; write a whole number and a unit, such as '30 days' or '12 hours'"
            )
        found = timedelta(seconds=min(int(match[1]) * _UNITS[match[2]], 2**40))
    if not timedelta(0) < found <= MAXIMUM_DURATION:
        raise ValueError(f"must be longer than 0 and at most {MAXIMUM_DURATION.days} days")
    return found


def duration_text(value: timedelta) -> str:
    """The duration as definitions write it, in the biggest unit that is whole."""
    seconds = round(value.total_seconds())
    unit, size = max(
        ((name, size) for name, size in _UNITS.items() if seconds % size == 0 and name != "week"),
        key=lambda item: item[1],
    )
    number = seconds // size
    return f"{number} {unit}{'s' if number != 1 else ''}"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(duration_text, when_used="json")
]
