"""Each benchmark runs at a toy size and prints its table."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks import engines, six_steps, tick
from benchmarks.__main__ import main
from benchmarks.figures import Figure, benchmark_main


def test_loading_the_code_location_is_measured_through_the_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "all.json"
    assert main(["code_location", "--quick", "--verbose", "--json", str(file)]) == 0
    (result,) = json.loads(file.read_text())
    printed = capfd.readouterr().out
    assert [figure["name"] for figure in result["figures"]] == ["load, wall", "load, CPU"]
    assert all(figure["measured"] > figure["yardstick"] > 0 for figure in result["figures"])
    assert "code_location (quick size" in printed
    assert "imports that take longest" in printed


def test_stitching_is_measured_against_scipy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "STITCHING_EDGES", {True: 2_000, False: 2_000})
    benchmark_main("stitching", engines.stitching, None, ["--quick"])
    printed = capsys.readouterr().out
    assert printed.count("scipy alone") == 4
    assert printed.count("+1 %") == 12


@pytest.mark.spark
@pytest.mark.heavy
def test_flattening_is_measured_against_the_bare_query_and_spark(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "FLATTEN_LINES", {True: 400, False: 400})
    benchmark_main("flatten", engines.flatten, None, ["--quick"])
    printed = capfd.readouterr().out
    assert "DuckDB, CPU" in printed
    assert "Spark local[2]" in printed


@pytest.mark.heavy
def test_six_steps_are_measured_with_our_executor_and_with_the_defaults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark_main("six_steps", six_steps.measure, None, ["--quick"])
    printed = capsys.readouterr().out
    assert "trigger to done" in printed
    assert "Dagster's defaults" in printed


@pytest.mark.heavy
def test_the_tick_is_measured_in_homes_with_a_short_and_a_long_history(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    toy = tick.Size(days=3, people=20, events=600, hours=1, jobs=tick.JOBS[:2])
    monkeypatch.setattr(tick, "QUICK", toy)
    found: list[Figure] = []

    def measure(options: object) -> list[Figure]:
        found.extend(tick.measure(options))  # type: ignore[arg-type]
        return found

    benchmark_main("tick", measure, None, ["--quick"], extend=tick.add_options)
    printed = capsys.readouterr().out
    assert "history of 3 days: built in" in printed
    whole = next(figure for figure in found if figure.name == "whole tick, CPU")
    parts = [figure for figure in found if figure.name.endswith("CPU") and figure is not whole]
    assert whole.measured == pytest.approx(
        sum(part.measured for part in parts if not part.name.startswith(tick.STARTUP))
    )
    assert whole.target_ratio == 1.3


def test_the_short_history_holds_only_what_arrived_in_its_day(tmp_path: Path) -> None:
    size = tick.Size(days=3, people=20, events=600, hours=1)
    store, noon = tick.make_store(tmp_path / "store", size)
    day = tick.history(store, tmp_path / "day", noon - timedelta(days=1), noon)
    whole = tick.history(store, tmp_path / "whole", noon - timedelta(days=9), noon)
    folders = {path.parent.name for path in (day / "requests").rglob("*.gz")}
    before, after = len(list(day.rglob("*.gz"))), len(list(whole.rglob("*.gz")))
    landed = sorted(str(path.relative_to(day)) for path in day.rglob("*.gz"))
    assert folders
    assert before < after
    assert all("day=30" in path or "day=31" in path for path in landed)
    assert all(
        hour < "hour=12" for path in landed if "day=31" in path for hour in path.split("/") if "hour" in hour
    )
