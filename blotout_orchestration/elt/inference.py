"""The types of columns that came as text: what every value of a load can be without losing a character.

Belongs here: the rules. A number that would not be written the same again (`007`, `1e5`) stays text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from blotout_orchestration.elt.types import TIMESTAMP
from blotout_orchestration.lake.reads import quote

_TESTS: tuple[tuple[str, pa.DataType], ...] = (
    ("try_cast({0} as bigint)::varchar = {0}", pa.int64()),
    ("regexp_full_match({0}, '-?(0|[1-9][0-9]{{0,14}})([.][0-9]{{1,9}})?')", pa.float64()),
    ("lower({0}) in ('true', 'false')", pa.bool_()),
    (
        "regexp_full_match({0}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') and try_cast({0} as date) is not null",
        pa.date32(),
    ),
    (
        "regexp_full_match({0}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}.*')"
        " and try_cast({0} as timestamptz) is not null",
        TIMESTAMP,
    ),
)


def infer_types(paths: Sequence[Path], names: Sequence[str]) -> Mapping[str, pa.DataType]:
    """The type of each text column (names as in the files) over all files; text where none fits, or no value is."""
    import duckdb

    if not paths or not names:
        return {}
    listing = ", ".join(quote(str(path)) for path in paths)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found: dict[str, pa.DataType] = {}
        for name in names:
            column = '"' + name.replace('"', '""') + '"'
            tests = ", ".join(f"bool_and(coalesce({test.format(column)}, false))" for test, _ in _TESTS)
            row = connection.execute(
                f"select count({column}), {tests} from read_parquet([{listing}], union_by_name = true)"
                f" where {column} is not null"
            ).fetchone()
            if row is not None and row[0]:
                fits = [kind for passed, (_, kind) in zip(row[1:], _TESTS, strict=True) if passed]
                found[name] = fits[0] if fits else pa.string()
        return found
