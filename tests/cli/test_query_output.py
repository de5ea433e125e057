"""Values in print are what they were."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.platform.queries import QueryResult
from blotout_orchestration.platform.query_output import csv_lines, json_lines, table_lines

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**14), max_value=10**14)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | DECIMALS
)
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)


@given(st.lists(st.tuples(NESTED, NESTED), max_size=5))
def test_json_reads_back_exactly(rows: list[tuple[Any, Any]]) -> None:
    text = "".join(json_lines(QueryResult(("a", 'b "x"'), rows)))
    back = json.loads(text, parse_float=Decimal)
    assert [(row["a"], row['b "x"']) for row in back] == [_exact(row) for row in rows]


def _exact(value: Any) -> Any:
    """Floats as the decimals that their shortest text is, as JSON shows them."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, tuple):
        return tuple(_exact(item) for item in value)
    if isinstance(value, list):
        return [_exact(item) for item in value]
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    return value


@given(st.lists(st.tuples(st.none() | TEXT, TEXT), max_size=5))
def test_csv_reads_back_exactly(rows: list[tuple[str | None, str]]) -> None:
    text = "".join(csv_lines(QueryResult(("a", "b"), rows)))
    back = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert back == [["a", "b"], *([one or "", two] for one, two in rows)]


@given(st.lists(st.tuples(TEXT, st.integers()), max_size=5))
def test_a_table_has_a_frame_and_counts_its_rows(rows: list[tuple[str, int]]) -> None:
    text = "".join(table_lines(QueryResult(("name", "number"), rows)))
    lines = text.split("\n")
    assert lines[0].startswith("name")
    assert set(lines[1]) == {"-", "+"}
    assert lines[-2] == f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
    assert all(str(number) in text for _, number in rows)


def test_times_bytes_and_numbers_that_json_lacks() -> None:
    values = {
        "utc": datetime(2026, 3, 5, 17, 30, 0, 1, tzinfo=UTC),
        "tokyo": datetime(2026, 3, 6, 2, 30, tzinfo=timezone(timedelta(hours=9))),
        "naive": datetime(2026, 3, 5, 17, 30),
        "day": date(2026, 3, 5),
        "bytes": b"\x00\xff",
        "nan": math.nan,
        "infinite": -math.inf,
        "map": {1: Decimal("0.10"), date(2026, 1, 1): None},
    }
    (row,) = json.loads("".join(json_lines(QueryResult(tuple(values), [tuple(values.values())]))))
    assert row == {
        "utc": "2026-03-05T17:30:00.000001Z",
        "tokyo": "2026-03-05T17:30:00Z",
        "naive": "2026-03-05T17:30:00",
        "day": "2026-03-05",
        "bytes": base64.b64encode(b"\x00\xff").decode(),
        "nan": None,
        "infinite": None,
        "map": {"1": 0.1, "2026-01-01": None},
    }


def test_a_cell_of_a_table_shows_lines_and_no_control_characters() -> None:
    text = "".join(table_lines(QueryResult(("a", "b"), [("one\ntwo", "bell\x07\x1b[31m")])))
    assert text == "a   | b\n----+-----------------\none | bell\\x07\\x1b[31m\ntwo |\n(1 row)\n"
