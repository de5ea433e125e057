"""Bad events run again: from the landed files, and from their raw text where those are gone."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from blotout_orchestration.errors import UsageError
from blotout_orchestration.events import kernel_sql
from blotout_orchestration.events.contract import BAD_EVENTS, EVENT_HOURS
from blotout_orchestration.events.processing import pending_hours
from blotout_orchestration.events.replay import replay_bad
from blotout_orchestration.lake import Lake

from .sdk_requests import HOUR, bad_rows, batch, core_rows, event, flatten_pending, put, request


@pytest.fixture
def refused(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> tuple[Lake, Path]:
    """An hour in which a defect of the flattening, since then mended, refused events of this year."""
    kernel_sql.kernel_sql.cache_clear()
    monkeypatch.setattr(kernel_sql, "LATEST_MS", 1_000_000)
    lines = [
        request(batch(event("a", evt=5), event("b"))),
        "{broken",
        request(batch(event("a", evt=5, evn="other"))),
    ]
    path = put(lake, lines)
    flatten_pending(lake)
    monkeypatch.undo()
    kernel_sql.kernel_sql.cache_clear()
    assert [row["reason"] for row in bad_rows(lake)] == [
        "invalid_event_time",
        "invalid_json",
        "event_id_collision",
    ]
    return lake, path


def test_a_dry_run_says_what_would_happen_and_changes_nothing(refused: tuple[Lake, Path]) -> None:
    lake, _ = refused
    report = replay_bad(lake)
    assert (report.dry_run, report.recovered, report.hours_from_landing) == (True, 1, [HOUR])
    assert report.after == {"invalid_json": 1, "event_id_collision": 1}
    assert len(bad_rows(lake)) == 3


def test_after_a_fix_the_events_become_rows(refused: tuple[Lake, Path]) -> None:
    lake, _ = refused
    report = replay_bad(lake, dry_run=False)
    assert (report.recovered, report.before.total()) == (1, 3)
    assert [row["event_id"] for row in core_rows(lake)] == ["a", "b"]
    assert [row["reason"] for row in bad_rows(lake)] == ["invalid_json", "event_id_collision"]


def test_without_the_landed_files_the_raw_events_are_used(refused: tuple[Lake, Path]) -> None:
    lake, path = refused
    path.unlink()
    before = lake.read(EVENT_HOURS).to_pylist()[0]
    assert replay_bad(lake).after == {"invalid_json": 1, "event_id_collision": 1}
    report = replay_bad(lake, dry_run=False)
    assert report.hours_from_raw == [HOUR]
    rows = core_rows(lake)
    assert [(row["event_id"], row["landing_line"], row["landing_index"]) for row in rows] == [
        ("a", 1, 0),
        ("b", 1, 1),
    ]
    assert rows[1]["page_host"] == "www.toyshop.example"
    after = lake.read(EVENT_HOURS).to_pylist()[0]
    assert after["revision"] != before["revision"]
    assert (after["events_good"], after["events_bad"], after["events_in"]) == (2, 2, 4)
    again = replay_bad(lake, dry_run=False)
    assert again.recovered == 0
    assert len(core_rows(lake)) == 2
    assert pending_hours(lake) == []


def test_hours_and_reasons_choose_what_is_replayed(refused: tuple[Lake, Path]) -> None:
    lake, _ = refused
    assert replay_bad(lake, reason="no_events").before.total() == 0
    assert replay_bad(lake, reason="invalid_json").hours_from_landing == [HOUR]
    assert replay_bad(lake, hours=[HOUR.replace(hour=3)]).before.total() == 0


def test_a_reason_that_nothing_is_refused_for_is_an_error_that_names_the_reasons(
    refused: tuple[Lake, Path],
) -> None:
    lake, _ = refused
    with pytest.raises(UsageError, match=r"--reason invalid_jsom: nothing is refused .* invalid_json,"):
        replay_bad(lake, reason="invalid_jsom")


def test_a_reason_of_an_older_version_is_known_while_bad_events_holds_it(refused: tuple[Lake, Path]) -> None:
    lake, _ = refused
    rows = lake.read(BAD_EVENTS).slice(0, 1)
    old = rows.set_column(rows.schema.get_field_index("reason"), "reason", pa.array(["too_long"]))
    lake.append(BAD_EVENTS, old.cast(BAD_EVENTS.arrow_schema), {})
    assert replay_bad(lake, reason="too_long").hours_from_landing == [HOUR]
