"""Partitions that are left failed: the newest try failed, and nobody made them since.

Belongs here: finding them. Does not belong here: making them again, which is the gap filler's and people's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from dagster import AssetKey, AssetsDefinition, DagsterInstance
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from blotout_orchestration.errors import BlotoutError

SHOWN: Final = 20


class FailedPartitionsError(BlotoutError):
    """Partitions are left failed; the message names the first ones and how to make them."""


def failed_partitions(
    instance: DagsterInstance, assets: Iterable[AssetsDefinition], now: datetime | None = None
) -> dict[AssetKey, list[str]]:
    """Failed partitions by asset, oldest first, of those assets that have partitions."""
    found: dict[AssetKey, list[str]] = {}
    for asset in assets:
        definition = asset.partitions_def
        if definition is None:
            continue
        keys = definition.get_partition_keys(
            current_time=now or datetime.now(UTC), dynamic_partitions_store=instance
        )
        for key in sorted(asset.keys):
            statuses = instance.get_status_by_partition(key, keys, definition) or {}
            failed = [name for name, status in statuses.items() if status == AssetPartitionStatus.FAILED]
            if failed:
                found[key] = failed
    return found


def raise_for_failed(found: Mapping[AssetKey, list[str]]) -> None:
    """Raises FailedPartitionsError when there are any."""
    if not found:
        return
    parts = [f"{key.to_user_string()} {name}" for key, names in found.items() for name in names]
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    raise FailedPartitionsError(
        f"{len(parts)} partitions are left failed: {', '.join(parts[:SHOWN])}{more}; "
        "materialize them on the asset's page (Partitions: failed), or `blotout run` their job with --hours"
    )
