"""Landing: hours are kept or found, nothing is lost, and landing again adds nothing."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blotout_orchestration.events.landing import land
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import list_landed

from .sdk_requests import bad_rows, batch, core_rows, event, flatten_pending, request

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def _landed(lake: Lake) -> dict[str, bytes]:
    root = Path(lake.layer("landing"))
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def _folder(tmp_path: Path, content: bytes, name: str = "a.jsonl.gz") -> Path:
    folder = tmp_path / "outbox" / "year=2026" / "month=3" / "day=2" / "hour=7"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return tmp_path / "outbox"


def test_a_folder_of_hours_keeps_hours_names_and_bytes(lake: Lake, tmp_path: Path) -> None:
    source = _folder(tmp_path, b"whatever it is\n")
    (source / "year=2026" / "_SUCCESS").write_text("")
    report = land(lake, [source])
    assert _landed(lake) == {"year=2026/month=03/day=02/hour=07/a.jsonl.gz": b"whatever it is\n"}
    assert (report.files_landed, report.hours) == (1, {datetime(2026, 3, 2, 7, tzinfo=UTC)})


def test_landing_again_adds_nothing_and_other_content_lands_beside(lake: Lake, tmp_path: Path) -> None:
    land(lake, [_folder(tmp_path, b"one")])
    again = land(lake, [_folder(tmp_path, b"one")])
    assert (again.files_landed, again.files_skipped) == (0, 1)
    for _ in range(2):
        report = land(lake, [_folder(tmp_path, b"two")])
    assert report.files_skipped == 1
    names = list(_landed(lake))
    assert len(names) == 2
    assert sorted(_landed(lake).values()) == [b"one", b"two"]
    assert all(name.endswith(".jsonl.gz") for name in names)


def test_the_lines_of_a_plain_file_go_to_their_hours(lake: Lake, tmp_path: Path) -> None:
    lines = [
        json.dumps(batch(event("early"))),
        request(batch(event("a")), received_at="2026-03-02T07:59:59.999Z"),
        request(batch(event("b")), received_at="2026-03-02T10:00:00+02:00"),
        "{broken",
        json.dumps({"x": 1, "received_at": "2026-03-02T07:00:00Z", "body": json.dumps(batch(event("c")))}),
    ]
    file = tmp_path / "requests.jsonl"
    file.write_text("\n\n".join(lines))
    report = land(lake, [file], received_at=NOW)
    assert report.lines == 5
    flatten_pending(lake)
    hours = {row["event_id"]: row["arrival_hour"] for row in core_rows(lake)}
    assert {name: hour.isoformat() for name, hour in hours.items()} == {
        "early": "2026-05-01T09:00:00+00:00",
        "a": "2026-03-02T07:00:00+00:00",
        "b": "2026-03-02T08:00:00+00:00",
        "c": "2026-03-02T07:00:00+00:00",
    }
    [bad] = bad_rows(lake)
    assert (bad["reason"], bad["arrival_hour"]) == ("invalid_json", hours["b"])


def test_a_plain_file_landed_again_adds_nothing_even_in_another_hour(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "bodies.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(batch(event())).encode()))
    land(lake, [file], received_at=NOW)
    before = _landed(lake)
    report = land(lake, [file], received_at=NOW.replace(hour=20))
    assert (report.files_landed, report.files_skipped) == (0, 1)
    assert _landed(lake) == before


def test_the_readable_part_of_a_damaged_file_is_landed_and_the_damage_reported(
    lake: Lake, tmp_path: Path
) -> None:
    file = tmp_path / "cut.jsonl.gz"
    whole = "".join(request(batch(event(f"m-{n}", evn=str(hash(str(n)))))) + "\n" for n in range(2000))
    file.write_bytes(gzip.compress(whole.encode())[:-200])
    report = land(lake, [file])
    assert next(iter(report.damaged.values())).startswith("truncated_gzip")
    [result] = flatten_pending(lake)
    assert result.events_good > 1000
    assert result.events_bad <= 1


def test_lines_that_are_not_utf8_are_landed_as_they_are(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "latin.jsonl"
    file.write_bytes(b'{"caf\xe9": 1}\n')
    land(lake, [file], received_at=NOW)
    flatten_pending(lake)
    assert [row["reason"] for row in bad_rows(lake)] == ["invalid_utf8"]


def test_a_path_that_is_not_there_is_refused_before_anything_is_landed(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(request(batch(event())))
    with pytest.raises(FileNotFoundError, match=r"nothing to land at .*missing: give a file or a folder"):
        land(lake, [file, tmp_path / "missing"])
    assert list_landed(lake.layer("landing")) == {}


def test_landing_reports_its_progress(lake: Lake, tmp_path: Path) -> None:
    said: list[str] = []
    land(lake, [_folder(tmp_path, b"x")], progress=said.append)
    assert said == ["landed 1 of 1 files"]


@pytest.mark.parametrize(
    ("name", "landed"),
    [
        ("_x.jsonl", "x.jsonl"),
        (".x.jsonl", "x.jsonl"),
        ("x.jsonl.tmp", "x.jsonl"),
        ("_._x.jsonl.tmp.tmp", "x.jsonl"),
        ("_", "landed"),
        (".tmp", "tmp"),
    ],
)
def test_a_file_given_by_itself_lands_under_a_name_that_is_listed(
    lake: Lake, tmp_path: Path, name: str, landed: str
) -> None:
    folder = _folder(tmp_path, request(batch(event("a"))).encode(), name) / "year=2026/month=3/day=2/hour=7"
    said: list[str] = []
    report = land(lake, [folder / name], progress=said.append)
    assert report.files_landed == 1
    assert f"{folder / name}: landed as {landed}" in said[0]
    [[file]] = list_landed(lake.layer("landing")).values()
    assert file.path.endswith(f"/hour=07/{landed}")
    flatten_pending(lake)
    assert [row["event_id"] for row in core_rows(lake)] == ["a"]


def test_a_name_made_listed_keeps_what_lies_under_it(lake: Lake, tmp_path: Path) -> None:
    _folder(tmp_path, b"one\n", "x.jsonl")
    outbox = _folder(tmp_path, b"two\n", "_x.jsonl")
    hidden = next(outbox.rglob("_x.jsonl"))
    report = land(lake, [outbox, hidden])
    assert report.files_hidden == [str(hidden)]
    assert (report.files_landed, len(report.renamed)) == (2, 1)
    assert sorted(_landed(lake).values()) == [b"one\n", b"two\n"]
    assert len(list_landed(lake.layer("landing"))[datetime(2026, 3, 2, 7, tzinfo=UTC)]) == 2


def test_files_left_out_of_a_folder_are_told_with_the_reason(lake: Lake, tmp_path: Path) -> None:
    for number in range(23):
        outbox = _folder(tmp_path, b"x", f"_part-{number:02}")
    said: list[str] = []
    report = land(lake, [outbox], progress=said.append)
    assert (report.files_read, len(report.files_hidden)) == (0, 23)
    assert all("left out; names that begin with" in line for line in said[:20])
    assert said[20:] == ["and 3 more files left out for their names"]
