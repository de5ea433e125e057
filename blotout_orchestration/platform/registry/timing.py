"""When a pipeline or channel is due: its cron expression or its interval, in UTC.

Belongs here: pure functions of times. Does not belong here: runs, sensors and the registry's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Protocol

from pydantic import AfterValidator, Field, model_validator

from blotout_orchestration.platform.registry.fields import Strict
from blotout_orchestration.setting_checks import check_cron

MANUAL: Final = "manual"
HOURLY: Final = "0 * * * *"
SHORTEST_INTERVAL: Final = 60
"""Seconds; the sensors look about twice a minute."""


def check_schedule(value: str) -> str:
    """A cron expression, or `manual`."""
    return value if value == MANUAL else check_cron(value)


Schedule = Annotated[str, Field(max_length=64), AfterValidator(check_schedule)]
Interval = Annotated[int, Field(ge=SHORTEST_INTERVAL, le=366 * 86_400)]


def check_one_of_both(schedule: str | None, interval_seconds: int | None) -> None:
    """Raises ValueError when both say when to run."""
    if schedule is not None and interval_seconds is not None:
        raise ValueError("give either a schedule or an interval, not both")


class Timing(Strict):
    """Either a cron expression (UTC), or an interval, or `manual`: only when somebody asks."""

    schedule: Schedule | None = None
    interval_seconds: Interval | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Timing:
        check_one_of_both(self.schedule, self.interval_seconds)
        return self

    @property
    def text(self) -> str:
        """The cron expression, `every N s`, or `manual`; hourly when nothing is said."""
        if self.interval_seconds is not None:
            return f"every {self.interval_seconds} s"
        return self.schedule or HOURLY


class Timed(Protocol):
    """What `due_keys` needs to know of a definition."""

    @property
    def timing(self) -> Timing:
        """When it runs."""

    @property
    def paused(self) -> bool:
        """Whether it must not run by itself."""

    @property
    def created_at(self) -> datetime:
        """When it was added: its first time."""


def latest_due(now: datetime, timing: Timing, created_at: datetime) -> datetime | None:
    """The newest time up to `now` at which a run is due; None for `manual` and before `created_at`.

    The first time is `created_at` itself, so that a new pipeline runs at once. Intervals count from there.
    """
    if timing.text == MANUAL or now < created_at:
        return None
    if timing.interval_seconds is not None:
        interval = timedelta(seconds=timing.interval_seconds)
        return created_at + (now - created_at) // interval * interval
    from croniter import croniter

    # The expression's last time is looked for before the next whole second, so that now itself counts.
    start = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
    fired: datetime = croniter(timing.text, start).get_prev(datetime)
    return max(fired.astimezone(UTC), created_at)


def due_keys(
    now: datetime, definitions: Mapping[str, Timed], last_runs: Mapping[str, datetime]
) -> dict[str, datetime]:
    """The keys that are due and the time each is due for, the longest waiting first.

    `last_runs` holds, for each key, the due time of its newest run. Times that were missed (a pause, an
    outage, a long run) count once: only the newest is due.
    """
    found: dict[str, datetime] = {}
    for key, definition in definitions.items():
        due = None if definition.paused else latest_due(now, definition.timing, definition.created_at)
        last = last_runs.get(key)
        if due is not None and (last is None or due > last):
            found[key] = due
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))
