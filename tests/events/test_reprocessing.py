"""Hours flattened in any order, again, in parallel, and killed in between: the same rows in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from blotout_orchestration.events import batches, duckdb_engine, processing
from blotout_orchestration.events.commits import commit_rows
from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.layers import list_landed
from blotout_orchestration.settings import Settings

from .sdk_requests import HOUR, POSITION, bad_rows, batch, core_rows, event, flatten_pending, put, request

RUN = """
import os, signal, sys
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
lake = Lake(Settings(_env_file=None, blotout_home=sys.argv[1], organisation="shop", environment="test"))
deadly = int(sys.argv[2])
commits = 0
def counted(commit):
    def replace(self, *arguments):
        global commits
        if deadly >= 0 and commits == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self, *arguments)
        commits += 1
    return replace
Lake.replace, Lake.replace_with_files = counted(Lake.replace), counted(Lake.replace_with_files)
flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="child")
"""


def _state(lake: Lake) -> tuple[pa.Table, pa.Table, pa.Table]:
    """All rows of the three tables, without what names the run."""
    hours = lake.read(EVENT_HOURS).drop_columns(["run_id", "processed_at"]).sort_by("arrival_hour")
    return lake.read(CORE_EVENTS).sort_by(POSITION), lake.read(BAD_EVENTS).sort_by(POSITION), hours


def _three_hours(lake: Lake) -> None:
    for number in range(3):
        lines = [request(batch(event(f"m-{number}-{n}"))) for n in range(5)]
        lines += [lines[0], "{broken", request(batch(event("m-0-1", evn=f"other-{number}")))]
        put(lake, lines, hour=HOUR + timedelta(hours=number))


def test_a_second_delivery_within_the_hour_is_dropped_and_counted(lake: Lake) -> None:
    late = request(batch(event("m-1")), received_at="2026-03-02T07:00:01Z")
    put(lake, [request(batch(event("m-1"), event("m-2"))), late, late])
    [result] = flatten_pending(lake)
    assert [(row["event_id"], row["landing_line"]) for row in core_rows(lake)] == [("m-2", 1), ("m-1", 2)]
    assert (result.events_in, result.events_good, result.events_duplicate) == (4, 2, 2)


def test_the_same_delivery_in_two_hours_stays_in_both(lake: Lake) -> None:
    for number in range(2):
        put(lake, [request(batch(event("m-1")))], hour=HOUR + timedelta(hours=number))
    flatten_pending(lake)
    rows = core_rows(lake)
    assert [row["event_id"] for row in rows] == ["m-1", "m-1"]
    assert rows[0]["content_hash"] == rows[1]["content_hash"]


def test_an_id_with_other_content_is_a_collision(lake: Lake) -> None:
    put(lake, [request(batch(event("m-1"))), request(batch(event("m-1", evn="other"), event("m-1")))])
    [result] = flatten_pending(lake)
    assert [row["event_name"] for row in core_rows(lake)] == ["sdk_start"]
    [bad] = bad_rows(lake)
    assert (bad["reason"], bad["landing_line"], bad["landing_index"]) == ("event_id_collision", 2, 0)
    assert '"evn":"other"' in bad["raw"]
    assert (result.events_in, result.events_bad, result.events_duplicate) == (3, 1, 1)


def test_flattening_an_hour_again_replaces_exactly_that_hour(lake: Lake) -> None:
    _three_hours(lake)
    flatten_pending(lake)
    before = _state(lake)
    flatten_hours(lake, [HOUR + timedelta(hours=1)], engine="duckdb", run_id="again")
    assert all(one.equals(other) for one, other in zip(before, _state(lake), strict=True))
    runs = {row["arrival_hour"]: row["run_id"] for row in lake.read(EVENT_HOURS).to_pylist()}
    assert list(runs.values()).count("again") == 1
    assert pending_hours(lake) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_order_of_hours_does_not_matter(lake: Lake, tmp_path: Path, order: tuple[int, ...]) -> None:
    other = Lake(
        Settings(_env_file=None, blotout_home=tmp_path / "b", organisation="shop", environment="test")
    )
    for one in (lake, other):
        _three_hours(one)
    flatten_pending(lake)
    for number in order:
        flatten_hours(other, [HOUR + timedelta(hours=number)], engine="duckdb", run_id="single")
    assert all(one.equals(two) for one, two in zip(_state(lake), _state(other), strict=True))


def test_small_batches_give_the_rows_of_one_large_batch(lake: Lake, tmp_path: Path) -> None:
    other = Lake(
        Settings(_env_file=None, blotout_home=tmp_path / "b", organisation="shop", environment="test")
    )
    for one in (lake, other):
        _three_hours(one)
    flatten_pending(lake)
    flatten_hours(other, pending_hours(other), engine="duckdb", run_id="small", batch_bytes=1)
    assert all(one.equals(two) for one, two in zip(_state(lake), _state(other), strict=True))


def test_a_file_that_appears_while_the_hour_runs_leaves_the_hour_pending(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, [request(batch(event("first")))])
    flatten = duckdb_engine.flatten_batch

    def slow(landing: str, hours: list[batches.HourFiles], target: str, _: Any) -> batches.HourRows:
        put(lake, [request(batch(event("second")))], name="part-1.jsonl.gz")
        return flatten(landing, hours, target)

    monkeypatch.setattr(duckdb_engine, "flatten_batch", slow)
    flatten_pending(lake)
    monkeypatch.undo()
    assert [row["event_id"] for row in core_rows(lake)] == ["first"]
    assert pending_hours(lake) == [HOUR]
    flatten_pending(lake)
    assert [row["event_id"] for row in core_rows(lake)] == ["first", "second"]


def test_a_run_that_is_overtaken_with_older_files_flattens_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, [request(batch(event("first")))])
    [old] = [batches.HourFiles(hour, files) for hour, files in list_landed(lake.layer("landing")).items()]
    target = f"{lake.ensure(CORE_EVENTS).location()}/data/another-attempt"
    stale = duckdb_engine.flatten_batch(lake.layer("landing"), [old], target)
    put(lake, [request(batch(event("second")))], name="part-1.jsonl.gz")
    write = processing._write_ledger
    calls: list[int] = []

    def overtaken_once(*arguments: Any) -> None:
        if not calls:
            commit_rows(lake, [old], stale, "another-attempt", "another-run")
        calls.append(1)
        write(*arguments)

    monkeypatch.setattr(processing, "_write_ledger", overtaken_once)
    flatten_pending(lake)
    assert [row["event_id"] for row in core_rows(lake)] == ["first", "second"]
    assert len(calls) == 2
    assert pending_hours(lake) == []


def test_a_new_processor_version_makes_every_landed_hour_pending(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    _three_hours(lake)
    flatten_pending(lake)
    monkeypatch.setattr(batches, "PROCESSOR_VERSION", "next")
    assert len(pending_hours(lake)) == 3
    assert pending_hours(lake, since=HOUR + timedelta(hours=1), until=HOUR + timedelta(hours=2)) == [
        HOUR + timedelta(hours=1)
    ]


def test_input_that_is_not_accounted_for_is_never_committed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, [request(batch(event()))])
    flatten = duckdb_engine.flatten_batch

    def forgetful(landing: str, hours: list[batches.HourFiles], target: str, _: Any) -> batches.HourRows:
        rows = flatten(landing, hours, target)
        return replace(rows, found=rows.found + 1)

    monkeypatch.setattr(duckdb_engine, "flatten_batch", forgetful)
    with pytest.raises(processing.UnbalancedHourError, match="2 events and lines went in, 1 came out"):
        flatten_pending(lake)
    assert core_rows(lake) == []


def _child(lake: Lake, deadly: int = -1) -> subprocess.Popen[bytes]:
    home = str(lake.settings.blotout_home)
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", RUN, home, str(deadly)])


def test_two_processes_on_the_same_hours_leave_one_set_of_rows(lake: Lake, tmp_path: Path) -> None:
    alone = Lake(
        Settings(_env_file=None, blotout_home=tmp_path / "b", organisation="shop", environment="test")
    )
    for one in (lake, alone):
        _three_hours(one)
    flatten_pending(alone)
    children = [_child(lake), _child(lake)]
    assert [child.wait(300) for child in children] == [0, 0]
    assert all(one.equals(two) for one, two in zip(_state(alone), _state(lake), strict=True))


@pytest.mark.parametrize("deadly", [0, 1, 2])
def test_a_run_killed_between_commits_is_made_good_by_the_next(
    lake: Lake, tmp_path: Path, deadly: int
) -> None:
    alone = Lake(
        Settings(_env_file=None, blotout_home=tmp_path / "b", organisation="shop", environment="test")
    )
    for one in (lake, alone):
        _three_hours(one)
    flatten_pending(alone)
    assert _child(lake, deadly).wait(300) == -signal.SIGKILL
    assert len(pending_hours(lake)) == 3
    flatten_pending(lake)
    assert all(one.equals(two) for one, two in zip(_state(alone), _state(lake), strict=True))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = [
    "mid", "userid", "evn", "evcs", "scrn", "evt", "session_id", "type", "screen", "additionalData",
    "properties", "tst",
]  # fmt: skip
_EVENTS = st.one_of(
    _JSON,
    st.builds(lambda changes: event(**changes), st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=4)),
)
_BODIES = st.one_of(
    _JSON,
    st.builds(lambda events, meta: {"meta": meta, "events": events}, st.lists(_EVENTS, max_size=4), _JSON),
    st.dictionaries(
        st.sampled_from(["eventName", "eventId", "data", "key", "value", "pageUrl", "timestamp", "storage"]),
        _JSON,
    ),
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bodies=st.lists(_BODIES, min_size=20, max_size=40), path=st.sampled_from(["/tag", "/user", "/data", "/x"])
)
def test_whatever_is_sent_comes_out_as_good_bad_or_duplicate(
    tmp_path: Path, bodies: list[Any], path: str
) -> None:
    home = tmp_path / os.urandom(6).hex()
    lake = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))
    file = put(lake, [request(body, path=path) for body in bodies])
    files = list_landed(lake.layer("landing"))[HOUR]
    hours = [batches.HourFiles(HOUR, files)]
    rows = duckdb_engine.flatten_batch(lake.layer("landing"), hours, str(home / "rows"))
    core = [
        line for name in rows.core_files or [] for line in pq.read_table(name)["landing_line"].to_pylist()
    ]
    duplicates = rows.duplicates.total()
    assert rows.found == len(core) + rows.bad.num_rows + duplicates
    seen = set(core) | set(rows.bad["landing_line"].to_pylist())
    assert len(seen) + duplicates >= len(bodies)
    assert file.exists()
