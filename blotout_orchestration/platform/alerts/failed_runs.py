"""Failed runs as troubles: which are news, whose they are, and what went wrong first.

Belongs here: reading a failed run. Does not belong here: the outbox, and which sensor asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dagster import AssetKey, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import PARTITION_NAME_TAG

from blotout_orchestration.platform.alerts.troubles import Trouble, shortened
from blotout_orchestration.platform.registry import CHANNEL_PARTITIONS, PIPELINE_PARTITIONS
from blotout_orchestration.platform.runs import RANGE_END_TAG, RANGE_START_TAG

RETRY_TAGS: Final = ("dagster/parent_run_id", "dagster/retry_number")
"""A run with one of these was started because an earlier one failed, which was told already."""
REGISTERED_JOBS: Final = (PIPELINE_PARTITIONS, CHANNEL_PARTITIONS)
"""Jobs with a partition for each row of a registry; they bear its name."""
RUNS_A_LOOK: Final = 50
LISTED_ASSETS: Final = 3
"""How many assets name a run that no job of ours does."""
_ADDRESS: Final = re.compile(r"[^\s@'\"<>,;:()=]+@[^\s@'\"<>,;:()=]+\.\w+")
_LONG_NUMBER: Final = re.compile(r"\+?\d(?:[ ().-]{0,3}\d){8,}")

Scrub = Callable[[str], str]
OwnersOf = Callable[[Sequence[AssetKey]], tuple[str, ...]]


@dataclass(frozen=True)
class FirstError:
    """The step that failed first, the innermost exception's class and its message."""

    step: str
    kind: str
    message: str


def without_people(text: str) -> str:
    """A text of others without e-mail addresses and phone numbers: an alert leaves the platform."""
    return _LONG_NUMBER.sub("<number>", _ADDRESS.sub("<address>", text))


def failed_since(instance: DagsterInstance, since: datetime) -> tuple[list[DagsterRun], datetime]:
    """Failed runs that changed after a moment, oldest first, and the moment to ask from next.

    At most RUNS_A_LOOK at once; the next look goes on where this one ended. Runs of the very moment itself
    come again, which the outbox notices.
    """
    records = instance.get_run_records(
        RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=since),
        limit=RUNS_A_LOOK,
        order_by="update_timestamp",
        ascending=True,
    )
    if not records:
        return [], since
    return [record.dagster_run for record in records], records[-1].update_timestamp.replace(tzinfo=UTC)


def is_first_attempt(run: DagsterRun) -> bool:
    """Whether nobody has been told of this run's trouble by an attempt before it."""
    return not any(tag in run.tags for tag in RETRY_TAGS)


def first_error(instance: DagsterInstance, run: DagsterRun) -> FirstError:
    """What went wrong first: the earliest failed step, or why the run itself failed."""
    steps = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.STEP_FAILURE, limit=1).records
    for record in steps:
        event = record.event_log_entry.get_dagster_event()
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            message = error.message.removeprefix(f"{error.cls_name}: ")
            return FirstError(event.step_key or "", error.cls_name or "", message)
    ends = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.RUN_FAILURE, limit=1).records
    for record in ends:
        event = record.event_log_entry.get_dagster_event()
        failure = event.job_failure_data
        message = failure.error.message if failure.error else event.message or ""
        return FirstError("", failure.error.cls_name or "" if failure.error else "", message)
    return FirstError("", "", "the run ended without an error in its log")


def partition_of(run: DagsterRun) -> str:
    """The partition of a run, `first .. last` for a range; empty without partitions."""
    key = run.tags.get("dagster/partition")
    if key:
        return key
    first, last = run.tags.get(RANGE_START_TAG, ""), run.tags.get(RANGE_END_TAG, "")
    return first if first == last else f"{first} .. {last}"


def run_again(run: DagsterRun, job: str | None) -> str:
    """How to run it again, with what the command line needs to do the same; `job` as in `trouble_of`."""
    if job is None:
        return "in the UI: Re-execute (from failure)"
    command = f"blotout run {job}"
    if job in REGISTERED_JOBS and PARTITION_NAME_TAG in run.tags:
        command += f" --partition {run.tags[PARTITION_NAME_TAG]}"
    if _was_for_real(run):
        command += " --no-dry-run"
    return f"in the UI: Re-execute (from failure); or: {command}"


def _was_for_real(run: DagsterRun) -> bool:
    """Whether a job whose runs by hand are dry runs was started to act."""
    ops = run.run_config.get("ops", {}) if isinstance(run.run_config, dict) else {}
    return any(op.get("config", {}).get("dry_run") is False for op in ops.values())


def trouble_of(
    instance: DagsterInstance,
    run: DagsterRun,
    occurred_at: datetime,
    owners: tuple[str, ...],
    scrub: Scrub,
    job: str | None,
) -> Trouble:
    """The trouble that a failed run is; `owners` are those of the assets that it was to make.

    `job` is the job by which people know the run: its own, or, when automation or the asset page launched it,
    the one that makes these assets; None when there is no such job.
    """
    error = first_error(instance, run)
    return Trouble(
        kind="failed run",
        source=run.run_id,
        subject=job or _named_by_assets(run),
        occurred_at=occurred_at,
        step=error.step,
        error_kind=error.kind,
        first_error=shortened(without_people(scrub(error.message))) or error.kind,
        partition=partition_of(run),
        owners=owners or _tagged_owners(run),
        link=f"/runs/{run.run_id}",
        again=run_again(run, job),
    )


def _named_by_assets(run: DagsterRun) -> str:
    names = sorted(key.to_user_string() for key in run.asset_selection or ())
    listed = ", ".join(names[:LISTED_ASSETS])
    more = len(names) - LISTED_ASSETS
    return (f"{listed} and {more} more" if more > 0 else listed) or run.job_name


def _tagged_owners(run: DagsterRun) -> tuple[str, ...]:
    owner = run.tags.get("owner", "")
    return (owner,) if owner else ()
