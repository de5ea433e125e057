"""Sessions, visitors and conversions of real input whose answers others have given."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.events.contract import BAD_EVENTS
from blotout_orchestration.events.landing import land
from blotout_orchestration.events.processing import flatten_hours, pending_hours
from blotout_orchestration.lake import Lake

from . import shop

BATCH = 10
"""Events of a request, as an SDK that saves battery collects them."""


def test_the_30_minute_rule_finds_the_3605_sessions_of_ecom_clickstream(
    lake: Lake, real_data: Path, tmp_path: Path
) -> None:
    """Every click as an SDK's body, received at the end of its week, through landing and flattening."""
    clicks, requests = real_data / "ecom_clickstream" / "ecom.csv.gz", tmp_path / "requests.jsonl"
    requests.write_text("\n".join(_requests(clicks)))
    land(lake, [requests])
    hours = flatten_hours(lake, pending_hours(lake), engine="duckdb", run_id="test")
    assert len(hours) == 26
    assert lake.read(BAD_EVENTS).num_rows == 0
    shop.build(lake)
    assert shop.query(lake, "select count(*) from unique_events") == [(31106,)]
    assert shop.query(lake, "select count(*), count(distinct visitor_key) from sessions") == [(3605, 600)]
    with gzip.open(clicks, "rt") as stream:
        visits = {f"click-{line}": row["session_id"] for line, row in enumerate(csv.DictReader(stream))}
    found = shop.query(lake, "select event_id, session_key from unified_events")
    agreeing = {(visits[event_id], session) for event_id, session in found}
    assert len(agreeing) == len({visit for visit, _ in agreeing}) == len({session for _, session in agreeing})


def _requests(clicks: Path) -> Iterator[str]:
    """The clicks as requests of SDK 0.9, in the order of receipt: batches of a user's events of one week.

    The data's own session id stays out of them; the SDK's says nothing about a visit.
    """
    weeks: dict[tuple[datetime, str], list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(clicks, "rt") as stream:
        for line, row in enumerate(csv.DictReader(stream)):
            clicked = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
            monday = clicked.replace(hour=0, minute=0, second=0) + timedelta(days=7 - clicked.weekday())
            event = {
                "mid": f"click-{line}",
                "userid": row["user_id"],
                "evn": row["event"],
                "evt": int(clicked.timestamp() * 1000),
                "session_id": f"{monday:%Y%m%d}",
                "type": "codified",
                "scrn": f"https://www.shop.example/{row['event']}",
                "additionalData": {"platform": row["platform"]},
            }
            weeks[monday, row["user_id"]].append(event)
    for (monday, _), events in sorted(weeks.items(), key=lambda item: item[0]):
        for first in range(0, len(events), BATCH):
            body = {"meta": {"sdkv": "0.9.1", "tz_offset": 0}, "events": events[first : first + BATCH]}
            received = (monday + timedelta(seconds=first)).isoformat()
            yield json.dumps(
                {
                    "received_at": received,
                    "path": "/sdk/v1/events/publish",
                    "headers": {},
                    "body": json.dumps(body),
                }
            )


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
