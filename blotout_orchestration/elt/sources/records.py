"""Records of an API to rows: nested objects become columns, moments become moments.

Belongs here: pure functions on one JSON record. Lists stay lists; the lake keeps them as JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from blotout_orchestration.elt.moments import moment

TYPES = ("long", "double", "date", "timestamp")


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose objects are dotted keys: `{"customer": {"id": 1}}` -> `{"customer.id": 1}`."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found.update({f"{key}.{inner}": one for inner, one in flat(value).items()})
        else:
            found[str(key)] = value
    return found


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
