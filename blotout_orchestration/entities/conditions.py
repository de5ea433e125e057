"""Conditions on people: groups of profile, event and recency conditions, as a tree of pydantic models.

Belongs here: the tree and what can be judged without knowing the tables. Whether a column exists, and whether
its type takes an operator, is judged in predicates.py, where the columns are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from blotout_orchestration.entities.fields import (
    ColumnName,
    Duration,
    EventName,
    Operator,
)

MAXIMUM_VALUES = 10_000

Scalar = bool | int | float | str


def _scalar(value: Any) -> Any:
    """YAML's own types, unchanged, dates as their ISO text: no text becomes a number by itself."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("must be a finite number")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | int | float | str):
        return value
    raise ValueError("must be a text, a number, a date or true/false")


Value = Annotated[Any, BeforeValidator(_scalar)]


class Strict(BaseModel):
    """A part of a definition: unknown fields are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Comparison(Strict):
    """A column, an operator and what to compare with: `value`, or `values` of which any may match."""

    operator: Operator
    value: Value | None = None
    values: list[Value] | None = Field(default=None, min_length=1, max_length=MAXIMUM_VALUES)

    @property
    def wanted(self) -> tuple[Scalar, ...]:
        """The values to compare with."""
        if self.values is not None:
            return tuple(self.values)
        return () if self.value is None else (self.value,)

    @model_validator(mode="after")
    def _values_fit_the_operator(self) -> Comparison:
        given = [name for name in ("value", "values") if getattr(self, name) is not None]
        if not self.operator.takes_a_value:
            if given:
                raise ValueError(f"{self.operator} takes no {given[0]}")
        elif len(given) != 1:
            raise ValueError(f"{self.operator} needs either value or values")
        elif self.values is not None and not self.operator.takes_a_list:
            raise ValueError(f"{self.operator} compares with one value, not with a list")
        return self


class ProfileCondition(Comparison):
    """About a column of `view_users`."""

    profile: ColumnName


class PropertyCondition(Comparison):
    """About a column of `unified_events`, inside the `where` of an event."""

    property: ColumnName


class RecencyCondition(Strict):
    """How long ago a moment of `view_users` is: `within` and `older_than`; false when it never happened."""

    recency: ColumnName
    within: Duration | None = None
    older_than: Duration | None = None

    @model_validator(mode="after")
    def _says_how_long(self) -> RecencyCondition:
        if self.within is None and self.older_than is None:
            raise ValueError("a recency condition needs within, older_than or both")
        _check_order(self.within, self.older_than)
        return self


class Count(Strict):
    """How many times something must have happened."""

    operator: Literal[
        Operator.EQUAL,
        Operator.NOT_EQUAL,
        Operator.GREATER_THAN,
        Operator.GREATER_THAN_OR_EQUAL_TO,
        Operator.LESS_THAN,
        Operator.LESS_THAN_OR_EQUAL_TO,
    ]
    value: Annotated[int, Field(ge=0, le=10**9, strict=True)]


AT_LEAST_ONCE = Count(operator=Operator.GREATER_THAN_OR_EQUAL_TO, value=1)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class EventMatch(Strict):
    """Which events are meant: by name (case-insensitive, any of a list), by their columns, or both."""

    event: Annotated[list[EventName], BeforeValidator(_as_list)] | None = Field(
        default=None, min_length=1, max_length=1000
    )
    where: PropertyTree | None = None

    @model_validator(mode="after")
    def _names_something(self) -> EventMatch:
        if self.event is None and self.where is None:
            raise ValueError("name an event, give a where, or both")
        return self


class EventCondition(EventMatch):
    """What somebody did, how often and when; `after_profile` counts only what came after that moment."""

    within: Duration | None = None
    older_than: Duration | None = None
    after_profile: ColumnName | None = None
    count: Count = AT_LEAST_ONCE

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> EventCondition:
        _check_order(self.within, self.older_than)
        return self


class AllOf(Strict):
    """Every condition holds."""

    all: list[ConditionTree] = Field(min_length=1, max_length=1000)


class AnyOf(Strict):
    """At least one condition holds."""

    any: list[ConditionTree] = Field(min_length=1, max_length=1000)


class Not(Strict):
    """The condition as a whole does not hold."""

    not_: ConditionTree = Field(alias="not")


class AllProperties(Strict):
    """Every condition on the event's columns holds."""

    all: list[PropertyTree] = Field(min_length=1, max_length=1000)


class AnyProperty(Strict):
    """At least one condition on the event's columns holds."""

    any: list[PropertyTree] = Field(min_length=1, max_length=1000)


class NotProperty(Strict):
    """The condition on the event's columns does not hold."""

    not_: PropertyTree = Field(alias="not")


def _check_order(within: timedelta | None, older_than: timedelta | None) -> None:
    if within and older_than and older_than >= within:
        raise ValueError("older_than must be shorter than within, else nothing can match")


def _kind(value: Any, kinds: Sequence[str]) -> str | None:
    fields = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return next((kind for kind in kinds if kind in fields or f"{kind}_" in fields), None)


def _condition_kind(value: Any) -> str | None:
    found = _kind(value, ("all", "any", "not", "profile", "recency", "event"))
    return found or ("event" if isinstance(value, dict) and "where" in value else None)


def _property_kind(value: Any) -> str | None:
    return _kind(value, ("all", "any", "not", "property"))


ConditionTree = Annotated[
    Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[ProfileCondition, Tag("profile")]
    | Annotated[RecencyCondition, Tag("recency")]
    | Annotated[EventCondition, Tag("event")],
    Discriminator(
        _condition_kind,
        custom_error_type="no_condition",
        custom_error_message="is no condition: it needs all, any, not, profile, recency or event",
    ),
]
PropertyTree = Annotated[
    Annotated[AllProperties, Tag("all")]
    | Annotated[AnyProperty, Tag("any")]
    | Annotated[NotProperty, Tag("not")]
    | Annotated[PropertyCondition, Tag("property")],
    Discriminator(
        _property_kind,
        custom_error_type="no_condition",
        custom_error_message="is no condition on an event: it needs all, any, not or property",
    ),
]
for _model in (EventMatch, EventCondition, AllOf, AnyOf, Not, AllProperties, AnyProperty, NotProperty):
    _model.model_rebuild()

Condition = AllOf | AnyOf | Not | ProfileCondition | RecencyCondition | EventCondition
Property = AllProperties | AnyProperty | NotProperty | PropertyCondition
