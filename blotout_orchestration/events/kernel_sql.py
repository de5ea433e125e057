"""The SQL of the kernel: landed lines in, typed events out.

Belongs here: building the query from the declarations in fields.py. User agents, URLs and channels are
parsed afterwards, on distinct values (enrichment.py).
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from blotout_orchestration.events.fields import (
    BODY,
    ENVELOPE,
    EVENT,
    GROUPS,
    HEADERS,
    META,
    PROPERTIES,
    REQUEST,
    ZEROS,
    Group,
    Kind,
)

_NUMBER = "^[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?$"
_CONTRACT_NAMES = {
    "sent_event_id": "event_id",
    "sdk_type": "event_type",
    "user_id_in_body": "user_id",
    "user_agent_in_body": "user_agent",
    "app_name": "application_name",
    "os_name": "platform",
    "platform_code": "platform",
    "sent_os_version": "os_version",
    "sent_device_brand": "device_brand",
    "sent_device_model": "device_model",
    "sent_browser": "browser",
    "sent_version": "browser_version",
}
"""What `type_conflicts` calls columns that the enrichment turns into columns of the contract."""
LATEST_MS = 7_258_118_400_000
"""1 January 2200 in milliseconds: a client clock beyond it is not a clock."""

LARGEST_AMOUNT = "100000000000.0000"
"""Money beyond it, either way, is a type conflict: anybody may send an amount, and sums must not overflow."""


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def structure(shape: object) -> str:
    """A structure for from_json, as a SQL literal."""
    return quoted(json.dumps(shape))


def _removal(keys: list[str]) -> str:
    """A JSON merge patch that removes the keys (RFC 7386)."""
    return quoted(json.dumps(dict.fromkeys(keys), separators=(",", ":")))


def _doubtful(text: str) -> str:
    """Whether a text may stand for something that was no JSON string, or wants trimming."""
    return (
        f"({text} ^@ '{{' or {text} ^@ '[' or {text} = 'true' or {text} = 'false' "
        f"or {text} ^@ ' ' or suffix({text}, ' '))"
    )


def _type_of(paths: tuple[tuple[str, str], ...]) -> str:
    found = [f"nullif(json_type({document}, {quoted('$.' + path)}), 'NULL')" for document, path in paths]
    return f"coalesce({', '.join(found)}, 'VARCHAR')"


def _own_text(text: str, paths: tuple[tuple[str, str], ...]) -> str:
    """A trimmed text; NULL when it is empty or when the JSON value was an object, a list or a boolean."""
    kept = f"{_type_of(paths)} not in ('OBJECT', 'ARRAY', 'BOOLEAN')"
    return f"case when {kept} then nullif(trim({text}), '') end"


def typed(text: str, kind: Kind, paths: tuple[tuple[str, str], ...] = ()) -> str:
    """SQL that turns a text into its type; NULL when it does not fit."""
    plain = f"not contains({text}, '_') and not contains({text}, 'x')"
    if kind in ("text", "currency"):
        value = f"case when {_doubtful(text)} then {_own_text(text, paths)} else nullif({text}, '') end"
        return f"upper({value})" if kind == "currency" else value
    if kind == "category":
        listed = f"list_filter(try(from_json({text}, '[\"VARCHAR\"]')), lambda x: x is not null and x <> '')"
        joined = f"coalesce(array_to_string({listed}, ' > '), trim({text}))"
        return (
            f"nullif(case when {text} ^@ '[' then {joined} when {text} ^@ '{{' then null "
            f"when {_type_of(paths)} = 'BOOLEAN' then null else trim({text}) end, '')"
        )
    if kind in ("money", "double"):
        number = f"try_cast({text} as {'decimal(18,4)' if kind == 'money' else 'double'})"
        bounded = f" and {number} between -{LARGEST_AMOUNT} and {LARGEST_AMOUNT}" if kind == "money" else ""
        return f"case when regexp_matches(trim({text}), '{_NUMBER}'){bounded} then {number} end"
    if kind == "int":
        whole = f"not contains({text}, '.') or regexp_matches({text}, '[.]0*$')"
        return f"case when {plain} and ({whole}) then try_cast({text} as integer) end"
    if kind == "pixels":
        return f"case when {plain} then try_cast({text} as integer) end"
    if kind == "epoch":
        ms = f"try_cast({text} as bigint)"
        return (
            f"case when {plain} and {ms} between 0 and {LATEST_MS - 1} then make_timestamptz({ms} * 1000) end"
        )
    raise ValueError(f"unknown kind {kind!r}")


def _group_text(group: Group, column: str) -> str:
    """SQL of a data column's text: the SDK's keys, EdgeTag's where they count, ids mapped by /data."""
    _, own, tag = group.columns[column]
    found = [f'd."{key}"' for key in own]
    found += [f'case when {group.edgetag} then d."{key}" end' for key in tag]
    found += {"data_map_id": ["mapped_id"], "data_map_provider": ["mapped_provider"]}.get(column, [])
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _group_paths(group: Group, column: str) -> tuple[tuple[str, str], ...]:
    _, own, tag = group.columns[column]
    return tuple(("data", f'"{key}"') for key in own + tag)


def _conflict(value: str, text: str) -> str:
    return f"(case when {value} is null and {text} <> '' then trim({text}) <> '' else false end)"


def _entry(name: str, value: str, text: str) -> str:
    return f"case when {_conflict(value, text)} then {{'key': {name}, 'value': to_json({text})}} end"


def _conflict_name(column: str) -> str:
    """SQL of the name by which `type_conflicts` knows a column of the envelope; a name is there only once."""
    name = quoted(_CONTRACT_NAMES.get(column, column))
    if column == "platform_code":
        return f"case when {_conflict('os_name', 'text_os_name')} then 'platform_code' else {name} end"
    return name


def _group_parts() -> dict[str, str]:
    """The pieces of the query that deal with the groups of data columns."""
    parsed, values, conflicts, lists, outputs = [], [], [], [], []
    for name, group in GROUPS.items():
        keys = structure(dict.fromkeys(group.keys, "VARCHAR"))
        parsed.append(
            f"case when data ^@ '{{' and ({group.present}) then from_json(data, {keys}) end as d_{name}"
        )
        texts = {column: _group_text(group, column).replace("d.", f"d_{name}.") for column in group.columns}
        packed = ", ".join(
            f"{column} := {typed(texts[column], kind, _group_paths(group, column))}"
            for column, (kind, _, _) in group.columns.items()
        )
        values.append(f"case when d_{name} is not null then struct_pack({packed}) end as v_{name}")
        doubts = " or ".join(_conflict(f"v_{name}.{column}", text) for column, text in texts.items())
        conflicts.append(f"case when d_{name} is not null then ({doubts}) else false end")
        lists += [_entry(quoted(column), f"v_{name}.{column}", text) for column, text in texts.items()]
        for column, text in texts.items():
            value = f"v_{name}.{column}"
            if column in ZEROS:
                value = (
                    f"coalesce({value}, case when event_name = '{ZEROS[column]}' and d_{name} is not null "
                    f"and {text} is null then 0 end)"
                )
            outputs.append(f"{value} as {column}")
    own = [key for group in GROUPS.values() for _, keys, _ in group.columns.values() for key in keys]
    persona = [key for _, _, keys in GROUPS["persona"].columns.values() for key in keys]
    for_tags = {
        name: [key for _, _, keys in GROUPS[name].columns.values() for key in keys]
        for name in ("transaction", "item")
    }
    return {
        "parsed_groups": ",\n    ".join(parsed),
        "group_values": ",\n    ".join(values),
        "group_conflicts": "\n      or ".join(conflicts),
        "group_entries": ",\n      ".join(lists),
        "group_outputs": ",\n  ".join(outputs),
        "no_group": " and ".join(f"d_{name} is null" for name in GROUPS),
        "only_object": " and ".join(f"d_{name} is null" for name in GROUPS if name != "object"),
        "remove_object": _removal(GROUPS["object"].keys),
        "remove_own": _removal(own),
        "remove_tag": _removal(own + persona),
        "remove_purchase": _removal(own + persona + for_tags["transaction"]),
        "remove_item": _removal(own + persona + for_tags["item"]),
    }


def _envelope_parts() -> dict[str, str]:
    """The pieces of the query that deal with the columns of the envelope."""
    texts = ",\n    ".join(f"{field.text} as text_{name}" for name, field in ENVELOPE.items())
    values = [
        f"{typed(f'text_{name}', field.kind, field.paths)} as {name}" for name, field in ENVELOPE.items()
    ]
    conflicts = [_conflict(name, f"text_{name}") for name in ENVELOPE]
    return {
        "envelope_texts": texts,
        "envelope_values": ",\n    ".join(values),
        "envelope_conflicts": "\n      or ".join(conflicts),
        "envelope_entries": ",\n      ".join(
            _entry(_conflict_name(name), name, f"text_{name}") for name in ENVELOPE
        ),
        "envelope_outputs": ",\n  ".join(name for name in ENVELOPE if name != "sent_event_id"),
    }


@cache
def kernel_sql(raw: bool = True) -> str:
    """The query over a table `lines` (arrival_hour, landing_file, landing_line, line).

    One row an event, and one a line without events. `reason` is NULL for a good event; `raw` is the event
    or, where there is none, the line; without `raw`, refused rows only have it. Columns that still need enrichment come beside the contract's.
    """
    template = resources.files(__package__).joinpath("kernel.sql").read_text("utf-8")
    names = [name for header in HEADERS for name in (header, header.lower(), header.title())]
    variants = ", ".join(quoted(f'$."{name}"') for name in names)
    picked = ", ".join(
        f"'{header}': coalesce(h[{3 * index + 1}], h[{3 * index + 2}], h[{3 * index + 3}])"
        for index, header in enumerate(HEADERS)
    )
    parts = {
        "request": structure({**REQUEST, "headers": dict.fromkeys(HEADERS, "VARCHAR")}),
        "body": structure(BODY),
        "meta": structure(META),
        "remove_meta": _removal(list(META)),
        "remove_meta_of_app": _removal([key for key in META if key != "appv"]),
        "event": structure(EVENT),
        "properties": structure(PROPERTIES),
        "header_variants": f"[{variants}]",
        "headers_picked": f"{{{picked}}}",
        "body_without_events": ", ".join(f'"{name}" := b."{name}"' for name in BODY if name != "events"),
        "raw_kept": "true" if raw else "reason is not null",
        "event_time": typed("text_event_datetime", "epoch"),
        **_envelope_parts(),
        **_group_parts(),
    }
    for name, text in parts.items():
        template = template.replace(f"/*{name}*/", text)
    return template
