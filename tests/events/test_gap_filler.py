"""Which hours the gap filler sees: closed ones of the window, at the cost of the window."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from blotout_orchestration.events.automation import missing_hours
from blotout_orchestration.lake import Lake, layers
from blotout_orchestration.settings import Settings

from .sdk_requests import HOUR, batch, event, flatten_pending, put, request

NOW = HOUR + timedelta(hours=6, minutes=10)


def lines(name: str) -> list[str]:
    return [request(batch(event(name)))]


@pytest.fixture
def late(settings: Settings) -> Lake:
    """A window of four hours: NOW is in the seventh hour, so the third to the sixth are closed and in it."""
    lake = Lake(settings.model_copy(update={"catch_up_hours": 4}))
    for offset in range(7):
        put(lake, lines(f"e{offset}"), hour=HOUR + timedelta(hours=offset))
    return lake


def offsets(found: Iterable[datetime]) -> list[float]:
    return [(hour - HOUR) / timedelta(hours=1) for hour in found]


def test_closed_hours_of_the_window_are_missing_until_they_are_processed(late: Lake) -> None:
    assert offsets(missing_hours(late, NOW)) == [2, 3, 4, 5]
    flatten_pending(late)
    assert missing_hours(late, NOW) == {}


def test_an_hour_that_got_another_file_is_missing_again_under_another_fingerprint(late: Lake) -> None:
    before = missing_hours(late, NOW)
    flatten_pending(late)
    put(late, lines("later"), name="part-1.jsonl.gz", hour=HOUR + timedelta(hours=3))
    after = missing_hours(late, NOW)
    assert offsets(after) == [3]
    assert after.items().isdisjoint(before.items())


def test_hours_before_the_start_are_not_missing(late: Lake) -> None:
    start = (HOUR + timedelta(hours=4)).isoformat()
    lake = Lake(late.settings.model_copy(update={"events_start_hour": start}))
    assert offsets(missing_hours(lake, NOW)) == [4, 5]


def test_only_the_folders_of_the_window_are_listed(late: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[datetime] = []
    list_landed = layers.list_landed

    def recorded(landing: str, hours: Iterable[datetime] | None = None) -> Any:
        assert hours is not None, "the whole landing layer was listed"
        listed.extend(hours)
        return list_landed(landing, hours)

    monkeypatch.setattr(layers, "list_landed", recorded)
    missing_hours(late, NOW)
    assert offsets(listed) == [2, 3, 4, 5]
