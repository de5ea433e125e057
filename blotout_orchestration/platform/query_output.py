"""Printing the result of a query as a table, as CSV or as JSON.

Belongs here: text forms of values. JSON: a list of objects, timestamps in ISO 8601, decimals as numbers with
all their digits (a reader may parse them exactly), NaN and infinities as null, bytes in base64. CSV: RFC
4180, NULL is an empty field and an empty string is "".
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

from blotout_orchestration.platform.queries import QueryResult

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_CSV_SPECIAL: Final = re.compile(r'[",\r\n]')


def as_text(value: Any) -> str:
    """One value as text: ISO 8601 for times (UTC as `Z`), plain digits for decimals, JSON for nested ones."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, list | tuple | dict):
        return as_json(value)
    return str(value)


def as_json(value: Any) -> str:
    """One value as JSON text."""
    if value is None or (isinstance(value, float | Decimal) and not math.isfinite(value)):
        return "null"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_json(item) for item in value)}]"
    if isinstance(value, Mapping):
        members = (
            f"{json.dumps(as_text(key), ensure_ascii=False)}: {as_json(item)}" for key, item in value.items()
        )
        return f"{{{', '.join(members)}}}"
    return json.dumps(as_text(value), ensure_ascii=False)


def json_lines(result: QueryResult) -> Iterator[str]:
    """A list with an object a row; a column's second and later namesakes get `_2`, `_3` ..."""
    names = [json.dumps(name, ensure_ascii=False) for name in _unique(result.columns)]
    before = "[\n"
    for row in result.rows:
        members = ", ".join(f"{name}: {as_json(value)}" for name, value in zip(names, row, strict=True))
        yield f"{before}  {{{members}}}"
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def csv_lines(result: QueryResult) -> Iterator[str]:
    """A header and a record a row, each ended by CR LF."""
    yield ",".join(_csv_field(name) for name in result.columns) + "\n"
    for row in result.rows:
        yield ",".join(_csv_field(value) for value in row) + "\n"


def table_lines(result: QueryResult) -> Iterator[str]:
    """Aligned columns, numbers to the right; a cell may have several lines."""
    rows = [list(row) for row in result.rows]
    numeric = [
        all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        for index in range(len(result.columns))
    ]
    grid = [[_cell(value) for value in row] for row in rows]
    header = [[name] for name in result.columns]
    widths = [
        max(len(line) for row in [header, *grid] for line in row[index])
        for index in range(len(result.columns))
    ]
    yield _table_row(header, widths, numeric)
    yield "-+-".join("-" * width for width in widths) + "\n"
    for row in grid:
        yield _table_row(row, widths, numeric)
    yield f"({len(rows)} row{'' if len(rows) == 1 else 's'})\n"


def _table_row(cells: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    text = ""
    for lines in zip_longest(*cells, fillvalue=""):
        padded = (
            line.rjust(width) if right else line.ljust(width)
            for line, width, right in zip(lines, widths, numeric, strict=True)
        )
        text += " | ".join(padded).rstrip() + "\n"
    return text


def _cell(value: Any) -> list[str]:
    text = "NULL" if value is None else as_text(value)
    return _CONTROL.sub(lambda match: repr(match.group())[1:-1], text).split("\n")


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = as_text(value)
    if text == "" or _CSV_SPECIAL.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _unique(names: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 2
        while candidate in taken or (candidate != name and candidate in names):
            candidate, number = f"{name}_{number}", number + 1
        taken.add(candidate)
        unique.append(candidate)
    return unique
