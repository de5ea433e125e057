"""One comparison as a SQL expression: typed by its column, case-insensitive, true or false but never null.

Belongs here: operators and literals. Every value becomes a sqlglot literal, so that a value can never be read
as SQL. Groups and events are in segment_sql.py.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from blotout_orchestration.entities.columns import ColumnKind
from blotout_orchestration.entities.conditions import Comparison, Scalar
from blotout_orchestration.entities.fields import ORDERING, DefinitionError, Operator

ESCAPE = "\\"
_ELEMENT = "element"
_TEXT_OPERATORS = {
    Operator.EQUAL,
    Operator.IN,
    Operator.CONTAINS,
    Operator.LIKE,
    Operator.STARTS_WITH,
    Operator.END_WITH,
}
_MATCHING = {Operator.EQUAL, Operator.IN}
_ALLOWED = {
    ColumnKind.TEXT: _TEXT_OPERATORS,
    ColumnKind.TEXTS: _TEXT_OPERATORS,
    ColumnKind.BOOLEAN: _MATCHING,
    ColumnKind.NUMBER: _MATCHING | ORDERING,
    ColumnKind.DATE: _MATCHING | ORDERING,
    ColumnKind.MOMENT: _MATCHING | ORDERING,
}
_COMPARED: dict[Operator, type[exp.Expr]] = {
    Operator.EQUAL: exp.EQ,
    Operator.NOT_EQUAL: exp.NEQ,
    Operator.GREATER_THAN: exp.GT,
    Operator.GREATER_THAN_OR_EQUAL_TO: exp.GTE,
    Operator.LESS_THAN: exp.LT,
    Operator.LESS_THAN_OR_EQUAL_TO: exp.LTE,
}
_BAD_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?![%_\\])")


def column(name: str, table: str) -> exp.Expr:
    """A quoted column of a table's alias."""
    return exp.column(name, table=table, quoted=True)


def moment(value: datetime) -> exp.Expr:
    """A moment in UTC, to the microsecond, as a literal of either dialect."""
    text = value.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
    return exp.cast(exp.Literal.string(text), exp.DataType.build("TIMESTAMPTZ(6)"))


def compared(left: exp.Expr, operator: Operator, right: exp.Expr) -> exp.Expr:
    """`left operator right` for numbers, dates and moments."""
    return _COMPARED[operator](this=left, expression=right)


def certain(condition: exp.Expr) -> exp.Expr:
    """The condition where unknown counts as false: what makes NOT a complement."""
    return exp.func("COALESCE", exp.paren(condition), exp.false())


def comparison(wanted: Comparison, target: exp.Expr, kind: ColumnKind, label: str) -> exp.Expr:
    """A comparison with a column of this kind; a null column matches no operator and every negated one.

    Raises DefinitionError, naming `label`, when the column takes no such operator or value.
    """
    operator = wanted.operator.positive
    if operator is Operator.IS_SET:
        found: exp.Expr = exp.not_(exp.Is(this=target.copy(), expression=exp.null()))
        if kind is ColumnKind.TEXTS:
            found = exp.and_(found, exp.GT(this=exp.ArraySize(this=target), expression=exp.Literal.number(0)))
    else:
        if operator not in _ALLOWED[kind]:
            takes = ", ".join(sorted({*_ALLOWED[kind], Operator.IS_SET}))
            raise DefinitionError(
                f"{label} is a {kind} and takes no {wanted.operator}; it takes {takes} and their negations"
            )
        values = list(dict.fromkeys(_literal(value, kind, operator, label) for value in wanted.wanted))
        found = (
            _list_match(target, operator, values)
            if kind is ColumnKind.TEXTS
            else _match(target, operator, values, kind)
        )
    found = certain(found)
    return exp.not_(found) if wanted.operator.negated else found


def _list_match(target: exp.Expr, operator: Operator, values: list[exp.Expr]) -> exp.Expr:
    """Any element matches. The size is asked first: sqlglot's ANY of an empty list is true on DuckDB."""
    inner = exp.Lambda(
        this=certain(_match(exp.column(_ELEMENT), operator, values, ColumnKind.TEXT)),
        expressions=[exp.to_identifier(_ELEMENT)],
    )
    filled = exp.GT(this=exp.ArraySize(this=target.copy()), expression=exp.Literal.number(0))
    return exp.and_(filled, exp.ArrayAny(this=target, expression=inner))


def _match(target: exp.Expr, operator: Operator, values: list[exp.Expr], kind: ColumnKind) -> exp.Expr:
    if kind is ColumnKind.TEXT:
        target = exp.Lower(this=target)
        values = [exp.Lower(this=value) for value in values]
        if operator not in _MATCHING:
            escape = exp.Literal.string(ESCAPE)
            return exp.or_(
                *(
                    exp.Escape(this=exp.Like(this=target.copy(), expression=value), expression=escape.copy())
                    for value in values
                )
            )
    if operator in ORDERING:
        return compared(target, operator, values[0])
    return (
        exp.In(this=target, expressions=values)
        if len(values) > 1
        else exp.EQ(this=target, expression=values[0])
    )


def _literal(value: Scalar, kind: ColumnKind, operator: Operator, label: str) -> exp.Expr:
    if kind in (ColumnKind.TEXT, ColumnKind.TEXTS):
        return exp.Literal.string(_pattern(_text(value, label), operator, label))
    if kind is ColumnKind.NUMBER:
        return _number(value, label)
    if kind is ColumnKind.BOOLEAN:
        if not isinstance(value, bool):
            raise DefinitionError(f"{label} is true/false: {str(value)[:60]!r} is neither true nor false")
        return exp.true() if value else exp.false()
    return _time(value, kind, label)


def _text(value: Scalar, label: str) -> str:
    if not isinstance(value, str):
        raise DefinitionError(
            f"{label} is text: put the value {value} in quotes, as it is written in the column"
        )
    if "\x00" in value:
        raise DefinitionError(
            f"{label}: the value holds a NUL character, which no text of the warehouse can hold"
        )
    return value


def _pattern(text: str, operator: Operator, label: str) -> str:
    """The LIKE pattern of a text operator; only LIKE itself gives `%` and `_` their meaning."""
    if operator in _MATCHING:
        return text
    if operator is Operator.LIKE:
        if _BAD_ESCAPE.search(text):
            raise DefinitionError(
                f"{label}: in a LIKE pattern a backslash stands before %, _ or a backslash only"
            )
        return text
    if not text:
        raise DefinitionError(f"{label}: {operator} of an empty text would match everything")
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    before = "" if operator is Operator.STARTS_WITH else "%"
    after = "" if operator is Operator.END_WITH else "%"
    return f"{before}{escaped}{after}"


def _number(value: Scalar, label: str) -> exp.Expr:
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        number = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation:
        raise DefinitionError(f"{label} is a number: {str(value)[:60]!r} is none") from None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 18 or number.as_tuple().exponent < -9:  # type: ignore[operator]
        raise DefinitionError(f"{label}: {str(value)[:60]!r} is out of range (18 digits, 9 after the point)")
    return exp.cast(exp.Literal.string(format(number, "f")), exp.DataType.build("DECIMAL(38, 9)"))


def _time(value: Scalar, kind: ColumnKind, label: str) -> exp.Expr:
    try:
        if not isinstance(value, str):
            raise ValueError
        if kind is ColumnKind.DATE:
            day = date.fromisoformat(value.strip())
            return exp.cast(exp.Literal.string(day.isoformat()), exp.DataType.build("DATE"))
        at = datetime.fromisoformat(value.strip())
        return moment(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        form = (
            "2026-03-31"
            if kind is ColumnKind.DATE
            else "2026-03-31 or 2026-03-31T18:30:00+02:00 (UTC without offset)"
        )
        raise DefinitionError(f"{label} is a {kind}: {str(value)[:60]!r} is none; write {form}") from None
