"""The `file` channel: what lies in the outbound layer after syncs, dry runs and second syncs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyarrow import csv, parquet

from tests.activation.helpers import (
    assert_sums_hold,
    channel,
    ledger,
    outcomes,
    people,
    person,
    runs,
)


def _files(lake, kind: str = "csv") -> list[Path]:
    return sorted(Path(lake.layer("outbound")).glob(f"activation/vip/*.{kind}"))


def _rows(path: Path) -> list[dict[str, Any]]:
    read = csv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)
    return read.to_pylist()


def test_an_audience_becomes_one_file_and_its_ledger(lake, sync):
    people(lake, [person("ada"), person("bob", "Bob")])
    report = sync(channel("file"))
    (file,) = _files(lake)
    assert sorted((row["operation"], row["email"], row["first_name"]) for row in _rows(file)) == [
        ("upsert", "ada@example.com", "Ada"),
        ("upsert", "bob@example.com", "Bob"),
    ]
    assert (report.state, report.sent, report.accepted, report.held) == ("succeeded", 2, 2, 2)
    assert {row["state"] for row in ledger(lake).values()} == {"delivered"}
    assert_sums_hold(lake)


def test_a_second_sync_writes_only_what_changed_and_who_left(lake, sync):
    people(lake, [person(f"p{i:02}") for i in range(30)])
    sync(channel("file"), "first")
    first = set(_files(lake))
    people(lake, [person("p00", "New"), *(person(f"p{i:02}") for i in range(1, 29)), person("p99")])
    report = sync(channel("file"), "second")
    written = [row for file in set(_files(lake)) - first for row in _rows(file)]
    assert sorted((row["operation"], row["email"] or "") for row in written) == [
        ("delete", ""),
        ("upsert", "p00@example.com"),
        ("upsert", "p99@example.com"),
    ]
    assert (report.creates, report.updates, report.removed, report.unchanged) == (1, 1, 1, 28)
    assert (report.held, runs(lake)[-1]["held"]) == (30, 30)
    assert_sums_hold(lake)


def test_a_third_sync_without_a_change_writes_nothing(lake, sync):
    people(lake, [person("ada")])
    sync(channel("file"), "first")
    report = sync(channel("file"), "second")
    assert (len(_files(lake)), report.sent, report.unchanged) == (1, 0, 1)


def test_parquet_keeps_the_types(lake, sync):
    people(lake, [person("ada", orders=3)])
    mapped = {"email": "email", "orders": "orders"}
    sync(channel("file", mapping=mapped, options={"format": "parquet"}))
    assert _rows(_files(lake, "parquet")[0])[0]["orders"] == 3


def test_a_dry_run_counts_and_masks_and_writes_nothing(lake, settings, sync):
    people(lake, [person("ada"), person("bob")])
    sync(channel("file"), "first")
    people(lake, [person("ada", "Changed"), person("new"), person("bad") | {"email": "nobody"}])
    before = (len(_files(lake)), ledger(lake), runs(lake))
    report = sync(channel("file"), "second", dry_run=True)
    assert (report.state, report.creates, report.updates, report.removals) == ("dry_run", 1, 1, 1)
    assert report.invalid_reasons == {"unusable_value: email: not an e-mail address": 1}
    assert "example.com" not in str(report)
    assert (len(_files(lake)), ledger(lake), runs(lake)) == before
    assert not list((settings.blotout_home / "activation" / "vip").glob("*.duckdb*"))


def test_rows_that_a_killed_dry_run_or_sync_left_on_disk_are_deleted_by_the_next_sync(lake, settings, sync):
    folder = settings.blotout_home / "activation" / "vip"
    (folder / "dry-run-999999999-aa.spill").mkdir(parents=True)
    (folder / "staging.spill").mkdir()
    for name in ("dry-run-999999999-aa.duckdb", "dry-run-999999999-aa.duckdb.wal", "staging.duckdb"):
        (folder / name).write_text("rows")
    people(lake, [person("ada")])
    sync(channel("file"))
    assert {path.name for path in folder.iterdir()} == {"lock"}


def test_rows_without_a_key_or_with_one_twice_are_invalid_and_not_sent(lake, sync):
    rows = [
        person("ada"),
        person("ada"),
        person("bob", "Bob"),
        person("bob", "Rob"),
        {"first_name": "Nobody"},
    ]
    people(lake, rows)
    report = sync(channel("file"))
    assert [row["email"] for row in _rows(_files(lake)[0])] == ["ada@example.com"]
    assert report.invalid_reasons == {
        "duplicate_key: rows that differ": 2,
        "duplicate_key": 1,
        "null_key": 1,
    }
    assert (report.source_rows, report.sent, report.invalid) == (5, 1, 4)
    assert_sums_hold(lake)


def test_a_member_whose_row_became_invalid_is_not_removed(lake, sync):
    people(lake, [person("ada"), person("bob", "Bob")])
    sync(channel("file"), "first")
    people(lake, [person("ada"), person("bob", "Bob"), person("bob", "Rob")])
    assert sync(channel("file"), "second").removed == 0


@pytest.mark.parametrize(
    ("mode", "operations"),
    [
        ("upsert", ["upsert changed", "upsert new"]),
        ("update", ["update changed", "update new"]),
        ("create", ["create new"]),
        ("append", ["append changed", "append new"]),
        ("mirror", ["delete ", "upsert changed", "upsert new"]),
        ("delete", ["delete new"]),
    ],
)
def test_each_mode_sends_what_it_means(lake, sync, mode, operations):
    people(lake, [person("same"), person("changed"), *(person(f"x{i}") for i in range(8)), person("leaves")])
    sync(channel("file", mode), "first")
    before = set(_files(lake))
    rows = [person("same"), person("changed", "Other"), *(person(f"x{i}") for i in range(8)), person("new")]
    people(lake, rows)
    sync(channel("file", mode), "second")
    written = [row for file in set(_files(lake)) - before for row in _rows(file)]
    found = [f"{row['operation']} {(row['email'] or '').partition('@')[0]}" for row in written]
    assert sorted(found) == operations
    assert_sums_hold(lake)


def test_replay_sends_everything_again_and_reset_forgets_who_is_held(lake, sync):
    people(lake, [person("ada"), person("bob")])
    sync(channel("file"), "first")
    assert (report := sync(channel("file"), "replay", replay=True)).updates == 2, report
    people(lake, [person("ada")])
    report = sync(channel("file"), "reset", reset=True)
    assert (report.creates, report.removals, report.held) == (1, 0, 1)


def test_no_address_or_name_is_in_any_table_of_activation(lake, sync):
    people(lake, [person("ada", "Augusta"), person("bad") | {"email": "augusta at home"}])
    sync(channel("file"))
    assert outcomes(lake)
    everything = str([ledger(lake), runs(lake), outcomes(lake)]).lower()
    assert "augusta" not in everything
    assert "example.com" not in everything


def test_the_columns_that_the_mapping_names_must_be_there(lake, sync):
    people(lake, [person("ada")])
    with pytest.raises(Exception, match="surname"):
        sync(channel("file", mapping={"email": "email", "last_name": "surname"}))
    assert runs(lake)[0]["state"] == "failed"
    assert_sums_hold(lake)
