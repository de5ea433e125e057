"""Runs whose process is gone: Dagster's default launcher cannot see that, and they hold their pool slots.

Belongs here: finding out which process runs a run, and whether it is alive. Does not belong here: runs from
the command line, which carry their process in a tag (`platform/runs.py`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from blotout_orchestration.platform import runs

UNDER_WAY: Final = (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
_STARTED_PROCESS: Final = re.compile(r"Started process for run \(pid: (\d+)\)")


@dataclass(frozen=True)
class Worker:
    """The process that Dagster started for a run on this host, and when it said so."""

    pid: int
    named_at: datetime


def worker_of(instance: DagsterInstance, run: DagsterRun) -> Worker | None:
    """The process of a run by its event log; None when no event names one, as on other launchers."""
    records = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT).records
    for record in records:
        entry: Any = record.event_log_entry
        found = _STARTED_PROCESS.search(entry.message or entry.get_dagster_event().message or "")
        if found:
            return Worker(int(found.group(1)), datetime.fromtimestamp(entry.timestamp, UTC))
    return None


def is_alive(worker: Worker) -> bool:
    """Whether the process runs; a later process that was given the same number is not it."""
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    started = runs.process_started_at(worker.pid)
    return started is None or started <= worker.named_at + runs.START_TOLERANCE


def fail_dead_runs(instance: DagsterInstance) -> list[str]:
    """Fail every run whose process is gone and free its pool slots; their ids.

    Works for runs of this host: those of the command line by their tag, those of the UI and the daemon by
    their event log. The process of the UI must be on this host as well, which `blotout ui` and `web` are.
    """
    dead: list[str] = []
    for run in instance.get_runs(RunsFilter(statuses=list(UNDER_WAY))):
        if runs.WORKER_TAG in run.tags:
            gone = runs.worker_is_gone(run.tags)
        else:
            worker = worker_of(instance, run)
            gone = worker is not None and not is_alive(worker)
        if gone and _still_under_way(instance, run.run_id):
            instance.report_run_failed(run, "The process of this run is gone; what it had committed is kept.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            dead.append(run.run_id)
    return dead


def _still_under_way(instance: DagsterInstance, run_id: str) -> bool:
    """A process that ended in order wrote its run's end before it went: look again."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in UNDER_WAY
