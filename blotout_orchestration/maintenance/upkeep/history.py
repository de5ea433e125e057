"""Purging runs and captured output without making anything look as if it had never been made.

Belongs here: which runs may go, and letting them go. Does not belong here: ticks, whose retention is in
dagster.yaml.

Deleting a run deletes its events, and with them the materializations of the partitions it made: they would
count as missing, and automation would make them again. So a run stays for as long as it is the newest one
that materialized anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dagster import (
    AssetKey,
    AssetRecordsFilter,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    RunsFilter,
)
from dagster._core.storage.compute_log_manager import ComputeIOType

from blotout_orchestration.maintenance.execution import VerificationError
from blotout_orchestration.maintenance.plan import Plan, PlanItem

JOB: Final = "dagster_upkeep"
PURGE_RUN: Final = "purge run"
REMOVE_OUTPUT: Final = "remove captured output"
FINISHED: Final = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)
PAGE: Final = 200


def plan_purge(instance: DagsterInstance, now: datetime, run_age: timedelta, output_age: timedelta) -> Plan:
    """What is to be purged: finished runs last changed before `run_age`, captured output before `output_age`."""
    needed = runs_needed(instance)
    items: list[PlanItem] = []
    for record in _finished_before(instance, now - min(run_age, output_age)):
        run = record.dagster_run
        changed = record.update_timestamp.replace(tzinfo=UTC)
        why = f"{run.job_name}, {run.status.value}, last changed {changed:%Y-%m-%d}"
        if changed < now - run_age and run.run_id not in needed:
            items.append(PlanItem(PURGE_RUN, run.run_id, why))
        elif changed < now - output_age and _has_output(instance, run.run_id):
            items.append(PlanItem(REMOVE_OUTPUT, run.run_id, why))
    return Plan(JOB, now, tuple(items))


def runs_needed(instance: DagsterInstance) -> set[str]:
    """Runs that hold the newest materialization of an asset, or of one of its partitions.

    Newest check results need no run: Dagster keeps them in a table of their own.
    """
    needed: set[str] = set()
    for key in instance.get_asset_keys():
        needed.update(record.run_id for record in instance.fetch_materializations(key, limit=1).records)
        needed.update(_runs_of_newest_partitions(instance, key))
    return needed


def _runs_of_newest_partitions(instance: DagsterInstance, key: AssetKey) -> Iterator[str]:
    by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(
        key, DagsterEventType.ASSET_MATERIALIZATION
    )
    for ids in _pages(sorted(set(by_partition.values()))):
        records = instance.fetch_materializations(
            AssetRecordsFilter(asset_key=key, storage_ids=ids), limit=len(ids)
        ).records
        yield from (record.run_id for record in records)


def _finished_before(instance: DagsterInstance, moment: datetime) -> Iterator[Any]:
    cursor = None
    while True:
        filters = RunsFilter(statuses=list(FINISHED), updated_before=moment)
        records = instance.get_run_records(filters, limit=PAGE, cursor=cursor)
        yield from records
        if len(records) < PAGE:
            return
        cursor = records[-1].dagster_run.run_id


def _pages(values: list[int]) -> Iterable[list[int]]:
    return (values[start : start + PAGE] for start in range(0, len(values), PAGE))


def _has_output(instance: DagsterInstance, run_id: str) -> bool:
    manager: Any = instance.compute_log_manager
    try:
        return any(
            manager.get_log_keys_for_log_key_prefix([run_id, "compute_logs"], kind) for kind in ComputeIOType
        )
    except FileNotFoundError:
        return False


class Purge:
    """The action of `dagster_upkeep`: deletes runs and captured output, as planned."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance
        self._needed: set[str] | None = None

    def recheck(self, item: PlanItem) -> str | None:
        """A run that is gone, or that became the newest of something since the plan, is left alone."""
        if item.kind == PURGE_RUN:
            if self._needed is None:
                self._needed = runs_needed(self.instance)
            if self.instance.get_run_by_id(item.target) is None:
                return "it is gone already"
            if item.target in self._needed:
                return "it holds the newest materialization of something"
        return None

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """Delete the output first: a run that is gone could not be found again for it."""
        self.instance.compute_log_manager.delete_logs(prefix=[item.target])
        if item.kind == PURGE_RUN:
            self.instance.delete_run(item.target)
        return {"runs": int(item.kind == PURGE_RUN), "outputs": int(item.kind == REMOVE_OUTPUT)}

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Raises VerificationError when it is still there."""
        if item.kind == PURGE_RUN and self.instance.get_run_by_id(item.target) is not None:
            raise VerificationError("the run is still there")
        if _has_output(self.instance, item.target):
            raise VerificationError("the captured output is still there")
