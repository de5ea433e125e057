"""Records of an API to rows: nested objects become columns, moments become moments.

Belongs here: pure functions on one JSON record. Lists stay lists; the lake keeps them as JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

TYPES = ("long", "double", "date", "timestamp")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose objects are dotted keys: `{"customer": {"id": 1}}` -> `{"customer.id": 1}`."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found.update({f"{key}.{inner}": one for inner, one in flat(value).items()})
        else:
            found[str(key)] = value
    return found


def moment(value: Any) -> Any:
    """An ISO 8601 text as a date or a moment in UTC; anything else as it is.

    Cursors are compared as moments: as texts `09:00+02:00` would stand after `08:00Z`.
    """
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return value
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        found = datetime.fromisoformat(value)
    except ValueError:
        return value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def typed(value: Any, kind: str) -> Any:
    """A value that an API writes as text (`"36150000"`) in its own type; as it is when it has none of it."""
    if not isinstance(value, str):
        return value
    try:
        if kind == "long":
            return int(value)
        return float(value) if kind == "double" else moment(value)
    except ValueError:
        return value


def _picker(path: str) -> Callable[[Mapping[str, Any]], Any]:
    """What reads `path` or `path as type` out of a flat record."""
    name, _, kind = path.partition(" as ")
    if not kind:
        return lambda record: record.get(name)
    if kind not in TYPES:
        raise ValueError(f"{path!r}: the types are {', '.join(TYPES)}")
    return lambda record: typed(record.get(name), kind)


def reshaper(
    columns: Mapping[str, str], explode: str | None, cursor: str | None
) -> Callable[[Any], Iterator[dict[str, Any]]]:
    """A step from one record to its rows.

    `columns` keeps only these (name -> dotted path, with ` as long` and the like for what comes as text); empty
    keeps everything. `explode` names a list: one row an
    entry, the entry's fields as `<list>.<field>` and its place as `<list>.index`. A record without entries
    gives no row.
    """

    pickers = {name: _picker(path) for name, path in columns.items()}

    def rows(record: Any) -> Iterator[dict[str, Any]]:
        for one in _exploded(flat(record), explode):
            row = {name: pick(one) for name, pick in pickers.items()} if pickers else one
            if cursor is not None and cursor in row:
                row[cursor] = moment(row[cursor])
            yield row

    return rows


def _exploded(record: dict[str, Any], explode: str | None) -> Iterator[dict[str, Any]]:
    if explode is None:
        yield record
        return
    entries = record.pop(explode, None) or []
    for index, entry in enumerate(entries):
        fields = flat(entry) if isinstance(entry, Mapping) else {"value": entry}
        yield {
            **record,
            f"{explode}.index": index,
            **{f"{explode}.{key}": one for key, one in fields.items()},
        }
