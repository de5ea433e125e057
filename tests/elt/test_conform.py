"""What a source delivers against what its table has: no value is lost, and none is changed."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.elt.conform import Conformed, column_names, conform
from blotout_orchestration.elt.inference import infer_types
from blotout_orchestration.elt.types import TIMESTAMP, fitting, lake_type

TYPES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): st.integers(-(2**62), 2**62),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.bool_(): st.booleans(),
    pa.string(): st.one_of(st.text(max_size=5), st.integers(-999, 999).map(str)),
    pa.decimal128(12, 3): st.integers(-(10**11), 10**11).map(lambda cents: Decimal(cents) / 1000),
    pa.date32(): st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    TIMESTAMP: st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(
        lambda one: one.replace(tzinfo=UTC)
    ),
}
deliveries = st.lists(
    st.sampled_from(list(TYPES)).flatmap(
        lambda kind: st.tuples(
            st.just(kind), st.lists(st.one_of(st.none(), TYPES[kind]), min_size=1, max_size=4)
        )
    ),
    min_size=1,
    max_size=4,
)


def conformed(
    batches: list[tuple[pa.DataType, list[Any]]], contract: Any = "evolve"
) -> tuple[Conformed, list[Any]]:
    """The result, and the rows of its parts with every column of the result."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, (kind, values) in enumerate(batches):
            paths.append(Path(folder, f"{number}.parquet"))
            pq.write_table(pa.table({"V": pa.array(values, kind), "n": [number] * len(values)}), paths[-1])
        found = conform("s", paths, column_names(paths), {}, contract, (), Path(folder, "rows"))
        parts = [pq.read_table(path) for path in sorted(Path(folder, "rows").glob("*.parquet"))]
        return found, [row for part in parts for row in part.to_pylist()]


@settings(max_examples=60, deadline=None)
@given(deliveries)
def test_every_value_is_kept_once_in_its_column_or_in_the_one_beside_it(
    batches: list[tuple[pa.DataType, list[Any]]],
) -> None:
    found, rows = conformed(batches)
    originals = [value for _, values in batches for value in values]
    assert found.rows_read == len(originals)
    assert len(rows) == len(originals)
    for row, original in zip(rows, originals, strict=True):
        kept = [value for name, value in row.items() if name != "n" and value is not None]
        assert len(kept) == (original is not None)
        if kept and isinstance(kept[0], str) and not isinstance(original, str):
            assert kept[0]
        elif kept and not isinstance(original, str):
            same_day = isinstance(kept[0], datetime) and not isinstance(original, datetime)
            told = kept[0]
            if isinstance(told, float) or isinstance(original, float):
                # 0.15 as a decimal and as a double are one number written twice, though Python tells them apart.
                told, original = float(told), float(original)
            assert (told.date() if same_day else told) == original
        elif kept:
            assert (
                kept[0] == original
                or str(kept[0]).lower() == original.strip().lower()
                or _number(kept[0], original)
            )


def _number(value: Any, text: str) -> bool:
    """Whether a text was read as the number that it says."""
    return not isinstance(value, str) and float(value) == float(text)


@settings(max_examples=60, deadline=None)
@given(deliveries)
def test_a_closed_contract_keeps_each_row_or_counts_it(batches: list[tuple[pa.DataType, list[Any]]]) -> None:
    found, rows = conformed(batches, "discard_row")
    assert len(rows) + found.rows_discarded == found.rows_read
    assert set(found.columns) <= {"v", "n"}


@given(st.sampled_from(list(TYPES)).flatmap(lambda kind: st.tuples(st.just(kind), st.lists(TYPES[kind]))))
def test_a_value_that_fits_a_text_column_comes_back_from_it(pair: tuple[pa.DataType, list[Any]]) -> None:
    kind, values = pair
    target = lake_type(kind)
    column = pa.chunked_array([pa.array(values, kind)]).cast(target)
    texts, misfits = fitting(column, pa.string())
    assert not any(misfits.to_pylist())
    back, lost = fitting(texts, target)
    assert not any(lost.to_pylist())
    assert back.to_pylist() == column.to_pylist()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=4), st.integers().map(str), st.floats().map(str)), max_size=8
    )
)
def test_an_inferred_type_takes_every_text_and_writes_numbers_as_they_were(texts: list[str | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.parquet")
        pq.write_table(pa.table({"a": pa.array(texts, pa.string())}), path)
        found = infer_types([path], ["a"])
    if all(text is None for text in texts):
        assert found == {}
        return
    values, misfits = fitting(pa.chunked_array([pa.array(texts, pa.string())]), found["a"])
    assert not any(misfits.to_pylist())
    if found["a"] == pa.int64():
        assert [None if one is None else str(one) for one in values.to_pylist()] == texts
