"""DuckDB and Spark give the same rows, column by column: recorded payloads, fuzzed bodies, damaged files."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events.contract import BAD_EVENTS, CORE_EVENTS
from blotout_orchestration.events.landing import land
from blotout_orchestration.events.processing import HourResult, flatten_hours, pending_hours
from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.spark_jobs import SparkJobError
from blotout_orchestration.settings import Settings

from .sdk_requests import HOUR, POSITION, batch, event, put, request
from .spark_cluster import standalone_cluster

FUZZED = 2400
VALUES = [
    None, True, 0, -1, 7.5, 10**20, "", " x ", "12", "1e3", "nan", "\u0000", "ü€😀", [], [1, None], {}, {"a": [{}]},
    "true", "[x]", "{", 1772434801649, "1772434801649", 3786912000000, "https://x.example/?utm_source=google",
]  # fmt: skip


def _mutated(document: Any, chance: random.Random) -> Any:
    """The document with some values replaced, keys dropped and keys added, at any depth."""
    if chance.random() < 0.04:
        return chance.choice(VALUES)
    if isinstance(document, dict):
        changed = {key: _mutated(value, chance) for key, value in document.items() if chance.random() > 0.02}
        if chance.random() < 0.05:
            changed[
                chance.choice(["transaction_total", "item_price", "persona_age", "new key", "map_id"])
            ] = chance.choice(VALUES)
        return changed
    if isinstance(document, list):
        return [_mutated(value, chance) for value in document for _ in range(1 + (chance.random() < 0.05))]
    return document


def _fuzzed(real_data: Path) -> Iterator[str]:
    """Recorded requests with mutated bodies; some twice, some as bare bodies, some cut."""
    chance = random.Random(20260302)
    lines = []
    for sdk in ("sdk_v0.9", "sdk_v0.10", "edgetag_v0.8"):
        for file in sorted((real_data / "sdk_events" / sdk / "landing").rglob("*.gz")):
            lines += gzip.decompress(file.read_bytes()).splitlines()
    for _ in range(FUZZED):
        line = json.loads(chance.choice(lines))
        body = _mutated(json.loads(line["body"]), chance)
        line["body"] = json.dumps(body)
        text = json.dumps(body) if chance.random() < 0.1 else json.dumps(_mutated(line, chance))
        yield text[: chance.randrange(len(text))] if chance.random() < 0.03 else text
        if chance.random() < 0.1:
            yield text


def _fill(lake: Lake, real_data: Path) -> None:
    folders = [
        real_data / "sdk_events" / sdk / "landing" for sdk in ("sdk_v0.9", "sdk_v0.10", "edgetag_v0.8")
    ]
    land(lake, folders)
    lines = [line.replace("\n", " ") for line in _fuzzed(real_data)]
    for number in range(6):
        put(lake, lines[number::6], name="fuzzed.jsonl.gz", hour=HOUR + timedelta(hours=30 * number))
    app = {
        "plf": 50,
        "osn": "R",
        "osv": "11",
        "dmft": "samsung",
        "dm": "SM-G991B",
        "appv": "3.2",
        "vpn": False,
    }
    agents = [
        {},
        {"User-Agent": "okhttp/4.5.0"},
        {"User-Agent": "Dalvik/2.1.0 (Linux; U; Android 11; SM-G991B)"},
    ]
    apps = [request(batch(event(f"app-{number}"), **app), headers=sent) for number, sent in enumerate(agents)]
    put(lake, apps, name="apps.jsonl.gz")
    good = request(batch(event("same"), event("other"), None))
    collision = request(batch(event("same", evn="changed")))
    put(lake, [good, collision, good], name="collisions.jsonl.gz")
    whole = gzip.compress("\n".join([good] * 500).encode() + random.Random(1).randbytes(4000))
    put(lake, whole[:-300], name="truncated.jsonl.gz")
    put(lake, b'{"caf\xe9":1}\n\n' + good.encode(), name="plain.jsonl")
    put(lake, b"", name="empty.jsonl")


def _lake(home: Path, master: str = "local[2]") -> Lake:
    return Lake(
        Settings(
            _env_file=None, blotout_home=home, organisation="shop", environment="test", spark_master=master
        )
    )


def _flatten(lake: Lake, engine: Any) -> list[HourResult]:
    results = flatten_hours(
        lake, pending_hours(lake), engine=engine, run_id="parity", progress=lambda _: None
    )
    assert pending_hours(lake) == []
    return [replace(result, engine="") for result in results]


def _assert_same(one: Lake, other: Lake) -> None:
    for spec in (CORE_EVENTS, BAD_EVENTS):
        first, second = (lake.read(spec).sort_by(POSITION) for lake in (one, other))
        assert first.num_rows == second.num_rows > 0
        differing = [name for name in first.column_names if not first[name].equals(second[name])]
        assert differing == []


@pytest.mark.spark
@pytest.mark.parametrize(
    "master",
    [pytest.param("local[2]", id="local"), pytest.param("cluster", id="cluster", marks=pytest.mark.heavy)],
)
def test_both_engines_give_the_same_rows_in_every_column(
    master: str, real_data: Path, tmp_path: Path
) -> None:
    in_process = _lake(tmp_path / "duckdb")
    _fill(in_process, real_data)
    expected = _flatten(in_process, "duckdb")
    assert sum(result.events_in for result in expected) > 2529 + FUZZED
    assert all(
        sum(getattr(result, name) for result in expected) > 0 for name in ("events_bad", "events_duplicate")
    )

    def compare(url: str) -> None:
        distributed = _lake(tmp_path / "spark", url)
        _fill(distributed, real_data)
        assert _flatten(distributed, "spark") == expected
        _assert_same(in_process, distributed)
        again = [HOUR, HOUR + timedelta(hours=30)]
        flatten_hours(distributed, again, engine="duckdb", run_id="mixed")
        _assert_same(in_process, distributed)

    if master == "cluster":
        with standalone_cluster(tmp_path) as url:
            compare(url)
    else:
        compare(master)


@pytest.mark.spark
def test_both_engines_add_the_same_rows_to_an_hour_that_lost_a_file(tmp_path: Path) -> None:
    lakes = [_lake(tmp_path / "duckdb"), _lake(tmp_path / "spark")]
    for lake in lakes:
        lost = put(lake, [request(batch(event("x"), event("y"), event("y")))], name="a.jsonl.gz")
        put(lake, [request(batch(event("b"))), "{broken"], name="b.jsonl.gz")
        put(lake, [request(batch(event("b")))], name="b.jsonl.gz", hour=HOUR + timedelta(hours=1))
        _flatten(lake, "duckdb")
        lost.unlink()
        early = request(batch(event("x"), event("z"), event("z")), received_at="2026-03-02T07:00:00Z")
        other = request(batch(event("y", evn="other"), event("y"), event("z", evn="other")))
        put(lake, [early, other, "[]"], name="c.jsonl.gz")
        put(lake, [other, other], name="c.jsonl.gz", hour=HOUR + timedelta(hours=1))
    expected, found = (
        _flatten(lake, engine) for lake, engine in zip(lakes, ("duckdb", "spark"), strict=True)
    )
    assert found == expected
    first = expected[0]
    assert (first.events_in, first.events_good, first.events_bad, first.events_duplicate) == (12, 4, 4, 4)
    _assert_same(*lakes)


@pytest.mark.spark
def test_a_job_that_fails_names_its_error_and_commits_nothing(tmp_path: Path) -> None:
    lake = _lake(tmp_path / "spark", "yarn")
    put(lake, [request(batch(event()))])
    with pytest.raises(SparkJobError, match="yarn"):
        flatten_hours(lake, [HOUR], engine="spark", run_id="fails")
    assert pending_hours(lake) == [HOUR]
    assert lake.read(CORE_EVENTS).num_rows == 0
    assert list(Path(lake.layer("emr")).rglob("*.json")) == []
