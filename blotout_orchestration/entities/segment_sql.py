"""A segment as one SQL query: who of `view_users` is in it at a moment.

Belongs here: the tree of conditions as an expression, and the events that it counts, read in one scan. Single
comparisons are in predicates.py. Everything is built with sqlglot and written in the dialect asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlglot import exp

from blotout_orchestration.entities.columns import EVENTS, USERS, ColumnKind, Columns
from blotout_orchestration.entities.conditions import (
    AllOf,
    AllProperties,
    AnyOf,
    AnyProperty,
    Condition,
    EventCondition,
    EventMatch,
    Not,
    NotProperty,
    ProfileCondition,
    Property,
    RecencyCondition,
)
from blotout_orchestration.entities.definitions import SegmentDefinition
from blotout_orchestration.entities.fields import DefinitionError, Operator
from blotout_orchestration.entities.predicates import certain, column, compared, comparison, moment

PERSON = "global_user_id"
NEEDED = {USERS: (PERSON, "is_bot"), EVENTS: (PERSON, "is_bot", "event_name", "occurred_at", "event_key")}


def gather(parts: Iterable[Callable[[], exp.Expr]]) -> list[exp.Expr]:
    """The results of all parts. Raises one DefinitionError with the problems of all of them."""
    built, problems = [], []
    for part in parts:
        try:
            built.append(part())
        except DefinitionError as error:
            problems.append(str(error))
    if problems:
        raise DefinitionError("\n".join(dict.fromkeys(problems)))
    return built


def source(name: str, alias: str, columns: Columns) -> exp.Expr:
    """A table under its alias. Raises DefinitionError when it lacks what every query needs."""
    known = columns.users if name == USERS else columns.events
    if missing := [item for item in NEEDED[name] if item not in known]:
        raise DefinitionError(
            f"{columns.schema}.{name} lacks {', '.join(missing)}; run events_unified_view first"
        )
    return exp.alias_(exp.table_(name, db=columns.schema, quoted=True), alias, table=True)


def no_robot(alias: str) -> exp.Expr:
    """Rows that are not a robot's."""
    return exp.not_(certain(column("is_bot", alias)))


def event_expression(match: EventMatch, columns: Columns, alias: str) -> exp.Expr:
    """Whether a row of `unified_events` is one of these events."""
    parts: list[exp.Expr] = []
    if match.event is not None:
        name = exp.Lower(this=column("event_name", alias))
        names = [exp.Lower(this=exp.Literal.string(item)) for item in dict.fromkeys(match.event)]
        parts.append(certain(exp.In(this=name, expressions=names)))
    if match.where is not None:
        parts.append(_properties(match.where, columns, alias))
    return exp.and_(*parts)


def _properties(tree: Property, columns: Columns, alias: str) -> exp.Expr:
    if isinstance(tree, AllProperties | AnyProperty):
        children = tree.all if isinstance(tree, AllProperties) else tree.any
        combine = exp.and_ if isinstance(tree, AllProperties) else exp.or_
        return combine(*gather(lambda child=child: _properties(child, columns, alias) for child in children))  # type: ignore[misc]
    if isinstance(tree, NotProperty):
        return exp.not_(exp.paren(_properties(tree.not_, columns, alias)))
    kind = columns.kind(EVENTS, tree.property)
    return comparison(tree, column(tree.property, alias), kind, f"{EVENTS}.{tree.property}")


@dataclass
class _SegmentQuery:
    """The query while it is built: `counted` are the conditions whose events the scan counts."""

    columns: Columns
    as_of: datetime
    counted: list[exp.Expr] = field(default_factory=list)
    needs_profile: bool = False

    def condition(self, tree: Condition) -> exp.Expr:
        """The tree as an expression over the person `u` and the counts `b`."""
        if isinstance(tree, AllOf | AnyOf):
            children = tree.all if isinstance(tree, AllOf) else tree.any
            combine = exp.and_ if isinstance(tree, AllOf) else exp.or_
            return combine(*gather(lambda child=child: self.condition(child) for child in children))  # type: ignore[misc]
        if isinstance(tree, Not):
            return exp.not_(exp.paren(self.condition(tree.not_)))
        if isinstance(tree, ProfileCondition):
            kind = self.columns.kind(USERS, tree.profile)
            return comparison(tree, column(tree.profile, "u"), kind, f"{USERS}.{tree.profile}")
        if isinstance(tree, RecencyCondition):
            return certain(
                exp.and_(*self._between(tree, column(tree.recency, "u"), self._time(tree.recency)))
            )
        return self._events(tree)

    def _events(self, tree: EventCondition) -> exp.Expr:
        at = column("occurred_at", "e")
        parts = [event_expression(tree, self.columns, "e"), *self._between(tree, at, ColumnKind.MOMENT)]
        if tree.after_profile is not None:
            kind = self._time(tree.after_profile)
            limit = column(tree.after_profile, "u")
            if kind is ColumnKind.DATE:
                limit = exp.cast(limit, exp.DataType.build("TIMESTAMPTZ(6)"))
            parts.append(
                exp.or_(
                    exp.Is(this=limit.copy(), expression=exp.null()), exp.GT(this=at.copy(), expression=limit)
                )
            )
            self.needs_profile = True
        self.counted.append(certain(exp.and_(*parts)))
        number = exp.func("COALESCE", column(f"count_{len(self.counted)}", "b"), exp.Literal.number(0))
        return compared(number, Operator(tree.count.operator), exp.Literal.number(tree.count.value))

    def _between(self, tree: Any, target: exp.Expr, kind: ColumnKind) -> list[exp.Expr]:
        """Not longer ago than `within`, and at least `older_than` ago."""
        found: list[exp.Expr] = []
        for duration, operator in (
            (tree.within, Operator.GREATER_THAN_OR_EQUAL_TO),
            (tree.older_than, Operator.LESS_THAN_OR_EQUAL_TO),
        ):
            if duration is not None:
                limit = moment(self.as_of - duration)
                if kind is ColumnKind.DATE:
                    day = (self.as_of - duration).date().isoformat()
                    limit = exp.cast(exp.Literal.string(day), exp.DataType.build("DATE"))
                found.append(compared(target.copy(), operator, limit))
        return found

    def _time(self, name: str) -> ColumnKind:
        kind = self.columns.kind(USERS, name)
        if kind not in (ColumnKind.MOMENT, ColumnKind.DATE):
            raise DefinitionError(f"{USERS}.{name} is a {kind}; how long ago needs a moment or a date")
        return kind

    def counts(self) -> exp.Select:
        """One scan of the events: how many of each counted condition a person has."""
        numbers = [
            exp.alias_(
                exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=condition.copy())),
                f"count_{place}",
            )
            for place, condition in enumerate(self.counted, start=1)
        ]
        person = column(PERSON, "e")
        query = exp.select(person, *numbers).from_(source(EVENTS, "e", self.columns))
        if self.needs_profile:
            same = exp.EQ(this=column(PERSON, "u"), expression=person.copy())
            query = query.join(source(USERS, "u", self.columns), on=same)
        return query.where(
            exp.not_(exp.Is(this=person.copy(), expression=exp.null())),
            no_robot("e"),
            compared(column("occurred_at", "e"), Operator.LESS_THAN_OR_EQUAL_TO, moment(self.as_of)),
            exp.or_(*(condition.copy() for condition in self.counted)),
        ).group_by(person.copy())


def compile_segment(definition: SegmentDefinition, columns: Columns, as_of: datetime) -> exp.Select:
    """The query of the members' `global_user_id` at `as_of` (with time zone); `.sql(dialect)` writes it.

    Raises DefinitionError, naming the segment, with every condition that the columns do not take.
    """
    query = _SegmentQuery(columns, as_of)
    try:
        holds = query.condition(definition.where)
        person = column(PERSON, "u")
        found = exp.select(person).from_(source(USERS, "u", columns)).where(no_robot("u"), exp.paren(holds))
        if query.counted:
            same = exp.EQ(this=column(PERSON, "b"), expression=person.copy())
            found = found.with_("behaviour", as_=query.counts()).join(
                exp.alias_(exp.table_("behaviour"), "b", table=True), on=same, join_type="left"
            )
    except DefinitionError as error:
        raise DefinitionError(
            f"segment {definition.name}: " + str(error).replace("\n", f"\nsegment {definition.name}: ")
        ) from None
    return found
