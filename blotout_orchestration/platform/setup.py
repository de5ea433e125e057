"""Whether the platform has been set up, and keeping schedules and sensors waiting until it has.

Belongs here: the record of the steps, and the gate. The steps themselves are maintenance/setup_steps.py.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from blotout_orchestration.platform.database import DatabaseUnavailableError, platform_database, writing

if TYPE_CHECKING:
    from dagster import ScheduleDefinition, SensorDefinition

    from blotout_orchestration.settings import Settings

    Gated = TypeVar("Gated", ScheduleDefinition, SensorDefinition)

SETUP_JOB: Final = "one_time_setup"
COMPLETE: Final = "complete"
"""Name of the row that says that every step has succeeded."""

_done: set[tuple[str, str]] = set()


def _key(settings: Settings) -> tuple[str, str]:
    return settings.platform_database_uri, settings.namespace


def database_is_missing(settings: Settings) -> bool:
    """Whether the platform's database is a file that nobody has made yet."""
    uri = settings.platform_database_uri
    return uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists()


def setup_done(settings: Settings) -> bool:
    """Whether `one_time_setup` has succeeded on this ground; asked of the database until it has.

    Raises DatabaseUnavailableError. Asking makes nothing: a database that is not there has not been set up.
    """
    if database_is_missing(settings):
        _done.discard(_key(settings))
        return False
    if _key(settings) not in _done and COMPLETE in steps(settings):
        _done.add(_key(settings))
    return _key(settings) in _done


def steps(settings: Settings) -> dict[str, Mapping[str, Any]]:
    """The steps that have succeeded, by name: done_at, run_id, details. Raises DatabaseUnavailableError."""
    from sqlalchemy import select

    from blotout_orchestration.platform.database.tables import setup_step

    query = select(setup_step).where(setup_step.c.name.startswith(f"{settings.namespace}/"))
    with platform_database(settings).connect() as connection:
        rows = connection.execute(query).mappings().all()
    return {str(row["name"]).partition("/")[2]: dict(row) for row in rows}


def record_step(settings: Settings, name: str, run_id: str | None, details: Mapping[str, Any]) -> None:
    """Write down that a step succeeded, in place of what was written before."""
    from sqlalchemy.exc import IntegrityError

    from blotout_orchestration.platform.database.tables import setup_step

    full_name = f"{settings.namespace}/{name}"
    values = {"done_at": datetime.now(UTC), "run_id": run_id, "details": dict(details)}
    try:
        with writing(settings) as connection:
            found = connection.execute(
                setup_step.update().where(setup_step.c.name == full_name).values(values)
            )
            if found.rowcount == 0:
                connection.execute(setup_step.insert().values(name=full_name, **values))
    except IntegrityError:
        return  # another run of the setup has just written the same


def waiting_reason(settings: Settings) -> str | None:
    """Why nothing may run yet; None when the platform is set up."""
    try:
        if setup_done(settings):
            return None
    except DatabaseUnavailableError as error:
        return f"whether the platform is set up cannot be read: {error}"
    return f"waiting for {SETUP_JOB}: it has not succeeded yet; its sensor starts it, or run `blotout run {SETUP_JOB} --no-dry-run`"


def after_setup(settings: Settings, definitions: Sequence[Gated]) -> list[Gated]:
    """The same schedules or sensors, which skip with a reason until the platform is set up.

    Left as they are: sensors that start no job, and those that Dagster's daemon evaluates itself (automation
    conditions, run status): they follow runs, and before the setup there are none.
    """
    from dagster import ScheduleDefinition, SensorDefinition

    gated: list[Gated] = []
    for definition in definitions:
        if isinstance(definition, ScheduleDefinition):
            gated.append(_gated_schedule(settings, definition))
        elif type(definition) is SensorDefinition and definition.targets:
            gated.append(_gated_sensor(settings, definition))
        else:
            gated.append(definition)
    return gated


def _gated_schedule(settings: Settings, original: Any) -> Any:
    # Dagster has no public way to wrap an evaluation; its version is pinned and a test holds this.
    from dagster import SkipReason

    waiting = copy.copy(original)
    inner = getattr(original._execution_fn, "wrapped_fn", original._execution_fn)

    def evaluate(context: Any) -> Any:
        reason = waiting_reason(settings)
        return SkipReason(reason) if reason else inner(context)

    waiting._execution_fn = evaluate
    return waiting


def _gated_sensor(settings: Settings, original: Any) -> Any:
    from dagster import SkipReason

    waiting = copy.copy(original)
    inner = original._evaluation_fn

    def evaluate(context: Any) -> Any:
        reason = waiting_reason(settings)
        return [SkipReason(reason)] if reason else inner(context)

    waiting._evaluation_fn = evaluate
    return waiting
