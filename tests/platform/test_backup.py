"""Backups: whole or not at all, consistent while the platform writes, refused where they cannot work."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from blotout_orchestration.errors import UsageError
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.platform import backup as backup_module
from blotout_orchestration.platform.backup import BackupError, back_up, restore
from blotout_orchestration.settings import Settings

NOW = datetime(2026, 3, 5, 3, tzinfo=UTC)
NUMBERS = TableSpec("numbers", "Numbers.", (Column("number", "long", "A number."),))


def add(lake: Lake, number: int) -> None:
    """One commit of one row."""
    lake.append(NUMBERS, pa.table({"number": pa.array([number], pa.int64())}), {"run_id": str(number)})


def numbers(settings: Settings) -> list[int]:
    """What the table holds."""
    return sorted(Lake(settings).read(NUMBERS).column("number").to_pylist())


def moved_away(settings: Settings) -> None:
    """The home is somewhere else now."""
    settings.blotout_home.rename(settings.blotout_home.with_name("gone"))


def test_a_backup_while_rows_are_committed_holds_a_state_that_was(
    lake: Lake, settings: Settings, tmp_path: Path
) -> None:
    lake.ensure(NUMBERS)
    add(lake, 0)
    stop = threading.Event()

    def write() -> None:
        number = 1
        while not stop.is_set():
            add(lake, number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for attempt in range(3):
            back_up(settings, tmp_path / f"{attempt}.tar.gz", NOW, print)
    finally:
        stop.set()
        writer.join()
    written = numbers(settings)
    moved_away(settings)
    for attempt in range(3):
        restore(settings, tmp_path / f"{attempt}.tar.gz", print)
        found = numbers(settings)
        assert found == written[: len(found)]
        assert found
        settings.blotout_home.rename(settings.blotout_home.with_name(f"restored-{attempt}"))


def test_an_archive_that_was_damaged_is_refused_and_nothing_is_left_behind(
    lake: Lake, settings: Settings, tmp_path: Path
) -> None:
    lake.ensure(NUMBERS)
    add(lake, 1)
    archive = tmp_path / "backup.tar.gz"
    back_up(settings, archive, NOW, print)
    assert archive.stat().st_mode & 0o077 == 0
    moved_away(settings)
    content = archive.read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupError):
        restore(settings, tmp_path / "cut.tar.gz", print)
    with tarfile.open(archive) as whole, tarfile.open(tmp_path / "less.tar.gz", "w:gz") as less:
        for member in whole.getmembers():
            if not member.name.endswith(".parquet"):
                less.addfile(member, whole.extractfile(member))
    with pytest.raises(BackupError, match=r"\.parquet is missing"):
        restore(settings, tmp_path / "less.tar.gz", print)
    assert not settings.blotout_home.exists()
    assert [path.name for path in settings.blotout_home.parent.glob(".*restore*")] == []


def test_a_file_that_is_no_backup_is_refused(settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.tar.gz"
    with tarfile.open(other, "w:gz") as tar:
        tar.add(__file__, "home/a.py")
    with pytest.raises(BackupError, match="not a backup"):
        restore(settings, other, print)
    with pytest.raises(UsageError, match="is not there"):
        restore(settings, tmp_path / "missing.tar.gz", print)


@pytest.mark.parametrize("name", ["../outside", "/outside", "home/link"])
def test_an_archive_that_reaches_out_of_itself_is_refused(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        if name.endswith("link"):
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member, io.BytesIO())
    with pytest.raises(BackupError, match="no backup of ours"):
        restore(settings, archive, print)
    assert not settings.blotout_home.exists()
    assert not (settings.blotout_home.parent / "outside").exists()


def test_a_home_with_something_in_it_and_another_path_are_refused(
    lake: Lake, settings: Settings, tmp_path: Path
) -> None:
    lake.ensure(NUMBERS)
    archive = tmp_path / "backup.tar.gz"
    back_up(settings, archive, NOW, print)
    with pytest.raises(UsageError, match="is not empty"):
        restore(settings, archive, print)
    elsewhere = settings.model_copy(update={"blotout_home": tmp_path / "elsewhere"})
    with pytest.raises(UsageError, match="set BLOTOUT_HOME to it"):
        restore(elsewhere, archive, print)


@pytest.mark.parametrize("made", ["missing", "empty", "empty folders"])
def test_a_home_without_a_platform_is_refused_and_the_good_archive_kept(
    lake: Lake, settings: Settings, tmp_path: Path, made: str
) -> None:
    lake.ensure(NUMBERS)
    archive = tmp_path / "backup.tar.gz"
    back_up(settings, archive, NOW, print)
    good = archive.read_bytes()
    nowhere = settings.model_copy(update={"blotout_home": tmp_path / "nowhere"})
    if made != "missing":
        (tmp_path / "nowhere" / ("dagster/history" if made == "empty folders" else "")).mkdir(parents=True)
    for name in ("backup.tar.gz", "other.tar.gz"):
        with pytest.raises(UsageError, match=r"no platform at .*nowhere.* check BLOTOUT_HOME"):
            back_up(nowhere, tmp_path / name, NOW, print)
    assert archive.read_bytes() == good
    assert list(tmp_path.glob("*.tar.gz*")) == [archive]


def test_an_archive_that_is_there_is_never_replaced(lake: Lake, settings: Settings, tmp_path: Path) -> None:
    lake.ensure(NUMBERS)
    archive = tmp_path / "backup.tar.gz"
    archive.write_bytes(b"last week's")
    with pytest.raises(UsageError, match="is there already and is kept"):
        back_up(settings, archive, NOW, print)
    assert archive.read_bytes() == b"last week's"


@contextmanager
def somebody_writes(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the warehouse open until it gets a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); c.execute('create table t as select 1'); "
    code += "print('open', flush=True); input(); c.close()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            yield writer
        finally:
            writer.kill()


def test_it_waits_for_dbt_and_holds_what_dbt_wrote(settings: Settings, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    with somebody_writes(settings.warehouse_path) as dbt, ThreadPoolExecutor(1) as pool:
        backup = pool.submit(back_up, settings, archive, NOW, print)
        with pytest.raises(TimeoutError):
            backup.result(timeout=1.5)
        dbt.communicate("\n")
        backup.result(timeout=60)
    moved_away(settings)
    restore(settings, archive, print)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("from t").fetchall() == [(1,)]


def test_dbt_may_write_while_the_files_are_archived(settings: Settings, tmp_path: Path) -> None:
    settings.warehouse_path.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("create table t as select 1")
    for number in range(500):
        (settings.blotout_home / f"file-{number}").write_text(str(number))
    wrote = []

    def progress(message: str) -> None:
        if "files" in message:
            with duckdb.connect(str(settings.warehouse_path)) as connection:
                connection.execute("insert into t values (2)")
            wrote.append(message)

    back_up(settings, tmp_path / "backup.tar.gz", NOW, progress)
    assert wrote
    moved_away(settings)
    restore(settings, tmp_path / "backup.tar.gz", print)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        assert connection.execute("from t").fetchall() == [(1,)]


def test_it_is_refused_after_a_long_wait_and_for_a_lake_elsewhere(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "WAIT_SECONDS", 1.0)
    with (
        somebody_writes(settings.warehouse_path),
        pytest.raises(BackupError, match="open in another process"),
    ):
        back_up(settings, tmp_path / "backup.tar.gz", NOW, print)
    assert list(tmp_path.glob("*.tar.gz*")) == []
    back_up(settings, tmp_path / "backup.tar.gz", NOW, print)
    on_s3 = settings.model_copy(update={"lake_location": "s3://bucket/lake"})
    with pytest.raises(UsageError, match=r"docs/operating\.md"):
        back_up(on_s3, tmp_path / "other.tar.gz", NOW, print)
    with pytest.raises(UsageError, match="belongs somewhere else"):
        back_up(settings, settings.blotout_home / "backup.tar.gz", NOW, print)
