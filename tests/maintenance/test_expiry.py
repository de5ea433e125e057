"""Snapshots that may go, and files that no snapshot needs: what is found, what never is."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.expiry import (
    UnsafeSweepError,
    expirable_snapshots,
    expire,
    remove_stored,
    unreferenced_files,
)
from tests.maintenance.lakes import CLICKS, PEOPLE, clicks, contents, fill, full_name, land_hour
from tests.maintenance.lakes import FIRST_HOUR as HOUR

DAY = timedelta(days=1)
GRACE = timedelta(hours=72)


def table_of(lake: Lake):
    return lake.catalog.load_table(full_name(lake))


def later(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def ids(lake: Lake) -> list[int]:
    return [snapshot.snapshot_id for snapshot in table_of(lake).snapshots()]


def test_the_newest_snapshots_stay_whatever_their_age(lake):
    fill(lake, hours=5)
    assert expirable_snapshots(table_of(lake), later(400), DAY, 2) == ids(lake)[:3]
    assert expirable_snapshots(table_of(lake), later(400), DAY, 9) == []


def test_a_snapshot_is_kept_for_a_while_after_another_one_took_its_place(lake):
    fill(lake, hours=2)
    table = table_of(lake)
    # The first snapshot is made a year older: it was the newest one until the second took its place just now.
    first = table.metadata.snapshots[0]
    table.metadata.snapshots[0] = first.model_copy(
        update={"timestamp_ms": first.timestamp_ms - 365 * 86_400_000}
    )
    assert expirable_snapshots(table, later(0.5), DAY, 1) == []
    assert expirable_snapshots(table, later(1.5), DAY, 1) == [first.snapshot_id]


def test_a_tagged_snapshot_never_goes(lake):
    fill(lake, hours=3)
    tagged = ids(lake)[0]
    table_of(lake).manage_snapshots().create_tag(tagged, "audit").commit()
    found = expirable_snapshots(table_of(lake), later(400), DAY, 1)
    assert found == ids(lake)[1:2]
    assert expire(lake.catalog, full_name(lake), [*found, tagged]) == 1
    assert tagged in ids(lake)


def test_the_newest_load_of_each_source_stays_because_the_next_load_asks_it(lake):
    for number, source in enumerate(["shopify", "stripe", "shopify", "stripe", "stripe"]):
        rows = clicks(HOUR + timedelta(hours=number))
        lake.append(CLICKS, rows, {"run_id": "x", "blotout.source-name": source})
    fill(lake, hours=2)
    kept = set(ids(lake)) - set(expirable_snapshots(table_of(lake), later(400), DAY, 1))
    assert kept == {ids(lake)[index] for index in (2, 4, 6)}


def test_expiring_twice_is_expiring_once_and_no_row_goes(lake):
    fill(lake, hours=5)
    before = contents(lake)
    found = expirable_snapshots(table_of(lake), later(2), DAY, 1)
    assert expire(lake.catalog, full_name(lake), found) == 4
    assert expire(lake.catalog, full_name(lake), found) == 0
    assert contents(lake) == before
    assert len(ids(lake)) == 1


def unneeded(lake: Lake, now: datetime, others: tuple[str, ...] = ()) -> list[str]:
    found = unreferenced_files(lake.catalog, full_name(lake), others, now, GRACE)
    return [file.path for file in found]


def test_nothing_is_unneeded_while_every_snapshot_is_kept(lake):
    fill(lake, hours=3)
    land_hour(lake, HOUR, clicks(HOUR, 2))
    assert unneeded(lake, later(30)) == []


def test_what_only_expired_snapshots_needed_is_unneeded_after_the_grace_period(lake):
    fill(lake, hours=3)
    land_hour(lake, HOUR, clicks(HOUR, 2))
    before = contents(lake)
    expire(lake.catalog, full_name(lake), expirable_snapshots(table_of(lake), later(2), DAY, 1))
    assert unneeded(lake, later(2)) == []
    found = unneeded(lake, later(4))
    assert any(path.endswith(".parquet") for path in found)
    assert any("/metadata/snap-" in path for path in found)
    assert remove_stored(table_of(lake).location(), found) == len(found)
    assert contents(lake) == before
    assert unneeded(lake, later(4)) == []


def test_a_file_of_a_writer_that_was_killed_goes_a_young_one_does_not(lake):
    fill(lake, hours=1)
    folder = Path(table_of(lake).location().removeprefix("file://")) / "data"
    old, young = folder / "killed" / "old.parquet", folder / "young.parquet"
    old.parent.mkdir()
    for path in (old, young):
        path.write_bytes(b"half a file")
    long_ago = time.time() - 100 * 3600
    os.utime(old, (long_ago, long_ago))
    assert unneeded(lake, datetime.now(UTC)) == [str(old)]


def test_a_file_beside_the_tables_folders_is_not_the_tables(lake):
    fill(lake, hours=1)
    note = Path(table_of(lake).location().removeprefix("file://")) / "README"
    note.write_text("do not touch")
    os.utime(note, (0, 0))
    assert unneeded(lake, later(30)) == []


def test_a_table_that_shares_its_folder_with_another_is_refused(lake):
    fill(lake, hours=1)
    inside = table_of(lake).location() + "/data/other"
    for other in (table_of(lake).location(), inside, str(Path(table_of(lake).location()).parent)):
        with pytest.raises(UnsafeSweepError, match="share"):
            unneeded(lake, later(30), (other,))
    lake.ensure(PEOPLE)
    sibling = lake.catalog.load_table(full_name(lake, PEOPLE)).location()
    assert unneeded(lake, later(30), (sibling, f"{table_of(lake).location()}_copy")) == []


def test_nothing_is_removed_when_the_needed_files_are_not_where_they_should_be(lake):
    fill(lake, hours=2)
    Path(lake.files(CLICKS)[0]).unlink()
    with pytest.raises(UnsafeSweepError, match="1 files of the newest snapshot are not found"):
        unneeded(lake, later(30))


def test_no_file_outside_the_table_can_be_removed(lake, tmp_path):
    fill(lake, hours=1)
    outside = tmp_path / "precious"
    outside.write_text("x")
    with pytest.raises(UnsafeSweepError, match="is not below"):
        remove_stored(table_of(lake).location(), [str(outside)])
    assert outside.exists()
