"""The job `compression`: its plan over the whole lake, a dry run, a real run, and running it again."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.compression import (
    COMPACT,
    EXPIRE,
    SWEEP,
    CompressionAction,
    plan_compression,
)
from blotout_orchestration.maintenance.execution import Report, carry_out
from blotout_orchestration.maintenance.jobs import COMPACT_OP, COMPRESSION_REPORT, compression_job
from blotout_orchestration.maintenance.plan import Plan
from blotout_orchestration.platform.database import audit
from tests.maintenance.lakes import (
    CLICKS,
    FIRST_HOUR,
    NOW,
    PEOPLE,
    clicks,
    contents,
    fill,
    full_name,
    land_hour,
)


def carry(lake: Lake, plan: Plan, now: datetime = NOW) -> Report:
    action = CompressionAction(lake, "run-1", now)
    return carry_out(
        plan,
        action,
        dry_run=False,
        maximum_failures=0,
        audit=lambda item, outcome, details: None,
        progress=lambda line: None,
    )


def run(lake: Lake, instance: DagsterInstance, **config: object):
    return compression_job(lake).execute_in_process(
        instance=instance, run_config={"ops": {COMPACT_OP: {"config": config}}}, raise_on_error=False
    )


@pytest.fixture
def instance():
    with DagsterInstance.ephemeral() as made:
        yield made


def test_the_plan_names_every_table_that_is_worth_it_and_why(lake):
    fill(lake, hours=30)
    lake.ensure(PEOPLE)
    plan = plan_compression(lake, NOW)
    assert [(item.kind, item.target, item.why) for item in plan.items] == [
        (COMPACT, "shop_test.clicks arrival_hour_day=2026-03-01", "24 files become 1"),
        (COMPACT, "shop_test.clicks arrival_hour_day=2026-03-02", "6 files become 1"),
    ]
    assert plan_compression(lake, NOW, ("people",)).items == ()


def test_compact_then_expire_then_sweep_and_then_nothing_is_left_to_do(lake):
    fill(lake, hours=30)
    before = contents(lake)
    assert carry(lake, plan_compression(lake, NOW)).counts()["done"] == 2
    # NOW of the plan lies in a fixed past; snapshots and files are as old as this test.
    expiring = plan_compression(lake, datetime.now(UTC) + timedelta(days=4))
    assert expiring.counts() == {EXPIRE: 1}
    carry(lake, expiring)
    sweeping = plan_compression(lake, datetime.now(UTC) + timedelta(days=4))
    assert sweeping.counts() == {SWEEP: 1}
    swept = carry(lake, sweeping, datetime.now(UTC) + timedelta(days=4))
    assert swept.total("removed_files") == sweeping.items[0].count > 30
    assert plan_compression(lake, datetime.now(UTC) + timedelta(days=4)).items == ()
    assert contents(lake) == before


def test_what_changed_after_the_plan_is_skipped_and_not_touched(lake):
    fill(lake, hours=48)
    plan = plan_compression(lake, NOW)
    land_hour(lake, FIRST_HOUR, clicks(FIRST_HOUR, 2))
    before = contents(lake)
    report = carry(lake, plan)
    assert [result.outcome for result in report.results] == ["skipped", "done"]
    assert contents(lake) == before
    assert plan_compression(lake, NOW).counts() == {COMPACT: 1}


def test_a_table_that_cannot_be_opened_is_named_and_the_others_are_done(lake, instance):
    fill(lake, hours=6)
    lake.ensure(PEOPLE)
    Path(lake.catalog.load_table(full_name(lake, PEOPLE)).metadata_location.removeprefix("file://")).unlink()
    result = run(lake, instance, dry_run=False)
    assert not result.success
    assert "refused for safety: compact shop_test.people: cannot be opened" in str(
        result.get_step_failure_events()[0].step_failure_data.error
    )
    assert len(lake.files(CLICKS)) == 1


def test_a_run_by_hand_only_reports_until_the_dry_run_is_switched_off(lake, instance):
    fill(lake, hours=6)
    assert run(lake, instance).success
    assert len(lake.files(CLICKS)) == 6
    materialized = instance.get_latest_materialization_event(AssetKey(COMPRESSION_REPORT))
    metadata = materialized.asset_materialization.metadata
    assert metadata["dry_run"].value is True
    assert metadata["planned_items"].value == 1
    assert "6 files become 1" in metadata["plan"].value
    assert run(lake, instance, dry_run=False).success
    assert len(lake.files(CLICKS)) == 1


def test_the_report_holds_figures_and_a_picture_and_the_audit_log_who_did_what(lake, instance):
    fill(lake, hours=6)
    result = run(lake, instance, dry_run=False)
    metadata = instance.get_latest_materialization_event(
        AssetKey(COMPRESSION_REPORT)
    ).asset_materialization.metadata
    figures = {
        name: metadata[name].value for name in ("files_before", "files_after", "rows", "done", "failed")
    }
    assert figures == {"files_before": 6, "files_after": 1, "rows": 30, "done": 1, "failed": 0}
    assert metadata["bytes_after"].value < metadata["bytes_before"].value
    assert "data:image/png;base64," in metadata["files"].value
    entries = audit.entries(lake.settings, run_id=result.run_id)
    assert [(entry["action"], entry["outcome"], entry["actor"]) for entry in reversed(entries)] == [
        ("compression.plan", "planned", "by hand"),
        ("compression.compact", "done", "by hand"),
    ]
    assert entries[0]["details"]["rows"] == 30
    assert set(entries[0]["details"]["column_checksums"]) == {column.name for column in CLICKS.columns}


def test_files_that_a_killed_compaction_left_are_swept_by_a_later_run(lake):
    fill(lake, hours=6)
    folder = Path(lake.catalog.load_table(full_name(lake)).location().removeprefix("file://")) / "data"
    left = folder / "left.parquet"
    left.write_bytes(b"never committed")
    os.utime(left, (0, 0))
    now = datetime.now(UTC)
    report = carry(lake, plan_compression(lake, now), now)
    assert not left.exists()
    assert report.total("removed_files") == 1
    assert contents(lake).total() == 30
