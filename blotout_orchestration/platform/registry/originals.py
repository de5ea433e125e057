"""Definitions as the original platform kept them: its row of `connection_pipeline`, with Airbyte's payload.

Belongs here: what of Airbyte's connection we take over, what has no meaning here. Does not belong here: our
own form (forms.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from blotout_orchestration.platform.registry.timing import MANUAL

WITHOUT_MEANING: Final = frozenset(
    [
        "breakingChange",
        "connectionId",
        "createdAt",
        "dataplaneGroupId",
        "destinationId",
        "geography",
        "name",
        "namespaceDefinition",
        "namespaceFormat",
        "nonBreakingChangesPreference",
        "notifySchemaChanges",
        "notifySchemaChangesByEmail",
        "operationIds",
        "prefix",
        "resourceRequirements",
        "sourceCatalogId",
        "sourceId",
        "tags",
        "updatedAt",
        "workspaceId",
    ]
)
"""Keys of an Airbyte connection beside its catalog that say nothing about the work to be done here."""
_ROW_ONLY: Final = frozenset({"id", "created_at", "updated_at"})
_UNITS: Final = {"minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800, "months": 2_592_000}


def is_original(document: Mapping[str, Any]) -> bool:
    """Whether a document is a row of the original rather than our own form."""
    return "payload" in document or "syncCatalog" in document


def translate(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A row as the registry's definition reads it, and the names of what was left out.

    A payload may be a JSON text, as an export of the database has it. Raises ValueError with what cannot be
    taken over.
    """
    row = {name: value for name, value in document.items() if name not in _ROW_ONLY}
    if row.pop("is_deleted", 0) not in (0, False, None):
        raise ValueError("the row is a removed one (is_deleted)")
    if "payload" not in row:
        columns = ("name", "source_name", "source_type")
        row = {name: row[name] for name in columns if name in row} | {
            "payload": {name: value for name, value in row.items() if name not in columns}
        }
    payload, left_out = translate_payload(row["payload"])
    return {**row, "payload": payload}, [f"payload.{name}" for name in left_out]


def translate_payload(payload: object) -> tuple[dict[str, Any], list[str]]:
    """A payload as the registry's definition reads it, and the names of what was left out. Raises ValueError."""
    given = payload_object(payload)
    taken = {name: value for name, value in given.items() if name not in WITHOUT_MEANING}
    _take_status(taken)
    _take_schedule(taken)
    return taken, sorted(set(given) & WITHOUT_MEANING)


def payload_object(payload: object) -> Mapping[str, Any]:
    """A payload, which an export of the database may have as text. Raises ValueError."""
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            raise ValueError("neither an object nor the text of one in JSON") from None
    if not isinstance(payload, Mapping):
        raise ValueError("not an object")
    return payload


def _take_status(payload: dict[str, Any]) -> None:
    status = payload.pop("status", None)
    if status not in (None, "active", "inactive"):
        raise ValueError(
            "payload.status: a connection that was deleted there"
            if status == "deprecated"
            else "payload.status: expected active or inactive"
        )
    if status == "inactive":
        payload.setdefault("paused", True)


def _take_schedule(payload: dict[str, Any]) -> None:
    """Airbyte's schedule as ours, unless ours is there."""
    kind = payload.pop("scheduleType", None)
    data = payload.pop("scheduleData", None) or {}
    basic = data.get("basicSchedule") if isinstance(data, Mapping) else None
    if isinstance(payload.get("schedule"), Mapping):
        basic = payload.pop("schedule")
    if payload.get("schedule") is not None or payload.get("interval_seconds") is not None:
        return
    if kind == "manual":
        payload["schedule"] = MANUAL
    elif isinstance(data, Mapping) and "cron" in data:
        raise ValueError(
            "payload.scheduleData.cron: a Quartz expression; say it as `schedule`, a cron expression of five fields in UTC"
        )
    elif isinstance(basic, Mapping):
        unit = _UNITS.get(str(basic.get("timeUnit")))
        if unit is None or not isinstance(basic.get("units"), int):
            raise ValueError(f"payload.schedule: expected units and a timeUnit of {', '.join(_UNITS)}")
        payload["interval_seconds"] = basic["units"] * unit
