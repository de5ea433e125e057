"""The embedded warehouse's file: what dbt finds in it, and the published copy that everyone else reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from blotout_orchestration.analytics import warehouse
from blotout_orchestration.analytics.source_columns import SOURCES
from blotout_orchestration.analytics.warehouse import (
    WarehouseError,
    connect_published,
    prepare_sources,
    publish,
)
from blotout_orchestration.events.contract import CORE_EVENTS, EVENT_HOURS
from blotout_orchestration.lake import Lake
from tests.dbt.unified import shop


def _count(lake: Lake, sql: str) -> int:
    return int(shop.query(lake, sql)[0][0])


def test_an_empty_lake_gives_typed_empty_views_and_asks_for_a_full_refresh(lake: Lake) -> None:
    prepared = prepare_sources(lake)
    assert prepared.full_refresh
    assert prepared.changed_hours == ()
    for name, spec in SOURCES.items():
        columns = shop.query(lake, f"select column_name from (describe select * from lake.{name})")
        assert [column for (column,) in columns] == [column.name for column in spec.columns]
        assert _count(lake, f"select count(*) from lake.{name}") == 0


def test_an_incremental_run_sees_the_rows_of_changed_hours_only(lake: Lake) -> None:
    shop.land(lake, [shop.event("a", 5), shop.event("b", 65), shop.event("c", 125)])
    shop.build(lake)
    assert prepare_sources(lake).changed_hours == ()
    assert _count(lake, "select count(*) from lake.core_events") == 0
    shop.land_hour(lake, shop.at(60), [shop.event("b", 65, page_title="mended")])
    prepared = prepare_sources(lake)
    assert not prepared.full_refresh
    assert prepared.changed_hours == (shop.at(60),)
    assert shop.query(lake, "select event_id, page_title from lake.core_events") == [("b", "mended")]


def test_an_hour_of_an_unfinished_build_is_taken_in_again_although_it_is_as_before(lake: Lake) -> None:
    first, second = [shop.event("a", 5)], [shop.event("a", 5), shop.event("b", 6)]
    shop.land_hour(lake, shop.at(0), first)
    shop.build(lake)
    shop.land_hour(lake, shop.at(0), second)
    prepare_sources(lake)
    shop.dbt(lake, select=["taken_hours", "changed_hours", "touched_events", "stg_core_events"])
    shop.land_hour(lake, shop.at(0), first)
    assert prepare_sources(lake).changed_hours == (shop.at(0),)
    shop.build(lake)
    assert shop.query(lake, "select event_id from unified_events") == [("a",)]
    assert prepare_sources(lake).changed_hours == ()


def test_a_full_refresh_sees_every_file(lake: Lake) -> None:
    shop.land(lake, [shop.event("a", 5), shop.event("b", 65)])
    shop.build(lake)
    assert prepare_sources(lake, full_refresh=True).full_refresh
    assert _count(lake, "select count(*) from lake.core_events") == 2


def test_rows_that_are_newer_than_the_ledger_of_hours_are_left_for_later(lake: Lake) -> None:
    shop.land(lake, [shop.event("a", 5)])
    new = [shop.event("b", 65)]
    import pyarrow as pa

    lake.append(CORE_EVENTS, pa.Table.from_pylist(new, schema=CORE_EVENTS.arrow_schema), {})
    shop.build(lake)
    assert shop.query(lake, "select event_id from unique_events") == [("a",)]
    shop.land_hour(lake, shop.at(60), new)
    shop.build(lake)
    assert shop.query(lake, "select event_id from unique_events order by 1") == [("a",), ("b",)]
    assert lake.read(EVENT_HOURS).num_rows == 2


def test_nothing_can_be_read_before_the_first_publication(lake: Lake) -> None:
    with (
        pytest.raises(WarehouseError, match="run events_unified_view first"),
        connect_published(lake.settings),
    ):
        pass
    with pytest.raises(WarehouseError, match="run events_unified_view first"):
        publish(lake.settings)


@pytest.fixture
def published(lake: Lake) -> Lake:
    """A lake with one event, built and published."""
    shop.land(lake, [shop.event("a", 5)])
    shop.build(lake)
    publish(lake.settings)
    return lake


def test_tables_and_views_of_the_published_copy_can_be_read(published: Lake) -> None:
    with connect_published(published.settings) as connection:
        assert connection.execute("select event_id from unified_events").fetchall() == [("a",)]
        assert connection.execute("select event_id from view_core_events").fetchall() == [("a",)]
        assert connection.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_the_published_copy_cannot_be_written(published: Lake) -> None:
    with connect_published(published.settings) as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute("create table other (a int)")


def test_a_reader_keeps_the_copy_that_it_has_open(published: Lake) -> None:
    with connect_published(published.settings) as connection:
        shop.land(published, [shop.event("b", 65)])
        shop.build(published)
        publish(published.settings)
        assert connection.execute("select count(*) from unified_events").fetchone() == (1,)
    with connect_published(published.settings) as connection:
        assert connection.execute("select count(*) from unified_events").fetchone() == (2,)


_KILLED_IN_THE_MIDDLE = """
import os, shutil, signal, sys
from pathlib import Path
from blotout_orchestration.analytics import warehouse
from blotout_orchestration.settings import Settings

def half(source, target):
    Path(target).write_bytes(Path(source).read_bytes()[:5000])
    os.kill(os.getpid(), signal.SIGKILL)

shutil.copyfile = half
warehouse.publish(Settings(_env_file=None, blotout_home=sys.argv[1], organisation="shop", environment="test"))
"""


def test_a_publication_that_is_killed_leaves_the_old_copy_and_the_next_one_cleans_up(published: Lake) -> None:
    home = published.settings.blotout_home
    killed = subprocess.run([sys.executable, "-c", _KILLED_IN_THE_MIDDLE, str(home)], check=False)
    assert killed.returncode == -9
    with connect_published(published.settings) as connection:
        assert connection.execute("select event_id from unified_events").fetchall() == [("a",)]
    folder = published.settings.published_path.parent
    assert len(list(folder.glob("*.part"))) == 1
    publish(published.settings)
    assert sorted(path.name for path in folder.iterdir()) == ["published.duckdb", "warehouse.duckdb"]


def test_a_warehouse_that_another_process_has_open_for_long_is_refused_with_its_name(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_sources(lake)
    monkeypatch.setattr(warehouse, "WAIT_SECONDS", 1.0)
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    path = str(lake.settings.warehouse_path)
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(WarehouseError, match="open in another process"):
            prepare_sources(lake)
        other.communicate(b"")


def test_a_stray_file_beside_the_warehouse_is_left_alone(published: Lake) -> None:
    stray = Path(published.settings.warehouse_path.parent / "notes.txt")
    stray.write_text("mine")
    publish(published.settings)
    assert stray.read_text() == "mine"


def test_a_warehouse_that_is_not_embedded_has_no_published_copy(lake: Lake) -> None:
    elsewhere = lake.settings.model_copy(update={"warehouse": "athena"})
    with (
        pytest.raises(WarehouseError, match="WAREHOUSE=athena publishes no copy"),
        connect_published(elsewhere),
    ):
        pass
