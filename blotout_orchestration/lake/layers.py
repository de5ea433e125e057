"""Where the layers of the lake lie, and the landing layer's folders by hour of arrival.

Belongs here: paths, listing, hours. Does not belong here: reading what is in the files.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyarrow import fs as pafs

LAYERS = ("landing", "stg", "processed", "emr", "athena-logs", "outbound")
_HOUR_FOLDER = re.compile(r"year=(\d{4})/month=(\d{1,2})/day=(\d{1,2})/hour=(\d{1,2})/")
_LEVELS = ("year", "month", "day", "hour")


@dataclass(frozen=True, order=True)
class LandedFile:
    """One file of the landing layer: path below the layer, size in bytes, modification time (UTC)."""

    path: str
    size: int
    modified: datetime


def layer_location(lake_root: str, organisation: str, environment: str, layer: str) -> str:
    """Folder of a layer: `{root}/{layer}` locally, bucket `b-{org}-{env}-{layer}` when the root is `s3://`.

    A root with a bucket of its own (`s3://bucket/prefix`) keeps all layers in that bucket.
    """
    if layer not in LAYERS:
        raise ValueError(f"unknown layer {layer!r}; the layers are {', '.join(LAYERS)}")
    if lake_root.rstrip("/") in ("s3:", "s3"):
        return f"s3://b-{organisation}-{environment}-{layer}".replace("_", "-")
    return f"{lake_root.rstrip('/')}/{layer}"


def filesystem(location: str) -> tuple[pafs.FileSystem, str]:
    """The filesystem of a location and the location's path on it."""
    if "://" in location:
        return pafs.FileSystem.from_uri(location)  # type: ignore[no-any-return]
    return pafs.LocalFileSystem(), location


def hour_folder(hour: datetime) -> str:
    """`year=2026/month=03/day=05/hour=17` for an hour in UTC."""
    moment = hour.astimezone(UTC)
    return f"year={moment.year:04}/{moment:month=%m/day=%d/hour=%H}"


def hour_of_path(path: str) -> datetime | None:
    """The hour of arrival that a path lies under, or None when it lies under none."""
    match = _HOUR_FOLDER.search(path)
    if not match:
        return None
    year, month, day, hour = (int(part) for part in match.groups())
    try:
        return datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        return None


UNLISTED = "names that begin with `.` or `_` or end in `.tmp` are files in the making"


def is_listed(name: str) -> bool:
    """Whether a landed file of this name is listed; hidden and temporary names are not."""
    return not (name.startswith((".", "_")) or name.endswith(".tmp"))


def list_landed(landing: str, hours: Iterable[datetime] | None = None) -> dict[datetime, list[LandedFile]]:
    """Landed files by hour of arrival, each list sorted by path; all hours when `hours` is None.

    Hidden and temporary names (leading `.` or `_`, trailing `.tmp`) are files in the making: not listed.
    """
    filesystem_, root = filesystem(landing)
    folders = [root] if hours is None else [f"{root}/{hour_folder(hour)}" for hour in hours]
    found: dict[datetime, list[LandedFile]] = defaultdict(list)
    for folder in folders:
        selector = pafs.FileSelector(folder, recursive=True, allow_not_found=True)
        for info in filesystem_.get_file_info(selector):
            if info.type != pafs.FileType.File or not is_listed(info.base_name):
                continue
            hour = hour_of_path(info.path)
            if hour is not None:
                relative = info.path[len(root) :].lstrip("/")
                found[hour].append(LandedFile(relative, info.size, info.mtime or datetime.now(UTC)))
    return {hour: sorted(files) for hour, files in sorted(found.items())}


def list_first_hour(landing: str, not_before: datetime | None = None) -> datetime | None:
    """The oldest hour of arrival that has a folder; None when there is none. Found with few listings a level.

    Hours before `not_before`, and folders that name no hour of the calendar, are left out.
    """
    filesystem_, root = filesystem(landing)
    least = not_before.astimezone(UTC).timetuple()[:4] if not_before else (0, 0, 0, 0)
    return _first_hour(filesystem_, root, (), least)


def _first_hour(
    filesystem_: pafs.FileSystem, folder: str, above: tuple[int, ...], least: tuple[int, ...]
) -> datetime | None:
    """The oldest hour below a folder of the year, month and day `above`."""
    if len(above) == len(_LEVELS):
        return hour_of_path(f"{folder}/")
    level = re.compile(rf"{_LEVELS[len(above)]}=(\d+)")
    infos = filesystem_.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
    below = [(int(named[1]), info.path) for info in infos if (named := level.fullmatch(info.base_name))]
    for number, path in sorted(below):
        place = (*above, number)
        first = _first_hour(filesystem_, path, place, least) if place >= least[: len(place)] else None
        if first is not None:
            return first
    return None


def fingerprint(files: Iterable[LandedFile]) -> str:
    """A hash of names and sizes: equal when an hour's set of files has not changed.

    Modification times are left out, so that a copied or restored lake is not processed again.
    """
    listing = "\n".join(f"{file.path}\t{file.size}" for file in sorted(files))
    return hashlib.sha256(listing.encode()).hexdigest()[:32]


def hours_between(start: datetime, end: datetime) -> list[datetime]:
    """Every full hour from `start` to before `end`, UTC."""
    first = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    count = max(0, -(-int((end.astimezone(UTC) - first).total_seconds()) // 3600))
    return [first + timedelta(hours=index) for index in range(count)]
