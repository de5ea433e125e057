"""Damaged files, broken lines and wrong types: nothing is lost, nothing comes twice, the run says why."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from blotout_orchestration.events import reader
from blotout_orchestration.lake import Lake

from .sdk_requests import bad_rows, batch, core_rows, event, flatten_pending, put, request


def _lines(count: int, start: int = 0) -> list[str]:
    return [request(batch(event(f"m-{number}"))) for number in range(start, start + count)]


def _packed(lines: list[str]) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)


def test_a_truncated_gzip_gives_its_complete_lines_and_one_bad_row_for_the_break(lake: Lake) -> None:
    import random

    noise = random.Random(1)
    lines = [request(batch(event(f"m-{n}", evn=f"{noise.getrandbits(900):x}"))) for n in range(400)]
    put(lake, _packed(lines)[:-9000])
    [result] = flatten_pending(lake)
    ids = [row["event_id"] for row in core_rows(lake)]
    assert 0 < len(ids) < 400
    assert ids == [f"m-{n}" for n in range(len(ids))]
    [bad] = bad_rows(lake)
    assert (bad["reason"], bad["landing_line"]) == ("truncated_gzip", 0)
    assert lines[len(ids)].startswith(bad["raw"])
    assert (result.events_in, result.events_bad) == (len(ids) + 1, 1)


def test_a_corrupt_gzip_is_named_so(lake: Lake) -> None:
    packed = bytearray(_packed(_lines(50)))
    packed[-6] ^= 0xFF  # the checksum
    put(lake, bytes(packed))
    flatten_pending(lake)
    assert len(core_rows(lake)) == 50
    assert [row["reason"] for row in bad_rows(lake)] == ["corrupt_gzip"]


def test_bytes_behind_a_gzip_member_are_not_passed_over(lake: Lake) -> None:
    put(lake, _packed(_lines(2)) + b"garbage")
    flatten_pending(lake)
    assert len(core_rows(lake)) == 2
    assert [row["reason"] for row in bad_rows(lake)] == ["corrupt_gzip"]


def test_all_members_of_a_gzip_file_are_read(lake: Lake) -> None:
    put(lake, _packed(_lines(2)) + _packed(_lines(3, 2)) + b"\0" * 512)
    flatten_pending(lake)
    assert [row["landing_line"] for row in core_rows(lake)] == [1, 2, 3, 4, 5]
    assert bad_rows(lake) == []


@pytest.mark.parametrize("content", [b"", gzip.compress(b""), b"\n\n  \n", gzip.compress(b"\r\n \t\n")])
def test_an_empty_file_is_nothing_and_its_hour_is_done(lake: Lake, content: bytes) -> None:
    put(lake, content)
    [result] = flatten_pending(lake)
    assert (result.events_in, core_rows(lake), bad_rows(lake)) == (0, [], [])
    assert flatten_pending(lake) == []


def test_plain_files_byte_order_marks_and_windows_line_breaks_are_read(lake: Lake) -> None:
    put(lake, b"\xef\xbb\xbf" + "\r\n".join(_lines(2)).encode(), name="plain.jsonl")
    flatten_pending(lake)
    assert [row["event_id"] for row in core_rows(lake)] == ["m-0", "m-1"]


def test_a_line_of_50_mb_is_an_event_like_others(lake: Lake) -> None:
    long = request(batch(event("long", additionalData={"note": "x" * (50 << 20)})))
    put(lake, [*_lines(1), long, *_lines(1, 1)])
    flatten_pending(lake)
    assert [row["event_id"] for row in core_rows(lake)] == ["m-0", "long", "m-1"]


def test_a_broken_line_of_50_mb_is_kept_whole(lake: Lake) -> None:
    put(lake, ["{" + "y" * (50 << 20), *_lines(1)])
    flatten_pending(lake)
    [bad] = bad_rows(lake)
    assert (bad["reason"], len(bad["raw"])) == ("invalid_json", (50 << 20) + 1)
    assert len(core_rows(lake)) == 1


def test_a_line_beyond_the_limit_is_refused_with_its_place(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "LINE_LIMIT", 6 << 20)
    endless = request(batch(event("bomb", additionalData={"note": "x" * (9 << 20)})))
    put(lake, [*_lines(1), endless, *_lines(1, 1), endless])
    flatten_pending(lake)
    assert [row["event_id"] for row in core_rows(lake)] == ["m-0", "m-1"]
    assert [(row["reason"], row["landing_line"]) for row in bad_rows(lake)] == [
        ("line_too_long", 2),
        ("line_too_long", 4),
    ]
    assert all(endless.startswith(row["raw"]) and row["raw"] for row in bad_rows(lake))


def test_a_line_that_is_not_utf8_is_kept_as_base64_and_harms_no_other(lake: Lake) -> None:
    broken = _lines(1)[0].encode().replace(b"sdk_start", b"caf\xe9")
    put(lake, b"\n".join([_lines(1, 1)[0].encode(), broken, _lines(1, 2)[0].encode()]) + b"\n")
    flatten_pending(lake)
    [bad] = bad_rows(lake)
    assert (bad["reason"], bad["raw_encoding"], bad["landing_line"]) == ("invalid_utf8", "base64", 2)
    assert base64.b64decode(bad["raw"]) == broken
    assert [row["landing_line"] for row in core_rows(lake)] == [1, 3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{not json", "invalid_json"),
        (request(batch(event()))[:-5], "invalid_json"),
        ("[1, 2]", "not_an_object"),
        ('"text"', "not_an_object"),
        ("{}", "unknown_format"),
        (request("{broken"), "invalid_body"),
        (request('{"eventName": "cut', path="/tag"), "invalid_body"),
        (request(""), "empty_body"),
        (request("[]"), "not_an_object"),
        (request({"hello": 1}), "unknown_format"),
        (request({"events": []}), "no_events"),
        (request({"events": {"mid": "1"}}), "events_not_a_list"),
        (request("!!", body_encoding="base64"), "invalid_body"),
    ],
)
def test_a_broken_line_is_refused_with_its_reason_and_kept(lake: Lake, line: str, reason: str) -> None:
    put(lake, [line, *_lines(1)])
    [result] = flatten_pending(lake)
    [bad] = bad_rows(lake)
    assert (bad["reason"], bad["raw"], bad["landing_line"], bad["landing_index"]) == (reason, line, 1, None)
    assert bad["detail"]
    assert (result.events_good, result.events_bad) == (1, 1)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (None, "event_not_an_object"),
        (7, "event_not_an_object"),
        ("text", "event_not_an_object"),
        ([], "event_not_an_object"),
        (event("x", evt=...), "invalid_event_time"),
        (event("x", evt=None), "invalid_event_time"),
        (event("x", evt="yesterday"), "invalid_event_time"),
        (event("x", evt=True), "invalid_event_time"),
        (event("x", evt={"ms": 1}), "invalid_event_time"),
        (event("x", evt=-1), "invalid_event_time"),
        (event("x", evt=10**18), "invalid_event_time"),
        (event("x", evt="1_772_434_801_649"), "invalid_event_time"),
    ],
)
def test_a_broken_event_fails_alone_and_not_its_batch(lake: Lake, broken: Any, reason: str) -> None:
    put(lake, [request(batch(event("a"), broken, event("b")))])
    flatten_pending(lake)
    assert [(row["event_id"], row["landing_index"]) for row in core_rows(lake)] == [("a", 0), ("b", 2)]
    [bad] = bad_rows(lake)
    assert (bad["reason"], bad["landing_index"]) == (reason, 1)
    assert bad["raw"] is None if broken is None else json.loads(bad["raw"]) == broken


@pytest.mark.parametrize(("ms", "year"), [(0, 1970), (3786912000000, 2090), ("1772434801649", 2026)])
def test_wrong_clocks_are_kept_and_marked(lake: Lake, ms: Any, year: int) -> None:
    put(lake, [request(batch(event(evt=ms)))])
    flatten_pending(lake)
    [row] = core_rows(lake)
    assert row["event_datetime"].year == year
    assert row["is_clock_skewed"] is (year != 2026)


def test_data_nested_100_and_100_000_deep_is_kept(lake: Lake) -> None:
    lines = [
        f'{{"events":[{{"mid":"deep-{depth}","evt":1,"evn":"x","additionalData":{{"a":{nested}}}}}]}}'
        for depth, nested in ((depth, "[" * depth + "]" * depth) for depth in (100, 100_000))
    ]
    put(lake, [request(lines[0]), lines[1]])
    flatten_pending(lake)
    rows = core_rows(lake)
    assert [row["event_id"] for row in rows] == ["deep-100", "deep-100000"]
    assert rows[0]["additional_data"] == '{"a":' + "[" * 100 + "]" * 100 + "}"


def test_a_compressed_bomb_does_not_fill_the_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(300)) + packer.flush()

    class Stream:
        def __init__(self) -> None:
            self.rest = packed

        def read(self, size: int) -> bytes:
            block, self.rest = self.rest[:size], self.rest[size:]
            return block

    assert max(len(block) for block in reader.unpacked(Stream())) <= 4 << 20
