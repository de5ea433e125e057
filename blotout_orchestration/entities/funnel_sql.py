"""A funnel as one SQL query: for each person (or session) the steps reached, when, and from which start.

Belongs here: which events matter, and the query around the order (funnel_orders.py). The result has a row a unit and step: global_user_id, session_key (null per
person), step (1 is the first), started_at, reached_at.

Ordered is the semantics of ClickHouse's `windowFunnel`; strict is that of its mode `strict_order`, asked of
each attempt and not of the first only (docs/segments_and_funnels.md says where results differ, and why).
"""

from __future__ import annotations

from datetime import datetime

from sqlglot import exp

from blotout_orchestration.entities.columns import EVENTS, Columns
from blotout_orchestration.entities.definitions import FunnelDefinition
from blotout_orchestration.entities.fields import DefinitionError, Operator
from blotout_orchestration.entities.funnel_orders import ORDERS, UNIT, Tables, item
from blotout_orchestration.entities.predicates import certain, column, compared, moment
from blotout_orchestration.entities.segment_sql import PERSON, event_expression, gather, no_robot, source


def compile_funnel(definition: FunnelDefinition, columns: Columns, as_of: datetime) -> exp.Select:
    """The query of the funnel at `as_of` (with time zone). Raises DefinitionError, naming the funnel."""
    try:
        matched = _matched(definition, columns, as_of)
    except DefinitionError as error:
        prefix = f"funnel {definition.name}: "
        raise DefinitionError(prefix + str(error).replace("\n", f"\n{prefix}")) from None
    number = exp.RowNumber()
    place = exp.Window(
        this=number,
        partition_by=[item(label) for label in UNIT],
        order=exp.Order(
            expressions=[
                exp.Ordered(this=item(label), nulls_first=False)
                for label in ("happened_at", "lowest", "event_key")
            ]
        ),
    )
    tables: Tables = [
        ("matched", matched),
        ("placed", exp.select("*", exp.alias_(place, "place")).from_("matched")),
    ]
    tables += ORDERS[definition.order](definition)
    rank = exp.Window(
        this=exp.RowNumber(),
        partition_by=[item(label) for label in ("person", "session", "step")],
        order=exp.Order(
            expressions=[
                exp.Ordered(this=item("reached_at"), nulls_first=False),
                exp.Ordered(this=item("started_at"), desc=True, nulls_first=False),
            ]
        ),
    )
    ranked = exp.select(
        "person", "session", "step", "started_at", "reached_at", exp.alias_(rank, "rank_in_step")
    )
    tables.append(("ranked", ranked.from_("attempts")))
    found = exp.select(
        exp.alias_(item("person"), PERSON),
        exp.alias_(item("session"), "session_key"),
        "step",
        "started_at",
        "reached_at",
    ).from_("ranked")
    found = found.where(exp.EQ(this=item("rank_in_step"), expression=exp.Literal.number(1)))
    for label, query in tables:
        found = found.with_(label, as_=query)
    return found


def _matched(definition: FunnelDefinition, columns: Columns, as_of: datetime) -> exp.Select:
    """The events that matter, with what each of them is: step_1 ..., excluded_1 ..., other."""
    matches = [*definition.steps, *definition.exclude]
    if definition.interrupted_by:
        names = [
            exp.Lower(this=exp.Literal.string(name)) for name in dict.fromkeys(definition.interrupted_by)
        ]
        interrupting = certain(exp.In(this=exp.Lower(this=column("event_name", "e")), expressions=names))
    else:
        interrupting = exp.true()
    built = gather(lambda match=match: event_expression(match, columns, "e") for match in matches)  # type: ignore[misc]
    steps, excluded = built[: len(definition.steps)], built[len(definition.steps) :]
    lowest = exp.Case()
    for number, step in enumerate(steps, start=1):
        lowest = lowest.when(step.copy(), exp.Literal.number(number))
    # At the same instant steps come in their order, what interrupts before them and what excludes after.
    lowest = lowest.else_(exp.Literal.number(0 if definition.order == "strict" else len(steps) + 1))
    no_step = exp.not_(exp.paren(exp.or_(*(step.copy() for step in steps))))
    nothing = exp.cast(exp.null(), exp.DataType.build("VARCHAR"))
    in_session = definition.per == "session"
    wanted = [exp.alias_(step.copy(), f"step_{number}") for number, step in enumerate(steps, start=1)]
    wanted += [
        exp.alias_(exp.and_(match.copy(), no_step.copy()), f"excluded_{number}")
        for number, match in enumerate(excluded, start=1)
    ]
    same: exp.Expr = nothing.copy()
    if definition.same is not None:
        columns.kind(EVENTS, definition.same)
        same = exp.cast(column(definition.same, "e"), exp.DataType.build("VARCHAR"))
    query = exp.select(
        exp.alias_(column(PERSON, "e"), "person"),
        exp.alias_(column("session_key", "e") if in_session else nothing.copy(), "session"),
        exp.alias_(same, "same"),
        exp.alias_(column("occurred_at", "e"), "happened_at"),
        exp.alias_(column("event_key", "e"), "event_key"),
        exp.alias_(lowest, "lowest"),
        *wanted,
    ).from_(source(EVENTS, "e", columns))
    relevant = [interrupting] if definition.order == "strict" else []
    conditions = [
        exp.not_(exp.Is(this=column(PERSON, "e"), expression=exp.null())),
        no_robot("e"),
        compared(column("occurred_at", "e"), Operator.LESS_THAN_OR_EQUAL_TO, moment(as_of)),
        exp.paren(exp.or_(*relevant, *(item.copy() for item in built))),
    ]
    if in_session:
        columns.kind(EVENTS, "session_key")
        conditions.append(exp.not_(exp.Is(this=column("session_key", "e"), expression=exp.null())))
    if definition.same is not None and definition.exclude:
        raise DefinitionError("same and exclude cannot be combined: an exclusion has no value to be the same")
    if definition.same is not None:
        conditions.append(exp.not_(exp.Is(this=column(definition.same, "e"), expression=exp.null())))
    if definition.period is not None:
        since = moment(as_of - definition.period)
        conditions.append(compared(column("occurred_at", "e"), Operator.GREATER_THAN_OR_EQUAL_TO, since))
    return query.where(*conditions)
