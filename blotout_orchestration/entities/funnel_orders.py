"""The three orders of funnels: from placed events to attempts, as common table expressions.

Belongs here: ordered, strict, any order. Each takes `placed` (a row an event, in the unit's order) and ends in
`attempts`: person, session, step, started_at, reached_at. Which events are placed is in funnel_sql.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from blotout_orchestration.entities.definitions import FunnelDefinition

Tables = list[tuple[str, exp.Expr]]
UNIT = ("person", "session", "same")


def item(text: str) -> exp.Expr:
    """A column by its name."""
    return exp.column(text)


def _when(condition: exp.Expr, value: exp.Expr) -> exp.Case:
    return exp.Case().when(condition, value)


def _over(function: exp.Expr, extra: Sequence[str], start: str, end: str) -> exp.Window:
    """A window over a unit's events in their places; `extra` narrows it."""
    sides = {"before": ("UNBOUNDED", "PRECEDING"), "previous": (exp.Literal.number(1), "PRECEDING"),
             "here": ("CURRENT ROW", None), "next": (exp.Literal.number(1), "FOLLOWING"), "after": ("UNBOUNDED", "FOLLOWING")}  # fmt: skip
    return exp.Window(
        this=function,
        partition_by=[item(name) for name in (*UNIT, *extra)],
        order=exp.Order(expressions=[exp.Ordered(this=item("place"), nulls_first=False)]),
        spec=exp.WindowSpec(
            kind="ROWS",
            start=sides[start][0],
            start_side=sides[start][1],
            end=sides[end][0],
            end_side=sides[end][1],
        ),
    )


def _in_time(start: exp.Expr, at: exp.Expr, definition: FunnelDefinition) -> exp.Expr:
    seconds = exp.Literal.string(str(round(definition.window.total_seconds())))
    limit = exp.Add(this=exp.paren(start), expression=exp.Interval(this=seconds, unit=exp.var("SECOND")))
    return exp.LTE(this=at, expression=limit)


def _attempt(step: int, start: str, reached: str, origin: str, where: exp.Expr) -> exp.Select:
    return (
        exp.select(
            "person",
            "session",
            exp.alias_(exp.Literal.number(step), "step"),
            exp.alias_(item(start), "started_at"),
            exp.alias_(item(reached), "reached_at"),
        )
        .from_(origin)
        .where(where)
    )


def _known(name: str) -> exp.Expr:
    return exp.not_(exp.Is(this=item(name), expression=exp.null()))


def _union(queries: Sequence[exp.Select]) -> exp.Expr:
    found: exp.Expr = queries[0]
    for query in queries[1:]:
        found = exp.union(found, query, distinct=False)
    return found


def ordered(definition: FunnelDefinition) -> Tables:
    """start_k of an event: the latest start from which it is reached as step k, a running maximum a level.

    The latest start is enough: it leaves the most time for the steps to come.
    """
    total = len(definition.steps)
    since = [
        exp.alias_(
            _over(
                exp.Sum(
                    this=_when(item(f"excluded_{number}"), exp.Literal.number(1)).else_(exp.Literal.number(0))
                ),
                (),
                "before",
                "here",
            ),
            f"exclusions_{number}",
        )
        for number in range(1, len(definition.exclude) + 1)
    ]
    first = exp.alias_(_when(item("step_1"), item("happened_at")), "start_1")
    tables: Tables = [("level_1", exp.select("*", first, *since).from_("placed"))]
    for step in range(2, total + 1):
        between = [
            f"exclusions_{number}"
            for number, exclusion in enumerate(definition.exclude, start=1)
            if exclusion.after < step <= (exclusion.before or total)
        ]
        latest = _over(exp.Max(this=item(f"start_{step - 1}")), between, "before", "previous")
        reached = _when(
            exp.and_(item(f"step_{step}"), _in_time(latest, item("happened_at"), definition)), latest.copy()
        )
        level = exp.select("*", exp.alias_(reached, f"start_{step}")).from_(f"level_{step - 1}")
        tables.append((f"level_{step}", level))
    attempts = [
        _attempt(step, f"start_{step}", "happened_at", f"level_{total}", _known(f"start_{step}"))
        for step in range(1, total + 1)
    ]
    return [*tables, ("attempts", _union(attempts))]


def strict(definition: FunnelDefinition) -> Tables:
    """Of each attempt: where every step comes first in its window, and where the first stranger does.

    Step k is reached when steps 2 to k came first in this order, before any later step and any stranger.
    """
    steps = range(2, len(definition.steps) + 1)
    no_step = exp.not_(exp.paren(exp.or_(*(item(f"step_{number}") for number in (1, *steps)))))
    found: list[exp.Expr] = []
    for label, value in (("place", "place"), ("at", "happened_at")):
        found += [
            exp.alias_(
                _over(exp.Min(this=_when(item(f"step_{step}"), item(value))), (), "next", "after"),
                f"{label}_{step}",
            )
            for step in steps
        ]
    stranger = exp.alias_(_over(exp.Min(this=_when(no_step, item("place"))), (), "next", "after"), "stranger")
    ahead = exp.select("*", stranger, *found).from_("placed")
    in_window = [
        exp.alias_(
            _when(_in_time(item("happened_at"), item(f"at_{step}"), definition), item(f"place_{step}")),
            f"first_{step}",
        )
        for step in steps
    ]
    starts = exp.select("*", *in_window).from_("ahead").where(item("step_1"))
    attempts = [_attempt(1, "happened_at", "happened_at", "starts", exp.true())]
    reached: list[exp.Expr] = []
    for step in steps:
        limits = [
            item("stranger"),
            *(item(f"first_{later}") for later in range(step + 1, len(definition.steps) + 1)),
        ]
        reached += [_known(f"first_{step}")]
        reached += [
            exp.paren(
                exp.or_(
                    exp.Is(this=limit.copy(), expression=exp.null()),
                    exp.LT(this=item(f"first_{step}"), expression=limit),
                )
            )
            for limit in limits
        ]
        attempts.append(
            _attempt(
                step, "happened_at", f"at_{step}", "starts", exp.and_(*(part.copy() for part in reached))
            )
        )
    return [("ahead", ahead), ("starts", starts), ("attempts", _union(attempts))]


def any_order(definition: FunnelDefinition) -> Tables:
    """Of each attempt: when every step comes first; the number of steps that did within the window counts."""
    steps = range(1, len(definition.steps) + 1)
    first = [
        exp.alias_(
            _over(exp.Min(this=_when(item(f"step_{step}"), item("happened_at"))), (), "here", "after"),
            f"at_{step}",
        )
        for step in steps
    ]
    ahead = exp.select("*", *first).from_("placed")
    taken = _union(
        [
            exp.select(
                *UNIT,
                "place",
                exp.alias_(item("happened_at"), "started_at"),
                exp.alias_(item(f"at_{step}"), "reached_at"),
                exp.alias_(exp.Literal.number(step), "which"),
            )
            .from_("ahead")
            .where(_in_time(item("happened_at"), item(f"at_{step}"), definition))
            for step in steps
        ]
    )
    rank = exp.Window(
        this=exp.RowNumber(),
        partition_by=[item(name) for name in (*UNIT, "place")],
        order=exp.Order(
            expressions=[exp.Ordered(this=item(name), nulls_first=False) for name in ("reached_at", "which")]
        ),
    )
    attempts = exp.select("person", "session", exp.alias_(rank, "step"), "started_at", "reached_at").from_(
        "taken"
    )
    return [("ahead", ahead), ("taken", taken), ("attempts", attempts)]


ORDERS = {"ordered": ordered, "strict": strict, "any_order": any_order}
