"""Ranges of hours as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.hours import parse_hours

HOURS = st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9990, 1, 1)).map(
    lambda moment: moment.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
)
FORMS = st.sampled_from(["%Y-%m-%dT%H", "%Y-%m-%d %H", "%Y-%m-%dT%H:00", "%Y-%m-%dT%H:00Z", "%Y-%m-%d-%H:00"])


@given(HOURS, st.integers(min_value=0, max_value=10_000), FORMS, FORMS)
def test_hours_in_any_form_come_back_with_both_ends(first: datetime, length: int, one: str, two: str) -> None:
    last = first + timedelta(hours=length)
    assert parse_hours(f"{first.strftime(one)}..{last.strftime(two)}") == (first, last)


@given(HOURS, st.integers(min_value=0, max_value=400))
def test_days_stand_for_all_their_hours(first: datetime, days: int) -> None:
    start, end = first.date(), first.date() + timedelta(days=days)
    expected = (
        datetime(start.year, start.month, start.day, 0, tzinfo=UTC),
        datetime(end.year, end.month, end.day, 23, tzinfo=UTC),
    )
    assert parse_hours(f"{start.isoformat()}..{end.isoformat()}") == expected


@given(HOURS, st.integers(min_value=1, max_value=10_000))
def test_a_range_that_runs_backwards_is_refused(last: datetime, length: int) -> None:
    first = last + timedelta(hours=length)
    with pytest.raises(UsageError, match="turn them round"):
        parse_hours(f"{first:%Y-%m-%dT%H}..{last:%Y-%m-%dT%H}")


@given(st.one_of(st.text(max_size=30), st.text("0123456789-.T: Z", max_size=40)))
def test_any_text_is_a_range_or_one_clear_error(text: str) -> None:
    complaint = ""
    try:
        first, last = parse_hours(text)
    except UsageError as error:
        complaint = str(error)
    if complaint:
        assert complaint.startswith(f"--hours {text}: ")
    else:
        assert first <= last
        assert (first.minute, last.minute, first.tzinfo, last.tzinfo) == (0, 0, UTC, UTC)


def test_a_day_and_an_hour_mix_and_one_alone_is_a_range_of_itself() -> None:
    def at(day: int, hour: int) -> datetime:
        return datetime(2026, 3, day, hour, tzinfo=UTC)

    assert parse_hours("2026-03-05T17..2026-03-06") == (at(5, 17), at(6, 23))
    assert parse_hours("2026-03-05..2026-03-06T02") == (at(5, 0), at(6, 2))
    assert parse_hours("2026-03-05") == (at(5, 0), at(5, 23))
    assert parse_hours("2026-03-05T17") == (at(5, 17), at(5, 17))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' is not an hour or a day"),
        ("..", "'' is not an hour or a day"),
        ("2026-03-05T17..", "'' is not an hour or a day"),
        ("2026-03-05T17:30", "'2026-03-05T17:30' is not an hour or a day"),
        ("2026-03-05T17+02:00", "is not an hour or a day"),
        ("2026-02-30", "there is no '2026-02-30' in the calendar"),
        ("2026-03-05T24", "there is no '2026-03-05T24' in the calendar"),
        ("yesterday..today", "'yesterday' is not an hour or a day"),
        ("2026-03-05...2026-03-06", "'.2026-03-06' is not an hour or a day"),
    ],
)
def test_the_part_that_cannot_be_read_is_named(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        parse_hours(text)
