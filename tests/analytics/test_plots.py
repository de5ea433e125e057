"""Pictures: real PNGs of a bounded size, that show what they were given."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from blotout_orchestration.analytics import plots
from blotout_orchestration.events import plots as events_plots


def _pixels(png: bytes) -> Any:
    from matplotlib.image import imread

    assert png.startswith(b"\x89PNG")
    return imread(BytesIO(png), format="png")


def _triangle(cohorts: int, complete: bool) -> list[plots.RetentionCell]:
    first = date(2026, 1, 5)
    return [
        plots.RetentionCell(first + timedelta(weeks=c), p, 100, 1.0 if p == 0 else 0.3 / p, complete)
        for c in range(cohorts)
        for p in range(cohorts - c)
    ]


def test_a_heat_map_hatches_unfinished_periods() -> None:
    finished = _pixels(plots.retention_heat_map(_triangle(6, complete=True)))
    unfinished = _pixels(plots.retention_heat_map(_triangle(6, complete=False)))
    assert finished.shape == unfinished.shape
    assert (finished != unfinished).any()


def test_a_heat_map_of_hundreds_of_cohorts_stays_readable_and_shows_the_newest() -> None:
    cells = _triangle(60, complete=True)
    newest = sorted({cell.cohort_start for cell in cells})[-plots.MAXIMUM_COHORTS :]
    whole = plots.retention_heat_map(cells)
    assert whole == plots.retention_heat_map([cell for cell in cells if cell.cohort_start in newest])
    height, width, _ = _pixels(whole).shape
    assert height < 1400
    assert width < 2200


def test_bars_add_small_channels_up_and_stay_bounded() -> None:
    credits = [
        plots.ChannelCredit(model, f"channel {number}", 100.0 / (number + 1))
        for model in ("first_touch", "linear", "markov")
        for number in range(40)
    ]
    height, width, _ = _pixels(plots.attribution_bars(credits, unit="EUR")).shape
    assert height < 1400
    assert width < 1400


def test_hourly_volume_leaves_a_gap_for_a_missing_hour() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    hours = [events_plots.HourVolume(start + timedelta(hours=hour), 100, 5, 5) for hour in range(12)]
    whole = _pixels(events_plots.hourly_volume(hours))
    gap = _pixels(events_plots.hourly_volume([hour for hour in hours if hour.hour.hour != 6]))
    assert whole.shape == gap.shape
    assert (whole != gap).any()


@pytest.mark.parametrize(
    "draw", [plots.retention_heat_map, plots.attribution_bars, events_plots.hourly_volume]
)
def test_an_empty_report_is_a_picture_that_says_so(draw: Any) -> None:
    height, width, _ = _pixels(draw([])).shape
    assert height < 500
    assert width < 1300


def test_the_same_rows_give_the_same_bytes() -> None:
    assert plots.retention_heat_map(_triangle(4, True)) == plots.retention_heat_map(_triangle(4, True))
