"""What `cleanup_temp_tables` removes, what it never does, and when it refuses."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetKey, DagsterInstance
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.events.contract import CORE_EVENTS
from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.maintenance.cleanup import CleanupAction, plan_cleanup, usable_patterns
from blotout_orchestration.maintenance.execution import Report, carry_out
from blotout_orchestration.maintenance.inventory import declared_tables, matches
from blotout_orchestration.maintenance.jobs import CLEANUP_OP, CLEANUP_REPORT, cleanup_job
from blotout_orchestration.maintenance.plan import Plan
from blotout_orchestration.settings import Settings
from tests.maintenance.lakes import PEOPLE, people_rows

TODAY = datetime.now(UTC)
LATER = TODAY + timedelta(days=2)
LONG_AGO = (TODAY - timedelta(days=60)).timestamp()


def table(lake: Lake, name: str, schema: str | None = None) -> TableSpec:
    """A table with a row in it."""
    spec = TableSpec(name, name, PEOPLE.columns)
    lake.append(spec, people_rows("Ann"), {"run_id": "x"}, schema)
    return spec


def real_tables(lake: Lake, count: int = 12) -> None:
    for number in range(count):
        table(lake, f"report_{number}")


def carry(lake: Lake, plan: Plan, now: datetime = LATER) -> Report:
    return carry_out(
        plan,
        CleanupAction(lake, now),
        dry_run=False,
        maximum_failures=0,
        audit=lambda item, outcome, details: None,
        progress=lambda line: None,
    )


def with_settings(lake: Lake, **values: Any) -> Lake:
    return Lake(
        Settings(
            _env_file=None,
            blotout_home=lake.settings.blotout_home,
            organisation="shop",
            environment="test",
            **values,
        )
    )


def targets(plan: Plan) -> list[str]:
    return [item.target for item in plan.items]


def test_an_old_temporary_table_goes_with_its_files_and_nothing_else_does(lake):
    real_tables(lake)
    table(lake, "sessions__dbt_tmp")
    folder = Path(lake.catalog.load_table("shop_test.sessions__dbt_tmp").location().removeprefix("file://"))
    plan = plan_cleanup(lake, LATER)
    assert targets(plan) == ["shop_test.sessions__dbt_tmp"]
    assert plan.items[0].bytes > 0
    assert carry(lake, plan).counts()["done"] == 1
    assert not folder.exists()
    assert len(list(lake.catalog.list_tables("shop_test"))) == 12
    assert plan_cleanup(lake, LATER).items == ()


def test_a_young_temporary_table_stays(lake):
    real_tables(lake)
    table(lake, "tmp_import")
    assert plan_cleanup(lake, datetime.now(UTC) + timedelta(hours=23)).items == ()
    assert targets(plan_cleanup(lake, datetime.now(UTC) + timedelta(hours=25))) == ["shop_test.tmp_import"]


def test_a_table_that_is_written_again_after_the_plan_stays(lake):
    table(lake, "tmp_import")
    action_time = datetime.now(UTC)
    plan = plan_cleanup(with_settings(lake, temporary_table_hours=1), action_time + timedelta(hours=1))
    spec = table(lake, "tmp_import")
    report = carry(lake, plan, action_time)
    assert [result.reason for result in report.results] == ["it was changed again"]
    assert lake.read(spec).num_rows == 2


def test_a_pattern_that_matches_a_protected_name_is_refused_as_a_whole(lake):
    real_tables(lake)
    table(lake, "core_backup")
    lake.ensure(CORE_EVENTS)
    plan = plan_cleanup(with_settings(lake, temporary_table_patterns="core*,tmp_*"), LATER)
    assert plan.items == ()
    assert [item.target for item in plan.refused] == ["core*"]
    assert "protected names, e.g. core_events" in plan.refused[0].why


def test_the_patterns_that_come_with_the_platform_match_none_of_its_tables(lake):
    for name in declared_tables():
        table(lake, name)
    plan = plan_cleanup(lake, LATER)
    assert (plan.items, plan.refused) == ((), ())


def test_names_that_the_operator_protects_are_protected_too(lake):
    real_tables(lake)
    table(lake, "tmp_but_precious")
    plan = plan_cleanup(with_settings(lake, protected_patterns="*_precious"), LATER)
    assert plan.items == ()
    assert [item.target for item in plan.refused] == ["tmp_*"]


def test_a_pattern_that_matches_too_much_of_the_lake_is_refused(lake):
    real_tables(lake)
    plan = plan_cleanup(with_settings(lake, temporary_table_patterns="report_*"), LATER)
    assert plan.items == ()
    assert "12 of 12 tables, more than CLEANUP_MAXIMUM_SHARE (20 %)" in plan.refused[0].why
    bold = with_settings(lake, temporary_table_patterns="report_*", cleanup_maximum_share=100)
    assert len(plan_cleanup(bold, LATER).items) == 12


NAMES = st.text("abct_*?", min_size=1, max_size=6)


@given(
    st.lists(NAMES, max_size=4), st.lists(st.text("abct_", min_size=1, max_size=6), max_size=8, unique=True)
)
def test_no_pattern_that_is_used_matches_a_protected_name(wanted, names):
    protected = [*declared_tables(), "tab", "cat"]
    usable, refused = usable_patterns(wanted, names, protected, ("a?b",), 100)
    assert sorted(usable) == sorted(set_minus(wanted, [item.target for item in refused]))
    assert not any(matches(name, tuple(usable)) for name in protected)
    assert not any(matches(name, tuple(usable)) for name in names if matches(name, ("a?b",)))


def set_minus(wanted: list[str], gone: list[str]) -> list[str]:
    left = list(wanted)
    for name in gone:
        left.remove(name)
    return left


def test_a_temporary_schema_goes_when_its_last_table_does(lake):
    real_tables(lake)
    table(lake, "tmp_a", "tmp_build")
    plan = plan_cleanup(lake, LATER)
    assert targets(plan) == ["tmp_build.tmp_a", "tmp_build"]
    carry(lake, plan)
    assert ("tmp_build",) not in lake.catalog.list_namespaces()


def test_a_temporary_schema_with_a_real_table_in_it_stays(lake):
    real_tables(lake)
    table(lake, "orders", "tmp_build")
    assert plan_cleanup(lake, LATER).items == ()


def test_what_dbt_left_in_the_warehouse_goes(lake):
    path = lake.settings.warehouse_path
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table sessions as select 1 as one")
        connection.execute("create table sessions__dbt_backup as select 1 as one")
        connection.execute("create view sessions__dbt_tmp as select * from sessions")
    plan = plan_cleanup(lake, TODAY)
    assert targets(plan) == ["warehouse:main.sessions__dbt_backup", "warehouse:main.sessions__dbt_tmp"]
    assert carry(lake, plan).counts()["done"] == 2
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("select table_name from information_schema.tables").fetchall() == [
            ("sessions",)
        ]


def aged(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for changed in (path, path.parent):
        os.utime(changed, (LONG_AGO, LONG_AGO))
    return path


def test_expired_results_build_folders_and_loads_go_young_ones_stay(lake):
    home = lake.settings.blotout_home
    old = [
        aged(Path(lake.layer("athena-logs")) / "q1" / "result.csv"),
        aged(Path(lake.layer("stg")) / "staging" / "load.parquet"),
        aged(home / "dbt" / "runs" / "old-run" / "manifest.json"),
        aged(home / "elt" / "orders@host:1@ff" / "part.parquet"),
    ]
    young = [
        Path(lake.layer("athena-logs")) / "q2" / "result.csv",
        home / "dbt" / "runs" / "new-run" / "manifest.json",
        home / "elt" / "orders@host:2@ff" / "part.parquet",
    ]
    for path in young:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    elsewhere = [
        aged(home / "elt" / "state.json"),
        aged(Path(lake.layer("stg")) / "shop" / "orders.parquet"),
        aged(home / "dbt" / "manifests" / "abc" / "manifest.json"),
    ]
    plan = plan_cleanup(lake, TODAY)
    assert plan.counts() == {"dbt_target": 1, "load_folder": 1, "query_results": 1, "staging_files": 1}
    report = carry(lake, plan, TODAY)
    assert report.total("removed_files") == 4
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in [*young, *elsewhere])


def test_a_build_folder_that_is_used_again_after_the_plan_stays(lake):
    old = aged(lake.settings.blotout_home / "dbt" / "runs" / "run" / "manifest.json")
    plan = plan_cleanup(lake, TODAY)
    old.write_text("again")
    assert [result.reason for result in carry(lake, plan, TODAY).results] == ["it is in use again"]


def test_the_folder_of_a_table_whose_drop_was_killed_is_found(lake):
    real_tables(lake)
    table(lake, "tmp_import")
    lake.catalog.drop_table("shop_test.tmp_import")
    plan = plan_cleanup(lake, LATER)
    assert [item.kind for item in plan.items] == ["folder_without_table"]
    carry(lake, plan)
    assert plan_cleanup(lake, LATER).items == ()


def test_the_job_refuses_visibly_and_does_the_rest(lake):
    real_tables(lake)
    old = aged(Path(lake.layer("athena-logs")) / "result.csv")
    ours = with_settings(lake, temporary_table_patterns="report_*")
    with DagsterInstance.ephemeral() as instance:
        result = cleanup_job(ours).execute_in_process(
            instance=instance,
            run_config={"ops": {CLEANUP_OP: {"config": {"dry_run": False}}}},
            raise_on_error=False,
        )
        event = instance.get_latest_materialization_event(AssetKey(CLEANUP_REPORT))
        metadata = event.asset_materialization.metadata
    assert not result.success
    assert (metadata["removed_files"].value, metadata["refused"].value) == (1, 1)
    assert not old.exists()


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    import boto3
    import moto

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        yield boto3.client("glue", region_name="us-west-2")


def test_temporary_tables_of_glue_that_are_not_iceberg_go_too(glue, settings):
    glue.create_database(DatabaseInput={"Name": "shop_test"})
    for name in ("orders", "orders__dbt_tmp"):
        glue.create_table(DatabaseName="shop_test", TableInput={"Name": name, "Parameters": {}})
    lake = Lake(
        Settings(
            _env_file=None,
            blotout_home=settings.blotout_home,
            organisation="shop",
            environment="test",
            catalog_uri="glue",
            warehouse="athena",
        )
    )
    plan = plan_cleanup(lake, LATER)
    assert targets(plan) == ["glue:shop_test.orders__dbt_tmp"]
    assert carry(lake, plan).counts()["done"] == 1
    assert [table["Name"] for table in glue.get_tables(DatabaseName="shop_test")["TableList"]] == ["orders"]
