"""The registry is an append log: the newest row of a name holds, on SQLite and on Postgres."""

from __future__ import annotations

import itertools
import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest

from blotout_orchestration.platform.database import DatabaseUnavailableError, platform_database
from blotout_orchestration.platform.registry import (
    CHANNELS,
    PIPELINES,
    UnknownNameError,
    add_channels,
    add_pipelines,
    live_channels,
    live_pipelines,
    pause,
    remove,
    resume,
)
from blotout_orchestration.platform.registry.problems import DefinitionError
from blotout_orchestration.settings import Settings
from tests.registry.databases import with_database
from tests.registry.examples import channel, pipeline

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


def put_row(settings: Settings, name: str, updated_at: datetime, deleted: int = 0, **payload: object) -> None:
    """A row as another application appends it."""
    with platform_database(settings).begin() as connection:
        row = {"name": name, "source_name": name, "source_type": "rest_api", "payload": payload}
        times = {"created_at": NOW, "updated_at": updated_at, "is_deleted": deleted}
        connection.execute(PIPELINES.table.insert().values(**row, **times))


def test_what_was_added_is_live_and_equal(registry_settings):
    made = pipeline(connection={"host": "db", "password": "env:PASSWORD"}, interval_seconds=900)
    assert add_pipelines(registry_settings, [made]) == {"orders": "added"}
    found = live_pipelines(registry_settings)["orders"]
    assert (found.model_dump(), found.timing.text) == (made.model_dump(), "every 900 s")
    assert found.created_at == found.updated_at
    assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_channel_comes_back_as_it_was_added(registry_settings):
    made = channel(
        mode="mirror", schedule="0 3 * * *", payload={"mapping": {"email": "email"}, "key": "email"}
    )
    assert add_channels(registry_settings, [made]) == {"vips": "added"}
    assert live_channels(registry_settings)["vips"].model_dump() == made.model_dump()


def test_adding_the_same_again_adds_no_row(registry_settings):
    for _ in range(3):
        add_pipelines(registry_settings, [pipeline(schedule="0 3 * * *")])
        add_channels(registry_settings, [channel()])
    assert len(PIPELINES.log(registry_settings)) == len(CHANNELS.log(registry_settings)) == 1


def test_every_change_is_a_row_and_none_is_ever_changed(registry_settings):
    add_pipelines(registry_settings, [pipeline()])
    first = PIPELINES.log(registry_settings)
    assert pause(registry_settings, PIPELINES, "orders") == "changed"
    assert pause(registry_settings, PIPELINES, "orders") == "unchanged"
    assert resume(registry_settings, PIPELINES, "orders") == "changed"
    remove(registry_settings, PIPELINES, "orders")
    log = PIPELINES.log(registry_settings)
    assert log[:1] == first
    assert [(row["payload"]["paused"], row["is_deleted"]) for row in log] == [
        (False, 0),
        (True, 0),
        (False, 0),
        (False, 1),
    ]
    assert live_pipelines(registry_settings) == {}


def test_what_was_removed_can_be_added_anew_and_is_young_again(registry_settings):
    add_pipelines(registry_settings, [pipeline()])
    before = live_pipelines(registry_settings)["orders"]
    remove(registry_settings, PIPELINES, "orders")
    assert add_pipelines(registry_settings, [pipeline()]) == {"orders": "added"}
    assert live_pipelines(registry_settings)["orders"].created_at > before.created_at


def test_a_change_keeps_the_time_of_creation(registry_settings):
    add_pipelines(registry_settings, [pipeline()])
    before = live_pipelines(registry_settings)["orders"]
    add_pipelines(registry_settings, [pipeline(lag_seconds=60)])
    after = live_pipelines(registry_settings)["orders"]
    assert after.created_at == before.created_at
    assert after.updated_at >= before.updated_at


def test_the_latest_update_holds_whatever_the_order_of_rows(registry_settings):
    put_row(registry_settings, "late", NOW, lag_seconds=2)
    put_row(registry_settings, "late", NOW - timedelta(hours=1), lag_seconds=1)
    put_row(registry_settings, "gone", NOW, deleted=1)
    put_row(registry_settings, "gone", NOW - timedelta(hours=1))
    contents = PIPELINES.contents(registry_settings)
    assert {name: one.payload.lag_seconds for name, one in contents.live.items()} == {"late": 2}
    assert contents.removed == {"gone"}


def test_of_equal_times_the_later_row_holds(registry_settings):
    put_row(registry_settings, "orders", NOW, lag_seconds=1)
    put_row(registry_settings, "orders", NOW, lag_seconds=2)
    assert live_pipelines(registry_settings)["orders"].payload.lag_seconds == 2


def test_a_change_holds_even_when_the_row_before_it_came_from_a_clock_ahead(registry_settings):
    put_row(registry_settings, "orders", datetime.now(UTC) + timedelta(days=2))
    assert pause(registry_settings, PIPELINES, "orders") == "changed"
    assert live_pipelines(registry_settings)["orders"].paused


def test_a_row_that_cannot_be_read_hides_no_other(registry_settings):
    put_row(registry_settings, "wrong", NOW, schedule="when it rains")
    put_row(registry_settings, "right", NOW)
    contents = PIPELINES.contents(registry_settings)
    assert list(contents.live) == ["right"]
    assert "a cron expression has five fields" in contents.broken["wrong"]
    remove(registry_settings, PIPELINES, "wrong")
    assert PIPELINES.contents(registry_settings).broken == {}


def test_a_row_that_the_original_platform_appends_is_understood(registry_settings):
    schedule = {"basicSchedule": {"units": 1, "timeUnit": "hours"}}
    payload = {
        "syncCatalog": {"streams": [{"stream": {"name": "a"}, "config": {"syncMode": "full_refresh"}}]}
    }
    put_row(registry_settings, "orders", NOW, connectionId="0f8c", scheduleData=schedule, **payload)
    put_row(registry_settings, "cron", NOW, scheduleData={"cron": {"cronExpression": "0 0 12 * * ?"}})
    contents = PIPELINES.contents(registry_settings)
    assert contents.live["orders"].timing.text == "every 3600 s"
    assert [stream.name for stream in contents.live["orders"].streams] == ["a"]
    assert "a Quartz expression" in contents.broken["cron"]
    with pytest.raises(UnknownNameError, match=r"cron cannot be read: .*Quartz"):
        pause(registry_settings, PIPELINES, "cron")


def test_adding_a_paused_pipeline_again_does_not_resume_it(registry_settings):
    add_pipelines(registry_settings, [pipeline()])
    pause(registry_settings, PIPELINES, "orders")
    add_pipelines(registry_settings, [pipeline(lag_seconds=5)])
    assert live_pipelines(registry_settings)["orders"].paused
    add_pipelines(registry_settings, [pipeline(paused=False)])
    assert not live_pipelines(registry_settings)["orders"].paused
    add_channels(registry_settings, [channel()])
    pause(registry_settings, CHANNELS, "vips")
    assert add_channels(registry_settings, [channel()]) == {"vips": "unchanged"}


def test_definitions_are_added_all_or_none(registry_settings):
    rival = pipeline("other").model_copy(update={"source_name": "source_orders"})
    with pytest.raises(DefinitionError, match="pipelines orders and other would both write"):
        add_pipelines(registry_settings, [pipeline(), rival])
    assert PIPELINES.log(registry_settings) == []


def test_two_pipelines_share_a_source_when_their_tables_differ(registry_settings):
    def of(name: str, stream: str):
        streams = [{"stream": {"name": stream}}]
        return pipeline(name, syncCatalog={"streams": streams}).model_copy(update={"source_name": "Shop"})

    add_pipelines(registry_settings, [of("a", "orders"), of("b", "customers")])
    with pytest.raises(DefinitionError, match="pipelines a and c would both write the table"):
        add_pipelines(registry_settings, [of("c", "Orders")])
    assert list(live_pipelines(registry_settings)) == ["a", "b"]


def test_an_unknown_name_is_told_with_the_known_ones(registry_settings):
    add_pipelines(registry_settings, [pipeline()])
    for action in (
        lambda: pause(registry_settings, PIPELINES, "order"),
        lambda: remove(registry_settings, PIPELINES, "order"),
    ):
        with pytest.raises(UnknownNameError, match="no 'order'; it has: orders"):
            action()


def _add_many(settings: Settings, writer: int, count: int) -> None:
    for number in range(count):
        add_pipelines(
            settings, [pipeline("shared", lag_seconds=number % 2), pipeline(f"own_{writer}_{number}")]
        )


def test_writers_at_the_same_time_lose_nothing(registry_settings):
    platform_database(registry_settings)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_many, args=(registry_settings, n, 15)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(live_pipelines(registry_settings)) == 1 + 3 * 15
    shared = [
        row["payload"]["lag_seconds"] for row in PIPELINES.log(registry_settings) if row["name"] == "shared"
    ]
    assert all(one != other for one, other in itertools.pairwise(shared))


def test_a_registry_that_is_down_is_one_kind_of_error(settings, tmp_path):
    closed = with_database(settings, f"postgresql+psycopg2://u:hunter2@localhost/db?host={tmp_path}")
    with pytest.raises(DatabaseUnavailableError) as caught:
        live_pipelines(closed)
    assert "hunter2" not in str(caught.value)
