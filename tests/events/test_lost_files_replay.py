"""Bad events of an hour that lost a landed file and gained another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events import kernel_sql, replay
from blotout_orchestration.events.contract import BAD_EVENTS
from blotout_orchestration.events.processing import pending_hours
from blotout_orchestration.events.replay import replay_bad
from blotout_orchestration.lake import Lake

from .hour_files import counts, ids, land
from .sdk_requests import HOUR, bad_rows, flatten_pending


def _refused(lake: Lake, patch: pytest.MonkeyPatch) -> Path:
    """An hour of two files in which a defect, since then mended, refused all events; one file is gone."""
    kernel_sql.kernel_sql.cache_clear()
    with patch.context() as defect:
        defect.setattr(kernel_sql, "LATEST_MS", 1_000_000)
        path = land(lake, "a", "a")
        land(lake, "b", "b")
        flatten_pending(lake)
    kernel_sql.kernel_sql.cache_clear()
    assert len(bad_rows(lake)) == 2
    path.unlink()
    return land(lake, "c", "c")


def test_bad_events_of_an_hour_that_lost_and_gained_files_are_replayed_from_their_raw_text(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refused(lake, monkeypatch)
    report = replay_bad(lake, dry_run=False)
    assert (report.hours_from_landing, report.hours_from_raw, report.recovered) == ([], [HOUR], 2)
    assert ids(lake) == ["a", "b"]
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert ids(lake) == ["a", "b", "c"]
    assert counts(lake) == (3, 3, 0, 0)


def test_a_killed_replay_is_ended_before_new_files_are_added(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refused(lake, monkeypatch)
    replace = Lake.replace

    def killed(self: Lake, spec: Any, *arguments: Any) -> None:
        if spec is BAD_EVENTS:
            raise KeyboardInterrupt
        replace(self, spec, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            replay_bad(lake, dry_run=False)
    assert len(bad_rows(lake)) == 2
    assert replay.replayable_hours(lake, HOUR, HOUR) == [HOUR]
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert ids(lake) == ["a", "b", "c"]
    assert counts(lake) == (3, 3, 0, 0)
