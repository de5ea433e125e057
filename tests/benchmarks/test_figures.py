"""Figures of benchmarks: targets, tables, commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.figures import CommandError, Figure, benchmark_main, run_command, table


def test_a_target_ratio_is_met_up_to_the_ratio_and_missed_above_it() -> None:
    assert Figure("tick", 13.0, "s", "after a day", 10.0, target_ratio=1.3).met is True
    assert Figure("tick", 13.1, "s", "after a day", 10.0, target_ratio=1.3).met is False


def test_a_target_value_bounds_what_was_measured_whatever_the_yardstick() -> None:
    assert Figure("load", 4.9, "s", "import dagster", 0.1, target_value=5).met is True
    assert Figure("load", 5.1, "s", "import dagster", 9.0, target_value=5).met is False


def test_a_figure_without_a_target_is_neither_met_nor_missed() -> None:
    assert Figure("land", 1.0, "s", "after a day", 2.0).met is None


def test_the_table_shows_value_yardstick_ratio_target_and_verdict() -> None:
    text = table("tick", [Figure("whole", 14.0, "s", "after a day", 10.0, target_ratio=1.3)])
    assert text.splitlines()[-1].split() == [
        "whole",
        "14.00",
        "s",
        "10.00",
        "s",
        "after",
        "a",
        "day",
        "1.40",
        "<=",
        "1.3",
        "x",
        "NO",
    ]


def test_a_command_is_timed_with_its_cpu_seconds_and_its_output() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\nprint('done')"
    seconds = run_command([sys.executable, "-c", busy])
    assert seconds.output == "done\n"
    assert seconds.cpu >= 0.3
    assert seconds.wall > 0


def test_a_failing_command_is_an_error_that_shows_its_output() -> None:
    with pytest.raises(CommandError, match=r"ended with 3:\nwhat went wrong"):
        run_command([sys.executable, "-c", "import sys; print('what went wrong'); sys.exit(3)"])


def test_a_benchmark_prints_its_table_and_writes_the_same_figures_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    figures = [Figure("load", 2.0, "s", "bare", 1.0, target_value=5)]
    benchmark_main("toy", lambda options: figures, None, ["--quick", "--json", str(file)])
    written = json.loads(file.read_text())
    assert "toy (quick size" in capsys.readouterr().out
    assert (written["benchmark"], written["quick"]) == ("toy", True)
    assert [(row["name"], row["ratio"], row["met"]) for row in written["figures"]] == [("load", 2.0, True)]


def test_an_unknown_benchmark_is_refused_with_the_names_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["flaten"])
    assert stopped.value.code == 2
    assert (
        "no benchmark flaten; the benchmarks are: code_location, six_steps, tick" in capsys.readouterr().err
    )
