"""What a lake table no longer needs: snapshots that nobody reads any more, and files that no snapshot refers to.

Belongs here: finding both and removing them. How long they are kept is the caller's.

A snapshot may go when another one took its place long ago - not when it was made long ago: in a quiet table
the snapshot that a reader has just planned from can be a year old.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from pyarrow import fs as pafs
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of

from blotout_orchestration.lake.commits import with_retries
from blotout_orchestration.lake.layers import filesystem

FOLDERS = ("data", "metadata")
"""Folders of a table that are swept; a file beside them is not the table's."""


MAXIMUM_OBJECTS = 1000
"""So many objects one call of S3's DeleteObjects takes."""
MARK = "blotout.source-name"
"""Snapshot property of loads: the newest snapshot of each source carries the hash by which the next load
sees whether anything changed, so it stays."""


class UnsafeSweepError(Exception):
    """The files that the table needs are not where the sweep looks: nothing may be removed."""


@dataclass(frozen=True, order=True)
class StoredFile:
    """A file below a table's location: path without scheme, size in bytes, modification time (UTC)."""

    path: str
    size: int
    modified: datetime


def bare(location: str) -> str:
    """A path without its scheme, so that `file:///a`, `/a`, `s3a://b/c` and `s3://b/c` compare."""
    return location.partition("://")[2] if "://" in location else location


def expirable_snapshots(table: Table, now: datetime, keep: timedelta, minimum: int) -> list[int]:
    """Snapshots that were replaced by another one longer than `keep` ago, oldest first.

    Heads of branches, tags, the newest `minimum` snapshots of the main branch and the newest load of each
    source (`MARK`) always stay.
    """
    metadata = table.metadata
    protected = {reference.snapshot_id for reference in metadata.refs.values()}
    replaced_at: dict[int, int] = {}
    history = list(ancestors_of(table.current_snapshot(), metadata))
    for newer, older in pairwise(history):
        replaced_at[older.snapshot_id] = newer.timestamp_ms
    newest = {snapshot.snapshot_id for snapshot in history[:minimum]}
    loads: dict[str, int] = {}
    for snapshot in reversed(history):
        properties = snapshot.summary.additional_properties if snapshot.summary else {}
        if MARK in properties:
            loads[properties[MARK]] = snapshot.snapshot_id
    protected |= set(loads.values())
    limit = (now - keep).timestamp() * 1000
    found = [
        snapshot
        for snapshot in metadata.snapshots
        if snapshot.snapshot_id not in protected | newest
        and replaced_at.get(snapshot.snapshot_id, snapshot.timestamp_ms) < limit
    ]
    return [snapshot.snapshot_id for snapshot in sorted(found, key=lambda item: item.timestamp_ms)]


def expire(catalog: Catalog, identifier: str, snapshot_ids: Iterable[int]) -> int:
    """Take snapshots out of the table's metadata; no file is deleted. Returns how many were still there."""
    wanted = set(snapshot_ids)

    def attempt() -> int:
        table = catalog.load_table(identifier)
        protected = {reference.snapshot_id for reference in table.metadata.refs.values()}
        present = {snapshot.snapshot_id for snapshot in table.metadata.snapshots} & wanted - protected
        if present:
            table.maintenance.expire_snapshots().by_ids(sorted(present)).commit()
        return len(present)

    return with_retries(attempt)


def referenced_files(table: Table) -> tuple[set[str], set[str]]:
    """Paths that the table needs, without scheme: all of them, and those of the newest snapshot."""
    metadata, current = table.metadata, table.current_snapshot()
    everything = {bare(table.metadata_location)}
    everything |= {bare(entry.metadata_file) for entry in metadata.metadata_log}
    everything |= {bare(item.statistics_path) for item in metadata.statistics}
    everything |= {bare(item.statistics_path) for item in metadata.partition_statistics}
    newest = {bare(table.metadata_location)}
    by_manifest: dict[str, set[str]] = {}
    for snapshot in metadata.snapshots:
        files = {bare(snapshot.manifest_list)}
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in by_manifest:
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                by_manifest[manifest.manifest_path] = {bare(entry.data_file.file_path) for entry in entries}
            files |= {bare(manifest.manifest_path)} | by_manifest[manifest.manifest_path]
        everything |= files
        if current is not None and snapshot.snapshot_id == current.snapshot_id:
            newest |= files
    return everything, newest


def stored_files(location: str) -> list[StoredFile]:
    """Every file below the data and metadata folders of a table's location, by path."""
    store, root = filesystem(location.removeprefix("file://"))
    found = []
    for folder in FOLDERS:
        selector = pafs.FileSelector(f"{root}/{folder}", recursive=True, allow_not_found=True)
        for info in store.get_file_info(selector):
            if info.type == pafs.FileType.File:
                found.append(StoredFile(info.path, info.size or 0, info.mtime or datetime.now(UTC)))
    return sorted(found)


def unreferenced_files(
    catalog: Catalog,
    identifier: str,
    others: Sequence[str],
    now: datetime,
    grace: timedelta,
) -> list[StoredFile]:
    """Files of a table's location that no snapshot needs and nobody touched for `grace`.

    `others` are the locations of all other tables. Raises UnsafeSweepError when one of them overlaps, or when
    a file that the newest snapshot needs is missing from the listing: then paths do not compare as they
    should, and everything would look unneeded.
    """
    location = catalog.load_table(identifier).location().rstrip("/")
    mine = bare(location) + "/"
    for other in others:
        theirs = bare(other).rstrip("/") + "/"
        if mine.startswith(theirs) or theirs.startswith(mine):
            raise UnsafeSweepError(f"{identifier} and another table share {location}")
    # Listed first, references read after: a commit between the two only makes more files needed.
    files = stored_files(location)
    needed, newest = referenced_files(catalog.load_table(identifier))
    listed = {file.path for file in files}
    below = {path for path in newest if path.startswith(tuple(f"{mine}{folder}/" for folder in FOLDERS))}
    lost = (below - listed) if below else newest
    # What a commit wrote after the listing is younger than the listing, and so is not lost.
    lost -= {file.path for file in stored_files(location)} if lost else set()
    if lost:
        raise UnsafeSweepError(
            f"{identifier}: {len(lost)} files of the newest snapshot are not found below {location}, e.g. {min(lost)}"
        )
    return [file for file in files if file.path not in needed and file.modified < now - grace]


def remove_stored(location: str, paths: Iterable[str]) -> int:
    """Delete files below a location by their bare paths; files that are gone already are no error.

    Returns the number of paths. Raises UnsafeSweepError for a path that is not below the location.
    """
    root, wanted = bare(location).rstrip("/"), list(paths)
    for path in wanted:
        if not path.startswith(f"{root}/") or ".." in path.split("/"):
            raise UnsafeSweepError(f"{path} is not below {location}")
    if location.startswith(("s3://", "s3a://")):
        _delete_objects(wanted)
    else:
        for path in wanted:
            Path(path).unlink(missing_ok=True)
    return len(wanted)


def _delete_objects(paths: Sequence[str]) -> None:
    """Delete objects a thousand at a time; Arrow needs four requests for each, and leaves folder markers."""
    import boto3

    client = boto3.client("s3")
    by_bucket: dict[str, list[str]] = {}
    for path in paths:
        bucket, _, key = path.partition("/")
        by_bucket.setdefault(bucket, []).append(key)
    for bucket, keys in by_bucket.items():
        for start in range(0, len(keys), MAXIMUM_OBJECTS):
            batch = [{"Key": key} for key in keys[start : start + MAXIMUM_OBJECTS]]
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            for error in answer.get("Errors", []):
                raise OSError(f"s3://{bucket}/{error['Key']} cannot be deleted: {error['Code']}")
