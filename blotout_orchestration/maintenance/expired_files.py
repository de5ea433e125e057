"""Files whose time is over: query results, build folders of dbt, what loads left behind.

Belongs here: where they lie, when they may go, removing them. Files of lake tables are not: see expiry.py of
the lake, which knows what a snapshot needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pyarrow import fs as pafs

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.expiry import bare, remove_stored
from blotout_orchestration.lake.layers import filesystem
from blotout_orchestration.maintenance.execution import OvertakenError, VerificationError
from blotout_orchestration.maintenance.plan import PlanItem

RESULTS: Final = "query_results"
STAGING: Final = "staging_files"
TARGETS: Final = "dbt_target"
LOADS: Final = "load_folder"
LEFT_FOLDER: Final = "folder_without_table"


@dataclass(frozen=True)
class _Stored:
    path: str
    size: int
    modified: datetime


def plan_files(lake: Lake, now: datetime) -> list[PlanItem]:
    """One item for each layer with expired files, and one for each expired folder on this machine."""
    settings = lake.settings
    items = []
    for kind, location, days in (
        (RESULTS, lake.layer("athena-logs"), settings.query_result_days),
        (STAGING, f"{lake.layer('stg')}/staging", settings.staging_days),
    ):
        limit = now - timedelta(days=days)
        files = [file for file in _listed(location) if file.modified < limit]
        if files:
            items.append(
                PlanItem(
                    kind,
                    location,
                    f"{len(files)} files untouched for {days} days",
                    count=len(files),
                    bytes=sum(file.size for file in files),
                    details={"paths": [file.path for file in files], "limit": limit.isoformat()},
                )
            )
    home = settings.blotout_home.absolute()
    for kind, folder, glob, days in (
        (TARGETS, home / "dbt" / "runs", "*", settings.dbt_target_days),
        (LOADS, home / "elt", "*@*", settings.staging_days),
    ):
        limit = now - timedelta(days=days)
        for path in sorted(folder.glob(glob)) if folder.is_dir() else []:
            files = list(_below(path))
            if path.is_symlink() or not path.is_dir() or _touched(path, files) >= limit:
                continue
            items.append(
                PlanItem(
                    kind,
                    str(path.relative_to(home)),
                    f"untouched for {days} days",
                    count=len(files),
                    bytes=sum(file.size for file in files),
                    details={"limit": limit.isoformat()},
                )
            )
    return items


def plan_left_folders(
    lake: Lake, limit: datetime, is_temporary: Callable[[str], bool], locations: Sequence[str]
) -> list[PlanItem]:
    """Folders of temporary tables that are in no catalog any more: a drop that was killed leaves one.

    `locations` are those of all tables; a folder that one of them touches is not listed.
    """
    store, root = filesystem(lake.layer("processed"))
    taken = [f"{bare(location).rstrip('/')}/" for location in locations]
    items = []
    for schema in _folders(store, root):
        for path in _folders(store, schema):
            mine = f"{path.rstrip('/')}/"
            if not is_temporary(path.rpartition("/")[2]):
                continue
            if any(other.startswith(mine) or mine.startswith(other) for other in taken):
                continue
            location = _location(lake, path)
            files = _listed(location)
            if not files or max(file.modified for file in files) >= limit:
                continue
            details = {"paths": [file.path for file in files], "limit": limit.isoformat()}
            size = sum(file.size for file in files)
            why = "temporary by its name, and in no catalog"
            items.append(PlanItem(LEFT_FOLDER, location, why, len(files), size, details))
    return items


def _folders(store: pafs.FileSystem, root: str) -> list[str]:
    infos = store.get_file_info(pafs.FileSelector(root, allow_not_found=True))
    return sorted(info.path for info in infos if info.type == pafs.FileType.Directory)


def _location(lake: Lake, path: str) -> str:
    return f"s3://{path}" if "://" in lake.layer("processed") else path


def _listed(location: str) -> list[_Stored]:
    """Files below a location, by path."""
    store, root = filesystem(location)
    infos = store.get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=True))
    files = [info for info in infos if info.type == pafs.FileType.File]
    stored = [_Stored(info.path, info.size or 0, info.mtime or datetime.now(UTC)) for info in files]
    return sorted(stored, key=lambda file: file.path)


def _below(folder: Path) -> Iterator[_Stored]:
    """Files and folders below a folder; what vanishes meanwhile is left out."""
    for path in folder.rglob("*"):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        size = 0 if path.is_dir() else found.st_size
        yield _Stored(str(path), size, datetime.fromtimestamp(found.st_mtime, UTC))


def _touched(folder: Path, files: list[_Stored]) -> datetime:
    """When the folder or anything in it was last changed."""
    own = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return max([own, *(file.modified for file in files)])


class Remover:
    """Removing expired files and folders."""

    def __init__(self, lake: Lake, now: datetime) -> None:
        self._lake = lake
        self._now = now
        self._home = lake.settings.blotout_home.absolute()

    def recheck(self, item: PlanItem) -> str | None:
        """Why it stays: gone, or touched since the plan was made. Layers look at every file when they act."""
        if item.kind not in (TARGETS, LOADS):
            return None
        folder = self._home / item.target
        if not folder.is_dir():
            return "it is gone"
        touched = _touched(folder, list(_below(folder)))
        return "it is in use again" if touched >= datetime.fromisoformat(item.details["limit"]) else None

    def act(self, item: PlanItem) -> Mapping[str, Any]:
        """Remove what is still as old as the plan says."""
        if item.kind in (TARGETS, LOADS):
            folder = self._home / item.target
            shutil.rmtree(folder)
            return {"removed_files": item.count, "removed_bytes": item.bytes}
        limit, planned = datetime.fromisoformat(item.details["limit"]), set(item.details["paths"])
        files = [file for file in _listed(item.target) if file.path in planned and file.modified < limit]
        if not files:
            raise OvertakenError("the files are gone or were written anew")
        remove_stored(item.target, [file.path for file in files])
        return {"removed_files": len(files), "removed_bytes": sum(file.size for file in files)}

    def verify(self, item: PlanItem, done: Mapping[str, Any]) -> None:
        """Raises VerificationError when something of it is still there."""
        if item.kind in (TARGETS, LOADS):
            if (self._home / item.target).exists():
                raise VerificationError("the folder is still there")
            return
        limit, planned = datetime.fromisoformat(item.details["limit"]), set(item.details["paths"])
        left = [file for file in _listed(item.target) if file.path in planned and file.modified < limit]
        if left:
            raise VerificationError(f"{len(left)} files are still there")
