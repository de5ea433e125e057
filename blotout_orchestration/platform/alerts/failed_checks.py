"""Failed asset checks, late data and broken freshness as troubles.

Belongs here: reading the newest state of checks and freshness. Does not belong here: what a check checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dagster import AssetCheckKey, AssetKey, DagsterInstance
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from blotout_orchestration.platform.alerts.failed_runs import OwnersOf
from blotout_orchestration.platform.alerts.troubles import Kind, Trouble, shortened

LATE_DATA_SUFFIX: Final = "_is_recent"
"""Checks on the newest moment of the data are named so; their failure is late data, not wrong data."""
CATCHING_UP: Final = timedelta(hours=1)
"""What follows an asset that was late may take this long to follow it again."""
FAILED: Final = (AssetCheckExecutionRecordStatus.FAILED,)


def failed_checks(
    instance: DagsterInstance, keys: Sequence[AssetCheckKey], owners_of: OwnersOf
) -> list[Trouble]:
    """A trouble for each check whose newest evaluation failed."""
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    return [
        _trouble_of_check(record, owners_of)
        for key, record in sorted(newest.items(), key=lambda item: item[0].to_user_string())
        if record is not None and record.status in FAILED
    ]


def stale_assets(
    instance: DagsterInstance,
    keys: Sequence[AssetKey],
    owners_of: OwnersOf,
    ancestors_of: Callable[[AssetKey], Set[AssetKey]],
    now: datetime,
) -> list[Trouble]:
    """A trouble for each asset that is later than its freshness policy allows, and not because another one is.

    What stands on a late asset is not told by itself, nor within CATCHING_UP after that one was made again.
    """
    states = instance.get_freshness_state_records(list(keys))
    excused = {
        key
        for key, record in states.items()
        if record.freshness_state == FreshnessState.FAIL
        or (record.freshness_state == FreshnessState.PASS and now - record.updated_at < CATCHING_UP)
    }
    return [
        Trouble(
            kind="late data",
            source=f"freshness:{key.to_user_string()}:{int(record.updated_at.timestamp())}",
            subject=key.to_user_string(),
            occurred_at=record.updated_at,
            first_error="The asset is older than its freshness policy allows.",
            owners=owners_of([key]),
            link=asset_link(key),
            again="look for the last failed or skipped run of the asset, or of what it is made from",
        )
        for key, record in sorted(states.items())
        if record.freshness_state == FreshnessState.FAIL and not ancestors_of(key) & excused
    ]


def asset_link(key: AssetKey, view: str = "overview") -> str:
    """Path of an asset's page in the Dagster UI."""
    return f"/assets/{'/'.join(key.path)}?view={view}"


def _trouble_of_check(record: Any, owners_of: OwnersOf) -> Trouble:
    key: AssetCheckKey = record.key
    evaluation = record.evaluation
    kind: Kind = "late data" if key.name.endswith(LATE_DATA_SUFFIX) else "failed check"
    severity = evaluation.severity.value if evaluation is not None else "ERROR"
    facts = _facts(evaluation.metadata) if evaluation is not None else ""
    said = (evaluation.description or "") if evaluation is not None else "the check itself could not run"
    message = ". ".join(part for part in (said.rstrip("."), facts) if part)
    return Trouble(
        kind=kind,
        source=f"check:{key.to_user_string()}:{record.id}",
        subject=key.to_user_string(),
        occurred_at=datetime.fromtimestamp(record.create_timestamp, UTC),
        first_error=shortened(message) or "failed",
        error_kind=severity,
        partition=record.partition or "",
        owners=owners_of([key.asset_key]),
        link=asset_link(key.asset_key, "checks"),
        again="the check runs again with the next run of its asset, or by hand on the asset's Checks tab",
    )


def _facts(metadata: Mapping[str, Any]) -> str:
    """Numbers of a check's metadata only: texts could hold values of people."""
    numbers = {
        name: value.value
        for name, value in metadata.items()
        if isinstance(value.value, int | float) and not isinstance(value.value, bool)
    }
    return ", ".join(f"{name} = {value}" for name, value in sorted(numbers.items()))
