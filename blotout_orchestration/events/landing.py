"""Putting requests into the landing layer, by hour of arrival.

Belongs here: copying files that already lie in hour folders, and spreading plain files by the hour of each
line's `received_at`. Landing the same content again adds nothing; nothing that is landed is ever changed.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pyarrow import fs as pafs

from blotout_orchestration.events.arrival import hour_of, is_believable, time_of_line
from blotout_orchestration.events.reader import DamagedFileError, unpacked
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import (
    UNLISTED,
    filesystem,
    hour_folder,
    hour_of_path,
    is_listed,
    list_landed,
)

_HOUR_PREFIX = re.compile(r".*?year=\d+/month=\d+/day=\d+/hour=\d+/")
_SPOOL_BYTES = 64 << 20
_TOLD = 20
"""Most files left out of folders that are named."""
_BLOCK = 4 << 20


@dataclass
class LandingReport:
    """What landing did. `renamed`: same name, other content, landed beside; `damaged`: file -> what broke.

    `files_hidden`: files of folders that were left out, because landed under their names they would not be
    listed. `files_empty` are those without any line and any damage: nothing of them was landed, or a file of 0 bytes.
    `misdated`: (file, line from 1) of the first of `lines_misdated` lines, whose `received_at` cannot be read or is
    far off. `no_hour`: files whose hour folder is in no calendar, such as `hour=24`.
    """

    files_read: int = 0
    files_landed: int = 0
    files_skipped: int = 0
    files_empty: int = 0
    lines: int = 0
    bytes_landed: int = 0
    hours: set[datetime] = field(default_factory=set)
    renamed: list[str] = field(default_factory=list)
    files_hidden: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    lines_misdated: int = 0
    misdated: tuple[str, int] | None = None
    no_hour: list[str] = field(default_factory=list)


def land(
    lake: Lake,
    paths: Iterable[str | Path],
    *,
    received_at: datetime | None = None,
    progress: Callable[[str], None] | None = None,
) -> LandingReport:
    """Land files, or folders of files: requests or bare bodies, JSON lines, plain or gzip.

    A file below `year=/month=/day=/hour=` keeps its hour and name, byte for byte. The lines of any other
    file go to the hour of their `received_at`; a line without one goes with the line before it, and at the
    beginning of a file to the hour of `received_at` (default now). So does a line whose own `received_at` cannot
    be read, lies before 2000 or more than a day ahead. Hidden and temporary names (leading `.` or `_`, trailing
    `.tmp`) are left out of folders; a file given by itself lands without that part of its name. `progress` is
    told of both. Raises FileNotFoundError for a path that is not there, before anything is landed.
    """
    report = LandingReport()
    sources = [source for path in paths for source in _sources(Path(path), report)]
    _tell_hidden(report.files_hidden, progress)
    landing = _Landing(lake.layer("landing"))
    now = (received_at or datetime.now(UTC)).astimezone(UTC)
    for number, (path, relative) in enumerate(sources, start=1):
        hour = hour_of_path(relative)
        if hour is not None:
            name = _HOUR_PREFIX.sub("", relative, count=1)
            if not is_listed(path.name):
                name = _listed_name(name)
                if progress:
                    progress(f"{path}: landed as {name}; {UNLISTED}")
            landing.copy(path, f"{hour_folder(hour)}/{name}", report)
            report.hours.add(hour)
            report.files_empty += path.stat().st_size == 0
        else:
            if _HOUR_PREFIX.match(relative):
                report.no_hour.append(str(path))
            lines = report.lines
            landing.spread(path, now, report)
            report.files_empty += report.lines == lines and str(path) not in report.damaged
        report.files_read += 1
        if progress and (number % 500 == 0 or number == len(sources)):
            progress(f"landed {number} of {len(sources)} files")
    return report


def _sources(path: Path, report: LandingReport) -> Iterator[tuple[Path, str]]:
    """The files of a path, each with the part of it in which an hour folder may be named."""
    if not path.exists():
        raise FileNotFoundError(f"nothing to land at {path}: give a file or a folder")
    if path.is_file():
        yield path, path.absolute().as_posix()
        return
    for file in sorted(path.rglob("*")):
        if not file.is_file():
            continue
        if is_listed(file.name):
            yield file, file.absolute().as_posix()
        else:
            report.files_hidden.append(str(file))


def _tell_hidden(files: list[str], progress: Callable[[str], None] | None) -> None:
    if progress is None or not files:
        return
    for file in files[:_TOLD]:
        progress(f"{file}: left out; {UNLISTED}. Give the file itself to land it")
    if len(files) > _TOLD:
        progress(f"and {len(files) - _TOLD} more files left out for their names")


def _listed_name(relative: str) -> str:
    """The path with the last name's marks of a file in the making taken off, so that it is listed."""
    folder, slash, name = relative.rpartition("/")
    while not is_listed(name):
        name = name.lstrip("._").removesuffix(".tmp") or "landed"
    return f"{folder}{slash}{name}"


class _Landing:
    """The landing layer as a place to put files that appear whole or not at all."""

    def __init__(self, location: str) -> None:
        self.store, self.root = filesystem(location)
        self.location = location
        self._names: set[str] | None = None

    def copy(self, source: Path, relative: str, report: LandingReport) -> None:
        """Land a file as it is; under another name when the name is taken by other content."""
        digest = _digest(source)
        taken = self._state(relative, digest, source.stat().st_size)
        if taken == "other":
            folder, _, name = relative.rpartition("/")
            stem, dot, suffix = name.partition(".")
            relative = f"{folder}/{stem}-{digest[:16]}{dot}{suffix}"
            taken = self._state(relative, digest, source.stat().st_size)
            if taken == "free":
                report.renamed.append(relative)
        if taken != "free":
            report.files_skipped += 1
            return
        self._put(source, relative)
        report.files_landed += 1
        report.bytes_landed += source.stat().st_size

    def spread(self, source: Path, now: datetime, report: LandingReport) -> None:
        """Land a plain file's lines by hour, one file an hour, named by a hash of its lines."""
        with tempfile.TemporaryDirectory(prefix="blotout-land-") as folder:
            for spooled, hour, dated in _by_hour(source, now, Path(folder), report):
                digest = _digest(spooled)[:32]
                name = f"lines-{digest}.jsonl.gz"
                report.hours.add(hour)
                target = f"{hour_folder(hour)}/{name}"
                if name in self.names if not dated else self._exists(target):
                    report.files_skipped += 1
                    continue
                packed = spooled.with_suffix(".gz")
                with (
                    spooled.open("rb") as plain,
                    packed.open("wb") as raw,
                    gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as packer,
                ):
                    while block := plain.read(_BLOCK):
                        packer.write(block)
                self._put(packed, target)
                self.names.add(name)
                report.files_landed += 1
                report.bytes_landed += packed.stat().st_size

    @property
    def names(self) -> set[str]:
        """Names of all landed files, whatever their hour: lines without a time land only once."""
        if self._names is None:
            landed = list_landed(self.location)
            self._names = {file.path.rpartition("/")[2] for files in landed.values() for file in files}
        return self._names

    def _exists(self, relative: str) -> bool:
        info = self.store.get_file_info(f"{self.root}/{relative}")
        return bool(info.type == pafs.FileType.File)

    def _state(self, relative: str, digest: str, size: int) -> str:
        info = self.store.get_file_info(f"{self.root}/{relative}")
        if info.type != pafs.FileType.File:
            return "free"
        if info.size != size:
            return "other"
        seen = hashlib.sha256()
        with self.store.open_input_stream(f"{self.root}/{relative}", compression=None) as stream:
            while block := stream.read(_BLOCK):
                seen.update(block)
        return "same" if seen.hexdigest() == digest else "other"

    def _put(self, source: Path, relative: str) -> None:
        """Copy under a temporary name, then rename; an object store shows an object only when complete."""
        target = f"{self.root}/{relative}"
        folder, _, name = target.rpartition("/")
        is_local = isinstance(self.store, pafs.LocalFileSystem)
        written = f"{folder}/.{name}.{uuid.uuid4().hex[:8]}.tmp" if is_local else target
        self.store.create_dir(folder, recursive=True)
        with source.open("rb") as plain, self.store.open_output_stream(written, compression=None) as out:
            while block := plain.read(_BLOCK):
                out.write(block)
        if is_local:
            with open(written, "rb") as stream:  # noqa: PTH123
                os.fsync(stream.fileno())
            self.store.move(written, target)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _by_hour(
    source: Path, now: datetime, folder: Path, report: LandingReport
) -> Iterator[tuple[Path, datetime, bool]]:
    """Spool the lines into one file an hour: (file, hour, whether the lines name their time)."""
    undated, clock = (hour_of(now), False), datetime.now(UTC)
    buffers: dict[tuple[datetime, bool], bytearray] = defaultdict(bytearray)
    current = undated
    size = 0
    names: dict[tuple[datetime, bool], Path] = {}

    def flush() -> None:
        for key, text in buffers.items():
            path = names.setdefault(key, folder / f"{key[0]:%Y%m%d%H}-{'dated' if key[1] else 'undated'}")
            with path.open("ab") as stream:
                stream.write(text)
        buffers.clear()

    for number, line in _lines(source, report):
        try:
            moment = time_of_line(line)
            if moment is not None:
                if not is_believable(moment, clock):
                    raise ValueError("received_at is far off")
                current = (hour_of(moment), True)
        except ValueError:
            current = undated
            report.lines_misdated += 1
            report.misdated = report.misdated or (str(source), number)
        buffers[current] += line
        report.lines += 1
        size += len(line)
        if size > _SPOOL_BYTES:
            flush()
            size = 0
    flush()
    for key in sorted(names):
        yield names[key], key[0], key[1]


def _lines(source: Path, report: LandingReport) -> Iterator[tuple[int, bytes]]:
    """Number from 1 and text of the file's lines that are not blank; of a damaged file, reported, what is readable."""
    carry = bytearray()
    number = 0
    with pafs.LocalFileSystem().open_input_stream(str(source), compression=None) as stream:
        try:
            for block in unpacked(stream):
                carry += block
                if b"\n" not in block:
                    continue
                *whole, rest = bytes(carry).split(b"\n")
                carry = bytearray(rest)
                yield from ((at, line + b"\n") for at, line in enumerate(whole, number + 1) if line.strip())
                number += len(whole)
        except DamagedFileError as error:
            report.damaged[str(source)] = f"{error.reason}: {error}"
    if carry.strip():
        yield number + 1, bytes(carry) + b"\n"
