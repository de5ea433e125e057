"""Times of arrival that nobody can mean: nothing is lost, all is told, and no hour is made of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events.arrival import left_out
from blotout_orchestration.events.assets import hourly_partitions
from blotout_orchestration.events.landing import LandingReport, land
from blotout_orchestration.events.processing import pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import hour_folder, list_first_hour, list_landed

from .sdk_requests import batch, core_rows, event, flatten_pending, now, put, request, this_hour


def landing_hour() -> datetime:
    return this_hour() - timedelta(hours=3)


def _land(lake: Lake, tmp_path: Path, *times: Any, start: str | None = None) -> LandingReport:
    """Land a plain file with one request for each time of arrival, `m0` the first; ... is none at all."""
    file = tmp_path / "requests.jsonl"
    lines = [request(batch(event(f"m{number}")), received_at=time) for number, time in enumerate(times)]
    file.write_text("\n".join(lines) + "\n")
    lake = Lake(lake.settings.model_copy(update={"events_start_hour": start}))
    return land(lake, [file], received_at=landing_hour())


def _hours(lake: Lake) -> dict[str, datetime]:
    flatten_pending(lake)
    return {row["event_id"]: row["arrival_hour"] for row in core_rows(lake)}


@pytest.mark.parametrize(
    "odd",
    [
        "2090-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        timedelta(days=2),
        "0001-01-01T00:00:00+14:00",
        "yesterday",
        "",
        1772731800000,
        {"at": "2026-03-02"},
    ],
)
def test_a_line_of_an_odd_time_lands_in_the_hour_of_the_landing_and_is_counted(
    lake: Lake, tmp_path: Path, odd: Any
) -> None:
    if isinstance(odd, timedelta):
        odd = (now() + odd).isoformat()
    good = (now() - timedelta(days=30)).isoformat()
    report = _land(lake, tmp_path, good, odd, ..., good, odd)
    assert (report.lines, report.lines_misdated) == (5, 2)
    assert report.misdated == (str(tmp_path / "requests.jsonl"), 2)
    month_ago = this_hour() - timedelta(days=30)
    arrived = {
        "m0": month_ago,
        "m1": landing_hour(),
        "m2": landing_hour(),
        "m3": month_ago,
        "m4": landing_hour(),
    }
    assert _hours(lake) == arrived
    assert hourly_partitions(lake).get_num_partitions() < 24 * 32
    again = _land(lake, tmp_path, good, odd, ..., good, odd)
    assert again.files_landed == 0


def test_years_of_history_and_a_clock_an_hour_ahead_are_believed(lake: Lake, tmp_path: Path) -> None:
    history = now() - timedelta(days=3600)
    report = _land(lake, tmp_path, history.isoformat(), (now() + timedelta(hours=1)).isoformat())
    assert report.lines_misdated == 0
    assert report.misdated is None
    assert len(report.hours) == 2
    assert landing_hour() not in report.hours


def test_lines_of_more_than_ten_years_ago_wait_in_their_own_hour_for_the_hour_to_begin_with(
    lake: Lake, tmp_path: Path
) -> None:
    times = ("2001-01-01T05:30:00Z", "2000-01-01T00:00:00Z")
    report = _land(lake, tmp_path, *times)
    assert report.lines_misdated == 0
    assert report.hours == {datetime(2001, 1, 1, 5, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)}
    assert pending_hours(lake) == []
    (said,) = left_out(lake.settings, report.hours)
    assert "not processed: 2, the first 2000-01-01T00; EVENTS_START_HOUR" in said
    assert _land(lake, tmp_path, *times, start="2000-01-01T00").files_landed == 0
    ours = Lake(lake.settings.model_copy(update={"events_start_hour": "2000-01-01T00+00:00"}))
    assert left_out(ours.settings, report.hours) == []
    assert pending_hours(ours) == sorted(report.hours)


def test_a_later_first_hour_does_not_make_older_times_odd(lake: Lake, tmp_path: Path) -> None:
    start = (this_hour() - timedelta(days=5)).isoformat()
    assert _land(lake, tmp_path, (now() - timedelta(days=50)).isoformat(), start=start).lines_misdated == 0


def test_the_line_of_an_odd_time_is_counted_with_blank_lines_in_the_file(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "blank.jsonl"
    file.write_text("\n\n{}\n  \n" + json.dumps({"received_at": "2090-01-01"}))
    assert land(lake, [file]).misdated == (str(file), 5)


@pytest.mark.parametrize("folder", ["year=2026/month=03/day=05/hour=24", "year=2026/month=02/day=30/hour=01"])
def test_a_folder_that_is_no_hour_is_named_and_its_lines_are_sorted(
    lake: Lake, tmp_path: Path, folder: str
) -> None:
    file = tmp_path / "outbox" / folder / "a.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(request(batch(event("a")), received_at="2026-03-02T07:30:00Z"))
    report = land(lake, [tmp_path / "outbox"])
    assert report.no_hour == [str(file)]
    assert _hours(lake) == {"a": datetime(2026, 3, 2, 7, tzinfo=UTC)}


def test_a_folder_by_hour_is_believed_whatever_its_year(lake: Lake, tmp_path: Path) -> None:
    hours = [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1977, 2009, 2090)]
    for hour in hours:
        file = tmp_path / "outbox" / hour_folder(hour) / "a.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text("{}\n")
    land(lake, [tmp_path / "outbox"])
    assert list(list_landed(lake.layer("landing"))) == hours


def test_landed_hours_of_1977_and_2090_are_neither_partitions_nor_pending(lake: Lake) -> None:
    landed = this_hour() - timedelta(days=40)
    for hour in (datetime(1977, 10, 1, tzinfo=UTC), landed, datetime(2090, 1, 1, tzinfo=UTC)):
        put(lake, [request(batch(event("a")))], hour=hour)
    keys = hourly_partitions(lake).get_partition_keys()
    assert keys[0] == f"{landed:%Y-%m-%d-%H:00}"
    assert keys[-1] == f"{this_hour():%Y-%m-%d-%H:00}"
    assert pending_hours(lake) == [landed]


def test_the_first_hour_to_process_makes_older_hours_partitions_and_pending(lake: Lake) -> None:
    hour = datetime(2009, 12, 1, 8, tzinfo=UTC)
    put(lake, [request(batch(event("a")))], hour=hour)
    assert pending_hours(lake) == []
    lake = Lake(lake.settings.model_copy(update={"events_start_hour": "2009-12-01T09+01:00"}))
    assert hourly_partitions(lake).get_first_partition_key() == "2009-12-01-08:00"
    assert pending_hours(lake) == [hour]


def test_the_first_landed_hour_is_found_beside_folders_that_are_none(lake: Lake) -> None:
    root = Path(lake.layer("landing"))
    for folder in (
        "year=2026/month=02/day=30/hour=01",
        "year=2026/month=1/day=05/hour=24",
        "year=old/month=1",
    ):
        (root / folder).mkdir(parents=True)
    assert list_first_hour(str(root)) is None
    (root / "year=2026/month=11/day=05/hour=03").mkdir(parents=True)
    (root / "year=2026/month=2/day=28/hour=10").mkdir(parents=True)
    assert list_first_hour(str(root)) == datetime(2026, 2, 28, 10, tzinfo=UTC)
    later = list_first_hour(str(root), not_before=datetime(2026, 2, 28, 11, tzinfo=UTC))
    assert later == datetime(2026, 11, 5, 3, tzinfo=UTC)
