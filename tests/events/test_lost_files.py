"""Hours that lose landed files, by a lifecycle rule or by hand, and may gain others: nothing known is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from blotout_orchestration.events import batches, processing
from blotout_orchestration.events.automation import missing_hours
from blotout_orchestration.events.contract import CORE_EVENTS, HOURS_LEDGER
from blotout_orchestration.events.ledger import read_ledger
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import list_landed

from .hour_files import counts, forget_files, ids, land, ledger_row
from .sdk_requests import HOUR, bad_rows, batch, core_rows, event, flatten_pending, put, request


@pytest.fixture(params=["noted", "older version"])
def as_noted(request: pytest.FixtureRequest) -> Any:
    """Whether the ledger notes the hour's files, or an older version wrote it."""
    return forget_files if request.param == "older version" else lambda lake: None


def test_an_hour_whose_files_are_gone_keeps_its_rows(lake: Lake, as_noted: Any) -> None:
    first, second = land(lake, "a", "a"), land(lake, "b", "b")
    flatten_pending(lake)
    as_noted(lake)
    first.unlink()
    assert pending_hours(lake) == []
    second.unlink()
    assert pending_hours(lake) == []
    [result] = flatten_hours(lake, [HOUR], engine="duckdb", run_id="again")
    assert result.kept
    assert ids(lake) == ["a", "b"]


def test_an_hour_that_lost_some_of_its_files_keeps_its_rows(lake: Lake, as_noted: Any) -> None:
    path = land(lake, "a", "a")
    land(lake, "b", "b")
    flatten_pending(lake)
    as_noted(lake)
    path.unlink()
    [result] = flatten_hours(lake, [HOUR], engine="duckdb", run_id="again")
    assert result.kept
    assert ids(lake) == ["a", "b"]


def test_a_file_that_takes_the_place_of_a_lost_one_is_added_to_its_rows(lake: Lake, as_noted: Any) -> None:
    path = land(lake, "a", "a")
    land(lake, "b", "b")
    flatten_pending(lake)
    before = ledger_row(lake)
    as_noted(lake)
    path.unlink()
    land(lake, "c", "c")
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert ids(lake) == ["a", "b", "c"]
    assert counts(lake) == (3, 3, 0, 0)
    after = ledger_row(lake)
    assert after["files"] == 3
    assert after["revision"] != before["revision"]
    assert pending_hours(lake) == []


def test_a_late_file_is_taken_in_when_most_of_the_hour_is_gone(lake: Lake, as_noted: Any) -> None:
    paths = [land(lake, name, name) for name in ("a", "b", "c")]
    flatten_pending(lake)
    as_noted(lake)
    for path in paths:
        path.unlink()
    land(lake, "d", "d")
    assert pending_hours(lake) == [HOUR]
    assert list(missing_hours(lake, HOUR + timedelta(hours=2))) == [HOUR]
    flatten_pending(lake)
    assert ids(lake) == ["a", "b", "c", "d"]
    assert pending_hours(lake) == []
    assert missing_hours(lake, HOUR + timedelta(hours=2)) == {}


def test_what_a_new_file_delivers_again_is_a_duplicate_of_the_row_that_stays(lake: Lake) -> None:
    path = land(lake, "a", "x", "y", "y")
    flatten_pending(lake)
    assert counts(lake) == (3, 2, 0, 1)
    path.unlink()
    # Received before the row that stays, which still is the first: nothing could bring it back.
    early = request(batch(event("x"), event("z")), received_at="2026-03-02T07:00:00.000Z")
    other = request(batch(event("y", evn="other"), event("y")))
    land(lake, "c", lines=(early, early, other, "{broken"))
    flatten_pending(lake)
    assert ids(lake) == ["x", "y", "z"]
    assert {row["landing_file"][-10:] for row in core_rows(lake) if row["event_id"] != "z"} == {"a.jsonl.gz"}
    assert [row["reason"] for row in bad_rows(lake)] == ["event_id_collision", "invalid_json"]
    assert '"evn":"other"' in bad_rows(lake)[0]["raw"]
    assert counts(lake) == (3 + 7, 3, 2, 1 + 4)


def test_bad_events_of_a_lost_file_stay(lake: Lake) -> None:
    path = land(lake, "a", "a", lines=("{broken",))
    land(lake, "b", "b", additionalData={"colour": "red"})
    flatten_pending(lake)
    path.unlink()
    land(lake, "c", "c", lines=("[]",), additionalData={"brand": "x"}, evt=1772434801650)
    flatten_pending(lake)
    assert [row["reason"] for row in bad_rows(lake)] == ["invalid_json", "not_an_object"]
    assert counts(lake) == (5, 3, 2, 0)
    row = ledger_row(lake)
    assert row["unknown_keys"] == ["brand", "colour"]
    assert row["events_with_unknown_keys"] == 2
    times = [row[f"{name}_event_datetime"] for name in ("first", "last")]
    assert [time.microsecond for time in times] == [649000, 650000]


def test_an_hour_with_kept_rows_is_repeated_without_a_change(lake: Lake) -> None:
    path = land(lake, "a", "a", "a")
    flatten_pending(lake)
    path.unlink()
    land(lake, "c", "c", "a")
    land(lake, "late", "late")
    flatten_pending(lake)
    before = (core_rows(lake), counts(lake))
    assert before[1] == (5, 3, 0, 2)
    [result] = flatten_hours(lake, [HOUR], engine="duckdb", run_id="again")
    assert result.kept
    assert (core_rows(lake), counts(lake)) == before


def test_a_run_killed_before_it_wrote_the_ledger_adds_the_file_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(lake, "a", "a", "a")
    flatten_pending(lake)
    path.unlink()
    land(lake, "c", "c", "c", "a", lines=("{broken",))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(processing, "_write_ledger", killed)
        with pytest.raises(KeyboardInterrupt):
            flatten_pending(lake)
    assert ids(lake) == ["a", "c"]
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert ids(lake) == ["a", "c"]
    assert counts(lake) == (6, 2, 1, 3)


def test_rows_of_a_file_that_went_before_the_ledger_was_written_stay(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(lake, "a", "a")
    with monkeypatch.context() as patch:
        patch.setattr(processing, "_write_ledger", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            flatten_pending(lake)
    path.unlink()
    land(lake, "b", "b")
    flatten_pending(lake)
    assert ids(lake) == ["a", "b"]
    assert counts(lake) == (2, 2, 0, 0)


def test_an_event_that_a_killed_run_left_twice_does_not_count_new_ones_twice(lake: Lake) -> None:
    path = land(lake, "a", "a")
    flatten_pending(lake)
    lake.append(CORE_EVENTS, lake.read(CORE_EVENTS), {})
    path.unlink()
    land(lake, "c", "a", "c")
    [result] = flatten_pending(lake)
    assert ids(lake) == ["a", "a", "c"]
    assert (result.events_in, result.events_good, result.events_duplicate) == (4, 3, 1)


def test_a_lost_file_that_comes_back_changes_nothing(lake: Lake) -> None:
    path = land(lake, "a", "a")
    content = path.read_bytes()
    flatten_pending(lake)
    path.unlink()
    land(lake, "c", "c")
    flatten_pending(lake)
    path.write_bytes(content)
    assert pending_hours(lake) == []
    flatten_hours(lake, [HOUR], engine="duckdb", run_id="again")
    assert ids(lake) == ["a", "c"]
    assert counts(lake) == (2, 2, 0, 0)


def test_a_mended_file_replaces_its_own_rows_beside_those_that_stay(lake: Lake) -> None:
    path = land(lake, "a", "a")
    land(lake, "b", "b", lines=("{broken",))
    flatten_pending(lake)
    path.unlink()
    land(lake, "b", "b", "mended")
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert ids(lake) == ["a", "b", "mended"]
    assert bad_rows(lake) == []


def test_a_new_version_takes_only_new_files_of_an_hour_that_lost_some(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(lake, "a", "a")
    land(lake, "b", "b")
    flatten_pending(lake)
    path.unlink()
    monkeypatch.setattr(batches, "PROCESSOR_VERSION", "next")
    assert pending_hours(lake) == []
    land(lake, "c", "c")
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert ids(lake) == ["a", "b", "c"]


def test_other_hours_are_replaced_whole_in_the_same_commit(lake: Lake) -> None:
    path = land(lake, "a", "a")
    put(lake, [request(batch(event("next")))], hour=HOUR + timedelta(hours=1))
    flatten_pending(lake)
    path.unlink()
    land(lake, "c", "c")
    put(lake, [request(batch(event("instead")))], hour=HOUR + timedelta(hours=1))
    put(lake, [request(batch(event("first")))], hour=HOUR - timedelta(hours=1))
    assert len(flatten_pending(lake)) == 3
    assert ids(lake) == ["a", "c", "first", "instead"]


def test_an_older_ledger_becomes_one_that_notes_files(lake: Lake) -> None:
    land(lake, "a", "a")
    flatten_pending(lake)
    forget_files(lake)
    assert pending_hours(lake) == []
    assert read_ledger(lake)["landed_files"].to_pylist() == [None]
    land(lake, "b", "b")
    flatten_pending(lake)
    [row] = read_ledger(lake).to_pylist()
    sizes = {file.path: file.size for file in list_landed(lake.layer("landing"))[HOUR]}
    assert row["landed_files"] == str(sizes).replace("'", '"').replace(" ", "")
    assert set(row) == set(HOURS_LEDGER.arrow_schema.names)
