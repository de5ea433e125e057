"""The audit log: who did what, when, in which run, and how it went.

Belongs here: writing and reading the log. Does not belong here: deciding whether somebody may do something.
Details carry names and counts, never values of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from blotout_orchestration.platform.database import platform_database, writing

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

Outcome = Literal["planned", "done", "skipped", "refused", "failed"]


def record(
    settings: Settings,
    *,
    actor: str,
    action: str,
    target: str,
    outcome: Outcome,
    run_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Append an action to the log, in a transaction of its own. Raises DatabaseUnavailableError."""
    from blotout_orchestration.platform.database.tables import audit_log

    with writing(settings) as connection:
        connection.execute(
            audit_log.insert().values(
                at=datetime.now(UTC),
                actor=actor,
                action=action,
                target=target[:512],
                outcome=outcome,
                run_id=run_id,
                details=dict(details or {}),
            )
        )


def entries(
    settings: Settings, *, action: str | None = None, run_id: str | None = None, limit: int = 100
) -> Sequence[Mapping[str, Any]]:
    """The newest entries first, at most `limit`; narrowed to one action or one run."""
    from sqlalchemy import select

    from blotout_orchestration.platform.database.tables import audit_log

    query = select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)
    if action is not None:
        query = query.where(audit_log.c.action == action)
    if run_id is not None:
        query = query.where(audit_log.c.run_id == run_id)
    with platform_database(settings).connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
