"""The little language in which a stream's columns fill the columns of a contract table.

Belongs here: parsing, and the DuckDB SQL of each form. Every name is quoted and every value is a literal, so
nothing of a definition is ever pasted into SQL. Forms:
`column`, `'constant'`, `-column`, `column / 1000000`, `sum(column[].field where other = value and ...)`,
`lookup(stream.value where key = column)`: the value in the newest row of another stream of the source.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from blotout_orchestration.platform.naming import snake_case

_NAME = r"[^\s\[\]()'/=]+"
_CONSTANT = re.compile(r"'([^']*)'")
_COLUMN = re.compile(rf"(-?)({_NAME})(?:\s*/\s*(\d+(?:\.\d+)?))?")
_SUM = re.compile(rf"(-?)sum\(\s*({_NAME})\[\]\.({_NAME})(?:\s+where\s+(.+?))?\s*\)", re.IGNORECASE)
_CONDITION = re.compile(rf"({_NAME})\s*=\s*({_NAME})")
_LOOKUP = re.compile(rf"lookup\(\s*(\w+)\.({_NAME})\s+where\s+({_NAME})\s*=\s*({_NAME})\s*\)", re.IGNORECASE)
FORMS = (
    "`column`, `'constant'`, `-column`, `column / 1000000`, `sum(column[].field where other = value)` "
    "or `lookup(stream.value where key = column)`"
)


@dataclass(frozen=True)
class Lookup:
    """A value of another stream, found by a key."""

    stream: str
    value: str
    key: str
    column: str


@dataclass(frozen=True)
class Expression:
    """A parsed expression: the columns of the stream that it reads, and its SQL once those are known."""

    text: str
    columns: tuple[str, ...]
    sql: Callable[[], str]
    lookup: Lookup | None = None


def identifier(name: str) -> str:
    """A column's name in the lake, quoted."""
    return '"' + snake_case(name) + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def parse_expression(text: str) -> Expression:
    """An expression. Raises ValueError naming it when it has none of the forms."""
    plain = text.strip()
    if match := _CONSTANT.fullmatch(plain):
        return Expression(plain, (), partial(literal, match[1]))
    if match := _SUM.fullmatch(plain):
        return Expression(plain, (match[2],), partial(_sum_sql, match[1], match[2], match[3], match[4] or ""))
    if match := _LOOKUP.fullmatch(plain):
        found = Lookup(match[1], match[2], match[3], match[4])
        return Expression(plain, (match[4],), partial(identifier, found.value), found)
    if match := _COLUMN.fullmatch(plain):
        return Expression(plain, (match[2],), partial(_column_sql, match[1], match[2], match[3]))
    raise ValueError(f"{text!r} is no expression; write {FORMS}")


def _column_sql(sign: str, name: str, divisor: str | None) -> str:
    if not sign and not divisor:
        return identifier(name)
    # Money in micros has 6 decimals more than money.
    number = f"try_cast({identifier(name)} as decimal(38, 10))"
    scaled = f"({number} / {divisor})" if divisor else number
    return f"(-abs({scaled}))" if sign else scaled


def _sum_sql(sign: str, name: str, field: str, conditions: str) -> str:
    entry = "entry"
    kept = [
        f"coalesce({entry} ->> {literal(key)}, '') = {literal(value)}"
        for key, value in (_condition(part) for part in re.split(r"\s+and\s+", conditions) if part)
    ]
    listed = f"from_json({identifier(name)}, '[\"JSON\"]')"
    filtered = f"list_filter({listed}, lambda {entry}: {' and '.join(kept)})" if kept else listed
    values = f"list_transform({filtered}, lambda {entry}: try_cast({entry} ->> {literal(field)} as decimal(38, 10)))"
    total = f"list_sum({values})"
    return f"(-abs({total}))" if sign else total


def _condition(text: str) -> tuple[str, str]:
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no condition; write `field = value`")
    return match[1], match[2]
