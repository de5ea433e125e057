"""`blotout land` and `blotout events`: from files to pending hours, and refused events run again."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings


@pytest.fixture
def ground(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake as the environment's ground."""
    monkeypatch.setenv("BLOTOUT_HOME", str(settings.blotout_home))
    monkeypatch.setenv("ORGANISATION", settings.organisation)
    monkeypatch.setenv("ENVIRONMENT", settings.environment)
    return Lake(settings)


def _body(mid: str) -> dict[str, Any]:
    event = {"mid": mid, "userid": "u", "evn": "sdk_start", "evt": 1772731800000, "type": "system"}
    return {
        "meta": {"sdkv": "0.10.2"},
        "events": [{**event, "session_id": "1", "scrn": "https://shop.example/"}],
    }


def _request(mid: str, received_at: str) -> str:
    path = "/v1/events/publish?token=t"
    return json.dumps(
        {"received_at": received_at, "path": path, "headers": {}, "body": json.dumps(_body(mid))}
    )


def test_requests_go_to_their_hour_and_bare_bodies_to_the_hour_given(blotout: Any, ground: Lake) -> None:
    Path("requests.jsonl").write_text(_request("one", "2026-03-05T17:30:00Z") + "\n")
    Path("bodies.jsonl.gz").write_bytes(gzip.compress(json.dumps(_body("two")).encode() + b"\n"))
    result = blotout("land", "requests.jsonl", "bodies.jsonl.gz", "--received-at", "2026-03-06T03:15")
    assert result.exit_code == 0, result.output
    assert "2 files read: 2 landed, 0 skipped" in result.stdout
    assert "2 lines" in result.stdout
    assert "first hour 2026-03-05T17, last hour 2026-03-06T03" in result.stdout
    pending = blotout("events", "pending")
    assert pending.stdout == "2026-03-05T17\n2026-03-06T03\n"
    assert pending.stderr == "2 hours pending\n"


def test_files_without_a_line_are_told(blotout: Any, ground: Lake) -> None:
    Path("nothing.jsonl").write_text("")
    Path("blank.jsonl").write_text("\n\n")
    Path("one.jsonl").write_text(_request("one", "2026-03-05T17:30:00Z"))
    result = blotout("land", "nothing.jsonl", "blank.jsonl", "one.jsonl")
    assert "3 files read: 1 landed, 0 skipped" in result.stdout
    assert "warning: 2 files held no line" in result.stderr
    damaged = Path("damaged.jsonl.gz")
    damaged.write_bytes(gzip.compress(b"{}")[:12])
    assert "held no line" not in blotout("land", damaged).stderr


def test_a_hidden_file_lands_when_it_is_named_and_is_told_when_its_folder_is(
    blotout: Any, ground: Lake
) -> None:
    folder = Path("outbox/year=2026/month=03/day=05/hour=17")
    folder.mkdir(parents=True)
    (folder / "_x.jsonl").write_text(_request("one", "2026-03-05T17:30:00Z") + "\n")
    whole = blotout("land", "outbox")
    assert whole.exit_code == 0, whole.output
    assert "0 files read: 0 landed" in whole.stdout
    assert f"{folder / '_x.jsonl'}: left out; names that begin with" in whole.stderr
    assert blotout("events", "pending").stdout == ""
    named = blotout("land", folder / "_x.jsonl")
    assert "1 files read: 1 landed" in named.stdout
    assert "landed as x.jsonl" in named.stderr
    assert blotout("events", "pending").stdout == "2026-03-05T17\n"


@pytest.mark.parametrize("arguments", [["pending"], ["replay-bad"], ["replay-bad", "--hours", "2026-03-05"]])
def test_asking_an_empty_ground_makes_no_home(blotout: Any, ground: Lake, arguments: list[str]) -> None:
    result = blotout("events", *arguments)
    assert result.exit_code == 0, result.output
    assert not ground.settings.blotout_home.exists()


def test_a_folder_by_hour_keeps_its_hours_and_landing_twice_adds_nothing(
    blotout: Any, ground: Lake, real_data: Path
) -> None:
    folder = real_data / "sdk_events" / "sdk_v0.9" / "landing"
    hours = {path.parent for path in folder.rglob("*.gz")}
    first = blotout("land", folder)
    assert f"{len(hours)} hours of arrival" in first.stdout
    assert len(blotout("events", "pending").stdout.splitlines()) == len(hours)
    again = blotout("land", folder)
    assert again.exit_code == 0
    assert ": 0 landed," in again.stdout


def test_odd_times_of_arrival_are_warned_of_with_the_first_file_and_line(blotout: Any, ground: Lake) -> None:
    times = ("2026-03-05T17:30:00Z", "2090-01-01T00:00:00Z", "soon")
    Path("odd.jsonl").write_text("\n".join(_request(f"m{time}", time) for time in times))
    for folder in (
        "year=1977/month=10/day=01/hour=00",
        "year=2090/month=1/day=1/hour=1",
        "year=2026/month=02/day=30/hour=01",
    ):
        Path(folder).mkdir(parents=True)
        Path(folder, "a.jsonl").write_text(_request(folder, "2026-03-05T17:30:00Z"))
    result = blotout("land", ".", "--received-at", "2026-03-06T03:15")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stderr.split())
    assert (
        "received_at cannot be read or is far off: 2, the first odd.jsonl, line 2; they landed in the hour"
        in said
    )
    assert (
        "folders name no hour of the calendar: 1, the first year=2026/month=02/day=30/hour=01/a.jsonl" in said
    )
    pending = blotout("events", "pending")
    for told in (said, " ".join(pending.stderr.split())):
        assert (
            "that are not processed: 1, the first 1977-10-01T00; EVENTS_START_HOUR tells where to begin"
            in told
        )
        assert "hours of arrival in the future: 1, the last 2090-01-01T01" in told
    assert pending.stdout == "2026-03-05T17\n2026-03-06T03\n"


def test_hours_before_the_first_hour_to_process_are_not_pending(
    blotout: Any, ground: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [_request("one", "2026-03-05T17:30:00Z"), _request("two", "2026-03-05T18:30:00Z")]
    Path("requests.jsonl").write_text("\n".join(lines))
    blotout("land", "requests.jsonl")
    monkeypatch.setenv("EVENTS_START_HOUR", "2026-03-05T19+01:00")
    assert blotout("events", "pending").stdout == "2026-03-05T18\n"


def test_a_damaged_file_is_named_and_its_readable_part_landed(blotout: Any, ground: Lake) -> None:
    lines = "".join(_request(str(number), "2026-03-05T17:30:00Z") + "\n" for number in range(2000))
    Path("cut.jsonl.gz").write_bytes(gzip.compress(lines.encode())[:-2000])
    result = blotout("land", "cut.jsonl.gz")
    assert result.exit_code == 0
    assert "cut.jsonl.gz" in result.stderr
    assert "what could be read was landed" in result.stderr
    assert blotout("events", "pending").stdout == "2026-03-05T17\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.jsonl"], "does not exist"),
        ([], "Missing argument"),
        ([".", "--received-at", "soon"], "expected a date and time"),
    ],
)
def test_what_cannot_be_landed_is_a_usage_error(
    blotout: Any, ground: Lake, arguments: list[str], complaint: str
) -> None:
    result = blotout("land", *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_refused_events_are_run_again_when_their_file_is_mended(blotout: Any, ground: Lake) -> None:
    folder = Path("year=2026/month=03/day=05/hour=17")
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(_request("one", "2026-03-05T17:30:00Z") + "\n{broken\n")
    blotout("land", ".")
    flatten_hours(ground, pending_hours(ground), engine="duckdb", run_id="test")
    assert blotout("events", "pending").stdout == ""
    bad = json.loads(blotout("sql", "select reason from bad_events", "--format", "json").stdout)
    assert bad == [{"reason": "invalid_json"}]
    dry = blotout("events", "replay-bad", "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "0 of 1 bad events would be recovered (dry run) in 1 hours" in dry.stdout
    landed = next(Path(ground.layer("landing")).rglob("a.jsonl"))
    landed.write_text(landed.read_text().replace("{broken", _request("two", "2026-03-05T17:31:00Z")))
    elsewhere = blotout("events", "replay-bad", "--hours", "2026-03-06")
    assert elsewhere.stdout == "these hours hold no bad events\n"
    result = blotout("events", "replay-bad", "--hours", "2026-03-05")
    assert "1 of 1 bad events recovered in 1 hours" in result.stdout
    assert json.loads(blotout("sql", "select count(*) as n from core_events", "--format", "json").stdout) == [
        {"n": 2}
    ]


def test_a_misspelled_reason_is_refused_also_where_nothing_has_landed(blotout: Any, ground: Lake) -> None:
    result = blotout("events", "replay-bad", "--reason", "nosuch")
    assert result.exit_code == 2
    assert "the reasons are corrupt_gzip, empty_body," in result.stderr
    assert not ground.settings.blotout_home.exists()
