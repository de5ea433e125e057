"""One file that holds the embedded ground, taken while it runs, and the way back from it.

Belongs here: BLOTOUT_HOME as an archive. Does not belong here: grounds whose parts are servers (S3, Postgres),
which have backups of their own; docs/operating.md says how theirs fit together.

The order makes the copy consistent: Dagster's records first, then the platform's database and the warehouse, then
the catalog, then the files. A file that a commit names was there before the commit, so the catalog never names a
file that the copy lacks, and neither Dagster nor the warehouse remembers rows that the lake has not got.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.errors import BlotoutError, UsageError
from blotout_orchestration.lake.home_place import check_home_place
from blotout_orchestration.platform.duckdb_files import FileBusyError, open_when_free

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_SQLITE_MAGIC: Final = b"SQLite format 3\x00"
_SQLITE_COMPANIONS: Final = ("-wal", "-shm", "-journal")
WAIT_SECONDS: Final = 600.0
"""How long a backup waits for a dbt run to end."""
Progress = Callable[[str], None]


class BackupError(BlotoutError):
    """An archive could not be made, or is not one that can be restored here."""


@dataclass(frozen=True)
class Archived:
    """What an archive holds: files and their bytes, uncompressed."""

    path: Path
    files: int
    bytes: int


def back_up(settings: Settings, archive: Path, now: datetime, progress: Progress) -> Archived:
    """Write BLOTOUT_HOME to a `.tar.gz`, readable by its owner only; whole, or not at all.

    May run while the platform works: it waits for a dbt run to end, and dbt waits while the warehouse is copied.
    Raises UsageError, also where there is nothing to copy or an archive already; MovedHomeError; BackupError.
    """
    home = settings.blotout_home.absolute()
    _check_embedded(settings, home)
    check_home_place(settings)
    if not any(path.is_file() for path in home.rglob("*")):
        raise UsageError(f"no platform at {home}, nothing to back up; check BLOTOUT_HOME")
    if archive.absolute().is_relative_to(home):
        raise UsageError(f"{archive} lies in BLOTOUT_HOME; a backup belongs somewhere else")
    if os.path.lexists(archive):
        raise UsageError(f"{archive} is there already and is kept; name another file, or move it away first")
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_name(f"{archive.name}.unfinished")
    entries: dict[str, dict[str, Any]] = {}
    total = 0
    with tempfile.TemporaryDirectory(prefix=f".{archive.name}-", dir=archive.parent) as folder:
        progress("copying the databases")
        copies = _copy_databases(settings, home, Path(folder))
        with tarfile.open(unfinished, "w:gz", compresslevel=1) as tar:
            unfinished.chmod(0o600)
            for name, path in [*copies.items(), *_other_files(home, set(copies))]:
                try:
                    digest, size = _add(tar, name, path)
                except FileNotFoundError:
                    continue  # A file that a running job removed; no commit names it any more.
                entries[name] = {"sha256": digest, "bytes": size}
                total += size
                if len(entries) % 500 == 0:
                    progress(f"{len(entries)} files, {total / 1e6:,.0f} MB")
            manifest = {"format": FORMAT, "home": str(home), "made_at": now.isoformat(), "files": entries}
            content = json.dumps(manifest).encode()
            header = tarfile.TarInfo(MANIFEST)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    unfinished.replace(archive)
    return Archived(archive, len(entries), total)


def restore(settings: Settings, archive: Path, progress: Progress) -> Archived:
    """Put an archive in the place of BLOTOUT_HOME, which must be empty or not there. Whole, or not at all.

    Iceberg's metadata names its files by their absolute places, so the home must have the path that it had.
    Raises UsageError, BackupError.
    """
    home = settings.blotout_home.absolute()
    _check_embedded(settings, home)
    if home.exists() and any(home.iterdir()):
        raise UsageError(f"{home} is not empty; stop the platform and move it away first")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{home.name}-restore-", dir=home.parent) as folder:
        progress("unpacking and comparing every file with the archive's list")
        unpacked = Path(folder) / "home"
        manifest = _unpack(archive, unpacked)
        if manifest["home"] != str(home):
            raise UsageError(
                f"{archive} was made of {manifest['home']}, and the lake's tables name their files by that path: "
                f"set BLOTOUT_HOME to it (now {home}), or mount the folder there"
            )
        if home.exists():
            home.rmdir()
        unpacked.rename(home)
    files = manifest["files"].values()
    return Archived(archive, len(files), sum(entry["bytes"] for entry in files))


def _check_embedded(settings: Settings, home: Path) -> None:
    outside = settings.catalog_uri is not None or settings.platform_database is not None
    if not Path(settings.lake_root).is_relative_to(home) or outside:
        raise UsageError(
            "the lake, its catalog or the platform's database does not lie in BLOTOUT_HOME; docs/operating.md says how to back those up"
        )


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except OSError:
        return False


def _copy_databases(settings: Settings, home: Path, folder: Path) -> dict[str, Path]:
    """Every database as it was at one moment, by its name in the archive: Dagster's first, the catalog last."""
    found = [path for path in _files(home) if path.suffix in (".db", ".sqlite") and _is_sqlite(path)]
    found.sort(key=lambda path: (not path.is_relative_to(home / "dagster"), path))
    catalogs = [path for path in found if path.name == "catalog.db"]
    others = [path for path in found if path not in catalogs]
    copies = _copy_sqlite(home, others, folder, "first")
    copies |= _copy_warehouse(settings.warehouse_path, home, folder)
    return copies | _copy_sqlite(home, catalogs, folder, "last")


def _copy_sqlite(home: Path, paths: Sequence[Path], folder: Path, prefix: str) -> dict[str, Path]:
    """SQLite files through SQLite's own backup."""
    copies: dict[str, Path] = {}
    for number, path in enumerate(paths):
        copy = folder / f"{prefix}-{number}.db"
        try:
            source = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)
        except sqlite3.OperationalError:
            continue
        with source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        copies[path.relative_to(home).as_posix()] = copy
    return copies


def _copy_warehouse(warehouse: Path, home: Path, folder: Path) -> dict[str, Path]:
    """The file of dbt, held open for reading while it is copied: DuckDB lets nobody write it then."""
    if not warehouse.exists():
        return {}
    try:
        connection = open_when_free(warehouse, read_only=True, wait_seconds=WAIT_SECONDS)
    except FileBusyError as error:
        raise BackupError(f"{error}; is it a dbt run? Try again when it has ended") from None
    copies: dict[str, Path] = {}
    with connection:
        for path in (warehouse, warehouse.with_name(f"{warehouse.name}.wal")):
            if path.exists():
                copies[path.relative_to(home).as_posix()] = Path(shutil.copy2(path, folder))
    return copies


def _other_files(home: Path, copied: set[str]) -> Iterator[tuple[str, Path]]:
    companions = {f"{name}{suffix}" for name in copied for suffix in _SQLITE_COMPANIONS}
    for path in _files(home):
        name = path.relative_to(home).as_posix()
        if name not in copied and name not in companions:
            yield name, path


def _files(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*") if path.is_file() and not path.is_symlink())


def _add(tar: tarfile.TarFile, name: str, path: Path) -> tuple[str, int]:
    """Add a file as it is now; a file that grows meanwhile is cut at the size it had."""
    with path.open("rb") as file:
        header = tar.gettarinfo(arcname=f"home/{name}", fileobj=file)
        reader = _Hashing(file, header.size)
        tar.addfile(header, reader)
    return reader.digest.hexdigest(), header.size


class _Hashing:
    """A file that hashes what is read of it, up to a size."""

    def __init__(self, file: Any, size: int) -> None:
        self.file, self.left, self.digest = file, size, hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        """The next bytes."""
        content: bytes = self.file.read(self.left if count < 0 else min(count, self.left))
        self.left -= len(content)
        self.digest.update(content)
        return content


def _unpack(archive: Path, target: Path) -> dict[str, Any]:
    """Unpack an archive and compare it with its own list. Raises BackupError."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _extract(tar, member, target.parent, archive)
    except FileNotFoundError:
        raise UsageError(f"{archive} is not there") from None
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise BackupError(f"{archive} cannot be unpacked: {type(error).__name__}") from None
    try:
        manifest: dict[str, Any] = json.loads((target.parent / MANIFEST).read_text(encoding="utf-8"))
        listed = manifest["files"]
        known = manifest["format"] == FORMAT
    except (OSError, ValueError, KeyError):
        raise BackupError(f"{archive} is not a backup of a platform, or not a whole one") from None
    if not known:
        raise BackupError(f"{archive} has format {manifest['format']}, and this version reads {FORMAT}")
    target.mkdir(exist_ok=True)
    for name, entry in listed.items():
        path = target / name
        if not path.is_file() or _sha256(path) != entry["sha256"]:
            raise BackupError(f"{archive}: {name} is missing or differs from the archive's list")
    return manifest


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path) -> None:
    """One plain file, below `folder`. Python's own filter for this came with 3.11.4; Debian 12 has 3.11.2."""
    name = PurePosixPath(member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or name.is_absolute() or ".." in name.parts:
        raise BackupError(f"{archive}: {member.name!r} is no plain file within it; this is no backup of ours")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with content, path.open("wb") as file:
        shutil.copyfileobj(content, file)
    path.chmod(member.mode & 0o755)
    os.utime(path, (member.mtime, member.mtime))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def default_archive(now: datetime) -> Path:
    """Where a backup goes when nobody says: the working directory, by its moment in UTC."""
    return Path(f"blotout-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
