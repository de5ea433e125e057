"""A home that was copied or moved is told, and writes nothing into the home that it came from."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.lake.tables import Column
from blotout_orchestration.platform import doctor
from blotout_orchestration.platform.backup import back_up
from blotout_orchestration.platform.queries import run_query
from blotout_orchestration.settings import Settings

NUMBERS = TableSpec("numbers", "Numbers.", (Column("number", "long", "A number."),))
ROWS = pa.table({"number": pa.array([1], pa.int64())})


@pytest.fixture
def copied(lake: Lake, settings: Settings, tmp_path: Path) -> Settings:
    """The settings of a copy of a home with one table, made by cp -r."""
    lake.append(NUMBERS, ROWS, {})
    shutil.copytree(settings.blotout_home, tmp_path / "copy")
    return settings.model_copy(update={"blotout_home": tmp_path / "copy"})


def files(home: Path) -> set[Path]:
    return {path for path in home.rglob("*") if path.is_file()}


def test_a_copied_home_is_refused_where_it_would_write_into_the_first(
    settings: Settings, copied: Settings
) -> None:
    before = files(settings.blotout_home)
    with pytest.raises(BlotoutError, match=f"was made at {settings.blotout_home}, and its tables"):
        Lake(copied).append(NUMBERS, ROWS, {})
    assert files(settings.blotout_home) == before


def test_the_query_and_the_doctor_and_the_backup_say_where_it_was_made(
    settings: Settings, copied: Settings, tmp_path: Path
) -> None:
    said = f"{copied.blotout_home} was made at {settings.blotout_home}"
    with pytest.raises(BlotoutError, match=said), run_query(copied, "select * from numbers"):
        pass
    finding = dict(doctor.examine(copied))["catalog"]
    assert finding.state == "wrong"
    assert said in finding.text
    with pytest.raises(BlotoutError, match=said):
        back_up(copied, tmp_path / "b.tar.gz", datetime.now(UTC), print)


def test_a_home_that_was_moved_is_refused_when_the_first_is_gone(
    settings: Settings, copied: Settings
) -> None:
    shutil.rmtree(settings.blotout_home)
    with pytest.raises(BlotoutError, match="Put it back or mount it there"):
        Lake(copied).read(NUMBERS)


def test_another_path_to_the_same_folder_is_the_same_home(
    lake: Lake, settings: Settings, tmp_path: Path
) -> None:
    lake.append(NUMBERS, ROWS, {})
    (tmp_path / "link").symlink_to(settings.blotout_home)
    linked = settings.model_copy(update={"blotout_home": tmp_path / "link"})
    assert Lake(linked).read(NUMBERS).num_rows == 1


def test_a_lake_elsewhere_stays_where_it_is_when_the_home_moves(settings: Settings, tmp_path: Path) -> None:
    elsewhere = settings.model_copy(update={"lake_location": str(tmp_path / "lakes")})
    Lake(elsewhere).append(NUMBERS, ROWS, {})
    shutil.move(settings.blotout_home, tmp_path / "moved")
    moved = elsewhere.model_copy(update={"blotout_home": tmp_path / "moved"})
    assert Lake(moved).read(NUMBERS).num_rows == 1


def test_a_home_whose_lake_lies_elsewhere_is_told_which_setting_is_missing(
    settings: Settings, tmp_path: Path
) -> None:
    shop = settings.model_copy(update={"lake_location": str(tmp_path / "disk" / "lake")})
    Lake(shop).append(NUMBERS, ROWS, {})
    with pytest.raises(
        BlotoutError, match=f"lie in {tmp_path}/disk/lake, which is no home: set LAKE_LOCATION"
    ):
        Lake(settings).read(NUMBERS)
