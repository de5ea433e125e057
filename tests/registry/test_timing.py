"""When a key is due: by cron or interval, in UTC, missed times once, paused never."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from blotout_orchestration.platform.registry.timing import Timing, due_keys, latest_due

ADDED = datetime(2026, 3, 5, 10, 7, tzinfo=UTC)


@dataclass(frozen=True)
class Definition:
    timing: Timing = field(default_factory=Timing)
    paused: bool = False
    created_at: datetime = ADDED


def every(seconds: int) -> Timing:
    return Timing(interval_seconds=seconds)


def cron(expression: str) -> Timing:
    return Timing(schedule=expression)


def at(hour: int, minute: int = 0, day: int = 5) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_a_new_key_is_due_at_once_and_then_at_its_times():
    timing = cron("0 * * * *")
    assert latest_due(at(10, 7), timing, ADDED) == ADDED
    assert latest_due(at(10, 59), timing, ADDED) == ADDED
    assert latest_due(at(11), timing, ADDED) == at(11)
    assert latest_due(at(11, 59), timing, ADDED) == at(11)


def test_without_a_word_about_time_a_key_runs_hourly():
    assert latest_due(at(14, 30), Timing(), ADDED) == at(14)


def test_an_interval_counts_from_the_moment_of_adding():
    assert latest_due(at(10, 37), every(900), ADDED) == at(10, 37)
    assert latest_due(at(10, 36), every(900), ADDED) == at(10, 22)


def test_a_manual_key_is_never_due():
    assert latest_due(at(23), cron("manual"), ADDED) is None


def test_nothing_is_due_before_it_was_added():
    assert latest_due(at(9), every(60), ADDED) is None


def test_times_that_were_missed_count_once():
    runs = {"a": at(11)}
    due = due_keys(at(9, 30, day=20), {"a": Definition(cron("*/5 * * * *"))}, runs)
    assert due == {"a": at(9, 30, day=20)}
    assert due_keys(at(9, 31, day=20), {"a": Definition(cron("*/5 * * * *"))}, due) == {}


def test_a_paused_key_is_not_due_and_is_due_once_when_resumed():
    running, paused = Definition(), Definition(paused=True)
    last = {"a": at(11)}
    assert due_keys(at(17, 20), {"a": paused}, last) == {}
    assert due_keys(at(17, 20), {"a": running}, last) == {"a": at(17)}


def test_the_key_that_waits_longest_comes_first():
    definitions = {
        "new": Definition(created_at=at(12, 30)),
        "hourly": Definition(),
        "daily": Definition(cron("0 3 * * *"), created_at=at(1)),
    }
    last = {"hourly": at(11), "daily": ADDED - timedelta(days=2)}
    assert list(due_keys(at(12, 31), definitions, last)) == ["daily", "hourly", "new"]


@pytest.mark.parametrize(
    ("zone", "day"), [("Europe/Berlin", (2026, 3, 29)), ("America/New_York", (2026, 11, 1))]
)
def test_a_change_of_clocks_elsewhere_changes_nothing(monkeypatch, zone, day):
    """Every minute of the day of change, asked in local time, has its own time in UTC."""
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        start = datetime(*day, tzinfo=UTC)
        minutes = [start + timedelta(minutes=number) for number in range(0, 24 * 60, 7)]
        found = [
            latest_due(moment.astimezone(ZoneInfo(zone)), cron("30 * * * *"), ADDED) for moment in minutes
        ]
        expected = [moment - timedelta(minutes=(moment.minute - 30) % 60) for moment in minutes]
        assert found == [moment.replace(second=0) for moment in expected]
        assert len(set(found)) == 25
    finally:
        monkeypatch.undo()
        time.tzset()


MOMENTS = st.datetimes(datetime(2026, 3, 6), datetime(2036, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
TIMINGS = st.one_of(
    st.integers(60, 400_000).map(every),
    st.sampled_from(
        ["0 * * * *", "*/7 3 * * *", "0 0 29 2 *", "15 9 * * 1-5", "@daily", "59 23 31 12 *"]
    ).map(cron),
)


@given(MOMENTS, TIMINGS, st.integers(-14, 14))
def test_a_due_time_is_never_ahead_and_does_not_depend_on_the_time_zone(moment, timing, offset):
    due = latest_due(moment, timing, ADDED)
    assert due is not None
    assert ADDED <= due <= moment
    assert latest_due(moment.astimezone(timezone(timedelta(hours=offset))), timing, ADDED) == due
    assert latest_due(due, timing, ADDED) == due


@given(st.lists(MOMENTS, min_size=1, max_size=20), TIMINGS)
def test_ticks_at_any_times_run_each_due_time_at_most_once(moments, timing):
    last: dict[str, datetime] = {}
    requested = []
    for moment in sorted(moments):
        due = due_keys(moment, {"a": Definition(timing)}, last)
        requested += due.values()
        last |= due
    assert requested == sorted(set(requested))
    assert requested[-1] == latest_due(max(moments), timing, ADDED)


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "0 * * *"},
        {"schedule": "0 0 30 2 *"},
        {"schedule": "H * * * *"},
        {"interval_seconds": 59},
        {"schedule": "0 * * * *", "interval_seconds": 600},
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(fields):
    with pytest.raises(ValidationError):
        Timing(**fields)
