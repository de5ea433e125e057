"""A home holds one demo store: the same again adds nothing, another is refused before anything is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from blotout_orchestration.cli import app
from blotout_orchestration.demo.landed_store import NOTE, values_in, values_of
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import generate, write

SMALL = {"people": 12, "days": 3, "events": 150}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and two stores beside it, `a` and `b`, that differ in the number of people."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOTOUT_HOME", str(tmp_path / "home"))
    write(generate(DemoOptions(**SMALL)), tmp_path / "a")
    write(generate(DemoOptions(**{**SMALL, "people": 20})), tmp_path / "b")
    return tmp_path / "home"


def demo(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["demo", *arguments])


def options(people: int) -> list[str]:
    return ["--people", str(people), "--days", "3", "--events", "150"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_store_may_be_landed_again_and_another_is_refused(home: Path) -> None:
    assert demo("land", "--folder", "a").exit_code == 0
    again = demo("land", "--folder", "a")
    assert "landed 0 new files; offline sources loaded: nothing new" in again.output
    before = contents(home)
    other = demo("land", "--folder", "b")
    assert other.exit_code == 2
    assert "holds the demo store of days 3 events 150 last_day 2026-03-31 people 12" in other.output
    assert "BLOTOUT_HOME" in other.output
    assert contents(home) == before


def test_a_run_or_a_summary_with_another_store_leaves_its_folder_as_it_was(home: Path) -> None:
    assert demo("land", "--folder", "a").exit_code == 0
    before = contents(home.parent / "a") | contents(home.parent / "b")
    assert demo("run", "--folder", "a", *options(20)).exit_code == 2
    assert demo("summary", "--folder", "b").exit_code == 2
    assert contents(home.parent / "a") | contents(home.parent / "b") == before


def test_a_home_from_before_there_were_notes_is_taken_and_gets_one(home: Path) -> None:
    assert demo("land", "--folder", "a").exit_code == 0
    (home / NOTE).unlink()
    assert demo("land", "--folder", "a").exit_code == 0
    assert json.loads((home / NOTE).read_text())["people"] == 12


def test_a_landing_that_was_killed_counts_as_well(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("blotout_orchestration.demo.landing.land", killed)
        assert demo("land", "--folder", "a").exit_code != 0
    assert demo("land", "--folder", "b").exit_code == 2


def test_a_written_store_names_the_options_it_was_made_with(home: Path) -> None:
    assert values_in(home.parent / "a") == values_of(DemoOptions(**SMALL))
