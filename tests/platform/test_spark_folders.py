"""The folder of a Spark job: new, removed at the end, swept when its run was killed; it never hides an error."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blotout_orchestration.platform.spark_folders import work_folder


def test_a_folder_is_new_and_gone_afterwards(tmp_path: Path) -> None:
    with work_folder(str(tmp_path / "jobs")) as first, work_folder(str(tmp_path / "jobs")) as second:
        assert first != second
        (Path(first) / "plan.json").write_text("{}")
        assert Path(second).is_dir()
    assert list((tmp_path / "jobs").iterdir()) == []


def test_the_first_error_is_seen_when_the_folder_cannot_be_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        with work_folder(str(tmp_path)) as folder:
            Path(folder).rmdir()
            raise ValueError(folder)

    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match=str(tmp_path)) as caught:
        fails()
    assert str(caught.value) in caplog.text
    assert "a later run tries again" in caplog.text


def test_a_job_that_succeeded_does_not_fail_by_its_folder(tmp_path: Path) -> None:
    with work_folder(str(tmp_path)) as folder:
        Path(folder).rmdir()


def test_only_folders_of_jobs_that_no_run_can_need_are_swept(tmp_path: Path) -> None:
    def left_by(hours: int) -> str:
        name = f"{datetime.now(UTC) - timedelta(hours=hours):%Y%m%dT%H%M%SZ}-killed"
        (tmp_path / name / "rounds").mkdir(parents=True)
        return name

    old, young = left_by(100), left_by(1)
    (tmp_path / "0-of-somebody-else").mkdir()
    with work_folder(str(tmp_path)):
        found = {folder.name for folder in tmp_path.iterdir()}
    assert old not in found
    assert {young, "0-of-somebody-else"} < found
