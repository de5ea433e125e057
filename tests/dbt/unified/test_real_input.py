"""Sessions, visitors and conversions of real input whose answers others have given."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.lake import Lake

from . import shop


def test_the_30_minute_rule_finds_the_3605_sessions_of_ecom_clickstream(lake: Lake, real_data: Path) -> None:
    import duckdb

    names = ", ".join(f"{_ecom_column(column.name)} as {column.name}" for column in CORE_EVENTS.columns)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        source = f"read_csv('{real_data / 'ecom_clickstream' / 'ecom.csv.gz'}')"
        rows = connection.sql(
            f"select {names} from (select *, row_number() over () as line from {source})"
        ).to_arrow_table()
        hours = connection.execute(
            "select arrival_hour, 'r' as revision, count(*) as events_good from rows group by 1"
        ).fetchall()
    lake.append(CORE_EVENTS, rows, {})
    ledger = [dict.fromkeys(column.name for column in EVENT_HOURS.columns) for _ in hours]
    for entry, (hour, revision, count) in zip(ledger, hours, strict=True):
        entry.update(arrival_hour=hour, revision=revision, events_good=count)
    shop.set_rows(lake, EVENT_HOURS, ledger)
    shop.build(lake)
    assert shop.query(lake, "select count(*) from unique_events") == [(31106,)]
    assert shop.query(lake, "select count(*), count(distinct visitor_key) from sessions") == [(3605, 600)]
    agreeing = shop.query(
        lake,
        "select count(distinct object_name), count(distinct session_key), count(distinct object_name || session_key)"
        " from unified_events",
    )
    # object_name carries the data's own session id, hidden from the rule.
    assert agreeing == [(3605, 3605, 3605)]


def _ecom_column(name: str) -> str:
    given = {
        "event_id": "'e' || line",
        "arrival_hour": "date_trunc('hour', timestamp::timestamptz)",
        "received_at": "timestamp::timestamptz",
        "event_datetime": "timestamp::timestamptz",
        "landing_file": "'ecom'",
        "landing_line": "line::int",
        "landing_index": "0",
        "content_hash": "'h' || line",
        "event_name": "event",
        "user_id": "user_id",
        "object_name": "session_id",
        "is_clock_skewed": "false",
        "is_bot": "false",
    }
    return given.get(name, "null")


@pytest.fixture(scope="module", params=["sdk_v0.9", "sdk_v0.10", "edgetag_v0.8"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, real_data: Path
) -> Any:
    """A lake with one SDK's recorded requests, flattened and built, and what is known of them."""
    from blotout_orchestration.settings import Settings

    home = tmp_path_factory.mktemp("recorded")
    lake = Lake(Settings(_env_file=None, blotout_home=home, organisation="shop", environment="test"))
    folder = real_data / "sdk_events" / request.param
    shutil.copytree(folder / "landing", lake.layer("landing"))
    flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="test")
    shop.build(lake)
    with gzip.open(folder / "TRUTH_MIDS.json.gz", "rt") as stream:
        sessions = {mid: tuple(session) for mid, session in json.load(stream).items()}
    return lake, json.loads((folder / "TRUTH.json").read_text()), sessions


def test_every_recorded_event_is_there_once_and_every_delivery_is_counted(recorded: Any) -> None:
    lake, truth, visits = recorded
    found = shop.query(lake, "select event_id from unified_events")
    assert {row[0] for row in found} >= set(visits)
    assert len(found) == len({row[0] for row in found})
    delivered = shop.query(
        lake,
        "select (select sum(deliveries) from unique_events) +"
        " (select sum(events_duplicate) from lake.event_hours) - (select count(*) from unique_events)",
    )
    assert delivered == [(truth["totals"]["duplicate_deliveries"],)]


def test_each_recorded_visit_is_one_session_for_each_browser_id(recorded: Any) -> None:
    """An SDK session id changes within a visit (at every return from another host): it must not cut the visit."""
    lake, truth, visits = recorded
    found = shop.query(
        lake, "select event_id, visitor_key, session_key from unified_events where session_key is not null"
    )
    known = [
        (visits[event_id], visitor, session) for event_id, visitor, session in found if event_id in visits
    ]
    expected = {(visit, visitor) for visit, visitor, _ in known}
    assert len({session for _, _, session in known}) == len(expected) == len(set(known))
    # Who gives EdgeTag no consent sends nothing: of those visits no event is known.
    assert {visit for visit, _, _ in known} == set(visits.values())
    assert (
        len(set(visits.values())) == truth["totals"]["sessions"]
        or "consent" in truth["totals"]["other_posts"]
    )


def test_a_recorded_transaction_is_one_conversion_however_often_it_was_sent(recorded: Any) -> None:
    lake, truth, _ = recorded
    files = Path(lake.layer("landing")).rglob("*.gz")
    landed = "".join(gzip.decompress(path.read_bytes()).decode(errors="replace") for path in files)
    expected = {
        (order, float(facts["total"]))
        for visitor in truth["visitors"]
        for order, facts in visitor["transactions"].items()
        if f'\\"{order}\\"' in landed
    }
    found = shop.query(lake, "select transaction_id, cast(revenue as double) from conversions")
    assert len(found) == len(expected) >= 17
    assert set(found) == expected
