"""The demo store in itself: same bytes for the same options, and a truth that adds up."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blotout_orchestration.demo.options import DemoOptions, DemoOptionsError
from blotout_orchestration.demo.store import DemoStore, generate, write, written_options
from blotout_orchestration.lake.layers import hour_of_path

SMALL = DemoOptions(people=60, days=8, events=1_500)


@pytest.fixture(scope="module")
def store() -> DemoStore:
    return generate(DemoOptions(people=300, days=30, events=15_000))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(generate(SMALL), tmp_path / name)
    first, second = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert first == second
    assert len(first) > 100


def test_another_seed_gives_another_store() -> None:
    other = DemoOptions(seed=1, people=60, days=8, events=1_500)
    assert generate(SMALL).lines != generate(other).lines


def test_writing_again_removes_what_an_earlier_store_left(tmp_path: Path) -> None:
    write(generate(DemoOptions(people=60, days=12, events=1_500)), tmp_path / "used")
    write(generate(SMALL), tmp_path / "used")
    write(generate(SMALL), tmp_path / "fresh")
    assert files_of(tmp_path / "used") == files_of(tmp_path / "fresh")


def test_a_folder_tells_which_store_it_holds(tmp_path: Path) -> None:
    assert written_options(tmp_path) is None
    write(generate(SMALL), tmp_path)
    assert written_options(tmp_path) == SMALL
    (tmp_path / "truth.json").write_text("{", encoding="utf-8")
    assert written_options(tmp_path) is None


def test_lines_lie_in_the_hour_in_which_they_were_received(tmp_path: Path, store: DemoStore) -> None:
    write(store, tmp_path)
    seen = 0
    for path in sorted((tmp_path / "requests").rglob("*.gz")):
        hour = hour_of_path(path.as_posix())
        assert hour is not None
        for line in gzip.decompress(path.read_bytes()).splitlines():
            text = line[16:40].decode()
            assert datetime.fromisoformat(text).replace(minute=0, second=0, microsecond=0) == hour
            seen += 1
    assert seen == sum(len(lines) for lines in store.lines.values())


def test_the_events_of_the_truth_are_those_in_the_lines(store: DemoStore) -> None:
    deliveries: Counter[str] = Counter()
    hours: dict[str, set[datetime]] = defaultdict(set)
    unnamed = damaged = 0
    for hour, lines in store.lines.items():
        for line in lines:
            try:
                body = json.loads(json.loads(line)["body"])
                events = body.get("events", [body])
                mids = [event.get("mid", event.get("eventId")) for event in events]
                if not mids or any((mid or "").startswith("broken-") for mid in mids):
                    raise ValueError("damaged")
            except (ValueError, TypeError, AttributeError):
                damaged += 1
                continue
            for mid in mids:
                if mid is None:
                    unnamed += 1
                else:
                    deliveries[mid] += 1
                    hours[mid].add(hour)
    truth = store.truth
    collisions = truth["bad_by_reason"]["event_id_collision"]
    assert damaged == truth["events_bad"] - collisions
    assert len(deliveries) + unnamed == truth["events_good"]
    across = sum(len(found) - 1 for found in hours.values())
    assert across == truth["events_duplicate_across_hours"]
    assert deliveries.total() - len(deliveries) - across - collisions == truth["events_duplicate_within_hour"]


def test_the_input_is_good_and_bad_and_duplicates(store: DemoStore) -> None:
    truth = store.truth
    assert truth["events_in"] == truth["events_good"] + truth["events_bad"] + truth["events_duplicate"]
    assert sum(truth["bad_by_reason"].values()) == truth["events_bad"]
    assert sum(session["events"] for session in store.sessions) == truth["events_good"]
    assert truth["events_duplicate_across_hours"] > 0
    assert len(truth["bad_by_reason"]) == 10


def test_visits_of_one_device_are_more_than_half_an_hour_apart(store: DemoStore) -> None:
    times: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for lines in store.lines.values():
        for line in lines:
            try:
                body = json.loads(json.loads(line)["body"])
                for event in body["events"]:
                    if body["meta"]["sdkv"] == "0.9.1" and not event["mid"].startswith("broken-"):
                        times[event["userid"]].append((event["evt"], event["session_id"]))
            except (ValueError, KeyError, TypeError):
                continue
    gaps = 0
    for moments in times.values():
        ordered = sorted(moments)
        for (before, session), (after, next_session) in itertools.pairwise(ordered):
            if session == next_session:
                assert after - before < 30 * 60_000
            else:
                assert after - before > 30 * 60_000
                gaps += 1
    assert gaps > 100


def test_every_online_order_was_seen_and_its_revenue_is_in_the_total(store: DemoStore) -> None:
    seen = {order for session in store.sessions for order in session["transaction_ids"]}
    online = {row["transaction_id"] for row in store.orders if row["is_online"]}
    assert seen == online
    assert str(sum(Decimal(row["revenue"]) for row in store.orders)) == store.truth["revenue"]
    assert any(row["online_events"] > 1 for row in store.orders)
    assert any(row["touches"] == 0 and not row["is_online"] for row in store.orders)


def test_an_id_belongs_to_one_person_and_one_component(store: DemoStore) -> None:
    owners: Counter[tuple[str, str]] = Counter(
        (node["type"], node["id"])
        for person in store.people
        for component in person["components"]
        for node in component
    )
    assert set(owners.values()) == {1}
    kinds = {kind for kind, _ in owners}
    assert kinds == {"user_id", "map_id", "email", "email_sha256", "phone"}


def test_spend_covers_every_day_and_one_campaign_brings_nobody(store: DemoStore) -> None:
    rows = [row for listed in store.offline["ad_spend"].values() for row in listed]
    days = {row["date"] for row in rows}
    assert len(days) == store.options.days
    visited = {session["campaign"] for session in store.sessions}
    assert {row["campaign_name"] for row in rows} - visited == {"video_awareness"}


def test_the_default_store_has_the_size_that_it_promises() -> None:
    store = generate(DemoOptions())
    assert 95_000 <= store.truth["events_good"] <= 105_000
    assert store.truth["people"] == 2_000
    assert len(store.lines) > 2_000


@pytest.mark.parametrize("wrong", [{"days": 1}, {"people": 0}, {"events": -5}])
def test_options_that_make_no_store_are_refused_by_name(wrong: dict[str, int]) -> None:
    name, value = next(iter(wrong.items()))
    with pytest.raises(DemoOptionsError, match=f"{name} is {value}"):
        DemoOptions(**wrong)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), people=st.integers(10, 40), days=st.integers(3, 120))
def test_a_store_of_any_size_adds_up(seed: int, people: int, days: int) -> None:
    store = generate(DemoOptions(seed=seed, people=people, days=days, events=300))
    truth = store.truth
    assert truth["events_in"] == truth["events_good"] + truth["events_bad"] + truth["events_duplicate"]
    assert {row["transaction_id"] for row in store.orders} >= {
        order for session in store.sessions for order in session["transaction_ids"]
    }
