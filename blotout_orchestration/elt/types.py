"""Types of the lake for whatever a source delivers, and casts that never change a value.

Belongs here: Arrow types and arrays. A small set of types that every engine reads is used: text, long, double,
boolean, decimal, UTC timestamp, date, binary; what is nested, a time of day or a UUID is text.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

TIMESTAMP = pa.timestamp("us", tz="UTC")
WIDEST_DECIMAL = pa.decimal128(38, 9)


def lake_type(kind: pa.DataType) -> pa.DataType | None:
    """The lake's type for an Arrow type; None for a column of which only nulls were seen."""
    if pa.types.is_null(kind):
        return None
    if pa.types.is_dictionary(kind):
        return lake_type(kind.value_type)
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_uint64(kind):
        return pa.decimal128(20, 0)
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_decimal(kind):
        return pa.decimal128(min(kind.precision, 38), min(kind.scale, 38))
    if pa.types.is_timestamp(kind):
        return TIMESTAMP
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    return pa.string()


def to_lake(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in the lake's type. Naive timestamps are UTC, as every SQL driver delivers them."""
    target = lake_type(column.type)
    if target is None or column.type == target:
        return column
    if pa.types.is_dictionary(column.type):
        return to_lake(column.cast(column.type.value_type))
    if pa.types.is_timestamp(column.type):
        # Nanoseconds are cut: no engine of the platform keeps them.
        naive = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
        return naive.cast(target) if naive.type.tz else pc.assume_timezone(naive, "UTC")
    if pa.types.is_nested(column.type):
        texts = [None if value is None else _json(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    return column.cast(target)


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def type_name(kind: pa.DataType) -> str:
    """What people call a type of the lake; it also ends the name of a column for values of another type."""
    if pa.types.is_decimal(kind):
        return "decimal"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return {"int64": "long", "double": "double", "bool": "boolean", "date32[day]": "date"}.get(
        str(kind), str(kind)
    )


def widened(held: pa.DataType, came: pa.DataType) -> pa.DataType | None:
    """The type that Iceberg can promote the held one to so that both fit; None when there is none."""
    if pa.types.is_decimal(held) and pa.types.is_decimal(came) and held.scale == came.scale:
        return pa.decimal128(max(held.precision, came.precision), held.scale)
    return None


def fitting(column: pa.ChunkedArray, target: pa.DataType) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The column in the target type, null where a value does not fit, and a mask of those values.

    A value fits when the cast loses nothing: 12 fits text, "12" fits a long, 1.5 and "n/a" do not.
    """
    if column.type == target:
        return column, pa.chunked_array([pa.repeat(False, len(column))], pa.bool_())
    array = column.combine_chunks()
    cast = _cast(array, target)
    misfits = pc.and_(pc.is_valid(array), pc.is_null(cast))
    return pa.chunked_array([cast], target), pa.chunked_array([misfits], pa.bool_())


def _comparable(came: pa.DataType, target: pa.DataType) -> bool:
    """Whether a cast between the two means something; a moment is no number, though Arrow would cast it."""

    def family(kind: pa.DataType) -> str:
        """`number`, `moment`, or the type's own name."""
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return "number"
        return "moment" if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else str(kind)

    # A timestamp put into a date would lose its hours.
    if pa.types.is_date(target) and pa.types.is_timestamp(came):
        return False
    return "string" in (family(came), family(target)) or family(came) == family(target)


def _cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    if len(array) == 0 or not _comparable(array.type, target):
        return pa.nulls(len(array), target)
    try:
        return _cast_all(array, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if len(array) == 1:
            return pa.nulls(1, target)
    middle = len(array) // 2
    return pa.concat_arrays([_cast(array[:middle], target), _cast(array[middle:], target)])


def _cast_all(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(target) and pa.types.is_integer(array.type):
        return array.cast(pa.decimal128(38, target.scale)).cast(target)
    if pa.types.is_date(array.type) and pa.types.is_timestamp(target):
        return pc.assume_timezone(array.cast(pa.timestamp("us")), "UTC")
    if pa.types.is_string(array.type) and target == TIMESTAMP:
        return _moments(array)
    # Arrow's way from a decimal misses the nearest double (2.921 -> 2.9210000000000003); by text it does not.
    from_decimal = pa.types.is_decimal(array.type) and pa.types.is_floating(target)
    found = (array.cast(pa.string()) if from_decimal else array).cast(target)
    rounds = {pa.types.is_floating(array.type), pa.types.is_floating(target)} == {True, False}
    exact = pa.types.is_decimal(array.type) or pa.types.is_decimal(target)
    # Between decimals and doubles Arrow rounds; a value that does not come back as it was does not fit.
    if rounds and exact and not pc.all(pc.equal(found.cast(array.type), array), skip_nulls=True).as_py():
        raise pa.ArrowInvalid("digits would be lost")
    return found


def _moments(array: pa.Array) -> pa.Array:
    """ISO 8601 texts as UTC; those without an offset are UTC. Raises ArrowInvalid."""
    try:
        return array.cast(TIMESTAMP)
    except pa.ArrowInvalid:
        return pc.assume_timezone(array.cast(pa.timestamp("us")), "UTC")
