"""Each asset check of the click stream, on a lake in which its rule holds and on one in which it is broken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    AssetSelection,
    Definitions,
    define_asset_job,
)

from blotout_orchestration.events.assets import events_assets, hourly_partitions
from blotout_orchestration.events.batches import hours_filter
from blotout_orchestration.events.checks import events_checks, newest_event
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.events.processing import flatten_hours
from blotout_orchestration.lake import Lake

from .sdk_requests import HOUR, batch, event, flatten_pending, now, put, request, this_hour

NAMES = ["few_events_are_bad", "input_is_accounted_for", "newest_event_is_recent"]


def run_check(lake: Lake, name: str) -> AssetCheckResult:
    """Run one check as the graph runs it."""
    (check,) = [one for one in events_checks(lake) if {key.name for key in one.check_keys} == {name}]
    result = check()
    assert isinstance(result, AssetCheckResult)
    return result


def figures(result: AssetCheckResult) -> Mapping[str, Any]:
    return {name: value.value for name, value in result.metadata.items()}


def hour_row(hour: datetime, **changes: Any) -> dict[str, Any]:
    """A row of the ledger with 100 good events, which happened in the hour's last minute."""
    row = {
        "arrival_hour": hour, "revision": "r", "files": 1, "bytes": 9, "events_in": 100, "events_good": 100,
        "events_bad": 0, "events_duplicate": 0, "last_event_datetime": hour + timedelta(minutes=59),
        "run_id": "run", "processed_at": hour + timedelta(hours=1),
    }  # fmt: skip
    return row | changes


def write_ledger(lake: Lake, *rows: dict[str, Any]) -> None:
    lake.append(EVENT_HOURS, pa.Table.from_pylist(list(rows), schema=EVENT_HOURS.arrow_schema), {})


def change_ledger(lake: Lake, hour: datetime, **changes: Any) -> None:
    where = hours_filter([hour])
    columns = tuple(EVENT_HOURS.arrow_schema.names)
    rows = [row | changes for row in lake.read(EVENT_HOURS, where, columns).to_pylist()]
    lake.replace(EVENT_HOURS, pa.Table.from_pylist(rows, schema=EVENT_HOURS.arrow_schema), where, {})


@pytest.fixture
def flattened(lake: Lake) -> Lake:
    """Two hours, each with good, bad and repeated events, flattened in one run."""
    for number in range(2):
        line = request(batch(event(f"a-{number}"), event(f"b-{number}")))
        put(lake, [line, line, "{broken"], hour=HOUR + timedelta(hours=number))
    assert [result.events_in for result in flatten_pending(lake)] == [5, 5]
    return lake


def test_the_checks_are_those_of_this_file_and_belong_to_core_events(lake: Lake) -> None:
    keys = [key for check in events_checks(lake) for key in check.check_keys]
    assert sorted(key.name for key in keys) == NAMES
    assert {key.asset_key for key in keys} == {AssetKey(CORE_EVENTS.name)}


def test_only_lost_input_blocks_what_comes_after(lake: Lake) -> None:
    specs = {spec.name: spec.blocking for check in events_checks(lake) for spec in check.check_specs}
    assert specs == {name: name == "input_is_accounted_for" for name in NAMES}


def test_input_that_went_through_the_flattening_is_accounted_for(flattened: Lake) -> None:
    result = run_check(flattened, "input_is_accounted_for")
    assert (result.passed, figures(result)) == (True, {"hours_wrong": 0, "first_wrong": ""})


@pytest.mark.parametrize("counted", ["events_in", "events_good", "events_bad", "events_duplicate"])
def test_an_hour_whose_counts_do_not_add_up_is_named(flattened: Lake, counted: str) -> None:
    hour = HOUR + timedelta(hours=1)
    (row,) = flattened.read(EVENT_HOURS, hours_filter([hour])).to_pylist()
    change_ledger(flattened, hour, **{counted: row[counted] + 1})
    result = run_check(flattened, "input_is_accounted_for")
    assert (result.passed, result.severity) == (False, AssetCheckSeverity.ERROR)
    assert figures(result) == {"hours_wrong": 1, "first_wrong": hour.isoformat()}


def test_rows_that_core_events_has_lost_or_gained_are_noticed(flattened: Lake) -> None:
    rows = flattened.read(CORE_EVENTS, hours_filter([HOUR]))
    for wrong in (rows.slice(1), pa.concat_tables([rows, rows.slice(1)]), rows.slice(rows.num_rows)):
        flattened.replace(CORE_EVENTS, wrong, hours_filter([HOUR]), {})
        result = run_check(flattened, "input_is_accounted_for")
        assert not result.passed
        assert figures(result)["first_wrong"] == HOUR.isoformat()
    flattened.replace(CORE_EVENTS, rows, hours_filter([HOUR]), {})
    assert run_check(flattened, "input_is_accounted_for").passed


def test_a_sum_that_is_wrong_in_an_older_run_is_noticed_too(flattened: Lake) -> None:
    flatten_hours(flattened, [HOUR + timedelta(hours=1)], engine="duckdb", run_id="newer")
    assert run_check(flattened, "input_is_accounted_for").passed
    change_ledger(flattened, HOUR, events_in=6)
    assert figures(run_check(flattened, "input_is_accounted_for"))["first_wrong"] == HOUR.isoformat()


@pytest.mark.parametrize(("bad", "passed"), [(0, True), (120, True), (121, False), (2400, False)])
def test_more_than_one_in_twenty_of_the_newest_day_may_not_be_bad(lake: Lake, bad: int, passed: bool) -> None:
    hours = [HOUR + timedelta(hours=number) for number in range(25)]
    write_ledger(lake, hour_row(hours[0], events_bad=100, events_good=0))
    write_ledger(lake, *(hour_row(hour) for hour in hours[1:-1]))
    newest = {"events_in": 100, "events_bad": bad, "events_good": 100 - bad}
    write_ledger(lake, hour_row(hours[-1], **newest))
    result = run_check(lake, "few_events_are_bad")
    assert (result.passed, result.severity) == (passed, AssetCheckSeverity.WARN)
    assert figures(result) == {"bad_share": round(bad / 2400, 5)}


def test_the_bad_share_of_flattened_hours_is_counted_from_what_was_refused(flattened: Lake) -> None:
    result = run_check(flattened, "few_events_are_bad")
    assert (result.passed, figures(result)) == (False, {"bad_share": 0.2})


def test_an_empty_lake_has_no_bad_events_and_no_recent_ones(lake: Lake) -> None:
    passed = {name: run_check(lake, name).passed for name in NAMES}
    assert passed == {
        "few_events_are_bad": True,
        "input_is_accounted_for": True,
        "newest_event_is_recent": False,
    }
    silent = figures(run_check(lake, "newest_event_is_recent"))
    assert silent == {"newest_event_datetime": "none", "age_hours": -1.0}


@pytest.mark.parametrize(("age", "passed"), [(0.1, True), (2.9, True), (3.1, False), (200, False)])
def test_the_newest_event_may_not_be_older_than_three_hours(lake: Lake, age: float, passed: bool) -> None:
    newest = datetime.now(UTC) - timedelta(hours=age)
    hour = newest.replace(minute=0, second=0, microsecond=0)
    write_ledger(
        lake,
        hour_row(hour - timedelta(hours=30)),
        hour_row(hour, last_event_datetime=newest),
        hour_row(hour - timedelta(hours=1), last_event_datetime=None),
    )
    result = run_check(lake, "newest_event_is_recent")
    assert (result.passed, result.severity) == (passed, AssetCheckSeverity.WARN)
    assert figures(result)["newest_event_datetime"] == newest.isoformat()
    assert figures(result)["age_hours"] == pytest.approx(age, abs=0.1)


def test_a_clock_that_is_ahead_does_not_hide_that_nothing_arrives(lake: Lake) -> None:
    old = this_hour() - timedelta(hours=8)
    newest = old + timedelta(minutes=10)
    _flatten_hour(lake, old, newest, old + timedelta(days=2))
    result = run_check(lake, "newest_event_is_recent")
    assert not result.passed
    assert figures(result)["newest_event_datetime"] == newest.isoformat()


def test_one_clock_that_is_ahead_does_not_make_a_backlog_of_old_events_recent(lake: Lake) -> None:
    yesterday = this_hour() - timedelta(days=1)
    _flatten_hour(lake, this_hour() - timedelta(hours=1), yesterday, now() + timedelta(hours=5))
    _flatten_hour(lake, this_hour() - timedelta(hours=30), this_hour() - timedelta(hours=30))
    result = run_check(lake, "newest_event_is_recent")
    assert not result.passed
    assert figures(result)["newest_event_datetime"] == yesterday.isoformat()


def test_an_hour_of_nothing_but_clocks_that_are_ahead_says_nothing(lake: Lake) -> None:
    _flatten_hour(lake, this_hour() - timedelta(hours=1), now() + timedelta(hours=5))
    assert newest_event(lake) is None


def _flatten_hour(lake: Lake, hour: datetime, *moments: datetime) -> None:
    """An hour of arrival with an event at each of these moments, by the clients' clocks."""
    events = [
        event(f"{hour:%d%H}-{number}", evt=int(moment.timestamp() * 1000))
        for number, moment in enumerate(moments)
    ]
    put(lake, [request(batch(*events), received_at=hour.isoformat())], hour=hour)
    flatten_hours(lake, [hour], engine="duckdb", run_id="test")


def test_hours_that_only_arrived_now_do_not_make_old_events_recent(lake: Lake) -> None:
    write_ledger(lake, hour_row(this_hour(), last_event_datetime=now() - timedelta(days=1)))
    assert not run_check(lake, "newest_event_is_recent").passed


def test_a_run_of_the_job_evaluates_every_check(lake: Lake) -> None:
    hour = this_hour() - timedelta(hours=1)
    milliseconds = int((hour + timedelta(minutes=59)).timestamp() * 1000)
    received = (hour + timedelta(minutes=59)).isoformat()
    put(lake, [request(batch(event("now", evt=milliseconds)), received_at=received), "{broken"], hour=hour)
    assets = events_assets(lake, hourly_partitions(lake))
    definitions = Definitions(
        assets=assets,
        asset_checks=events_checks(lake),
        jobs=[define_asset_job("events", AssetSelection.assets(CORE_EVENTS.name))],
    )
    outcome = definitions.resolve_job_def("events").execute_in_process(
        partition_key=hour.strftime("%Y-%m-%d-%H:%M")
    )
    passed = {one.check_name: one.passed for one in outcome.get_asset_check_evaluations()}
    assert passed == {
        "few_events_are_bad": False,
        "input_is_accounted_for": True,
        "newest_event_is_recent": True,
    }
