"""The graph: a channel's partition materialized, its dry run, its failures, the statistics and their checks."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from dagster import AssetKey, DagsterInstance, Definitions, in_process_executor
from pyiceberg.expressions import AlwaysTrue

from blotout_orchestration.activation.assets import activation_assets
from blotout_orchestration.activation.automation import (
    CHANNEL_JOB,
    STATS_JOB,
    activation_jobs,
    activation_schedules,
)
from blotout_orchestration.activation.checks import activation_checks
from blotout_orchestration.activation.contract import ACTIVATION_OUTCOMES, ACTIVATION_STATS
from blotout_orchestration.activation.plots import stats_picture
from blotout_orchestration.activation.stats import reconcile
from blotout_orchestration.platform.registry import CHANNEL_PARTITIONS
from tests.activation.helpers import channel, people, person


@pytest.fixture
def graph(lake, monkeypatch):
    """The room's definitions, an instance, and a registry of one file channel."""
    registered = {"vip": channel("file")}
    monkeypatch.setattr("blotout_orchestration.activation.assets.live_channels", lambda settings: registered)
    definitions = Definitions(
        assets=activation_assets(lake),
        asset_checks=activation_checks(lake),
        jobs=activation_jobs(),
        schedules=activation_schedules(lake),
        executor=in_process_executor,
    )
    with DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(CHANNEL_PARTITIONS, ["vip", "gone"])

        def run(job=CHANNEL_JOB, key="vip", op="sync_channel", **config):
            made = definitions.resolve_job_def(job)
            partition = {"partition_key": key} if job == CHANNEL_JOB else {}
            given = {"ops": {op: {"config": config}}}
            return made.execute_in_process(
                run_config=given, instance=instance, raise_on_error=False, **partition
            )

        run.instance = instance
        yield run


def _metadata(result, name="activation_ledger"):
    events = [one for one in result.all_events if one.is_step_materialization]
    found = [one for one in events if one.asset_key == AssetKey(name)]
    return {key: value.value for key, value in found[0].materialization.metadata.items()}


def test_a_channel_runs_as_its_partition_and_tells_its_figures(lake, graph):
    people(lake, [person("ada"), person("bad") | {"email": "nobody"}])
    result = graph()
    assert result.success
    figures = _metadata(result)
    assert (figures["sent"], figures["invalid"], figures["held"]) == (1, 1, 1)
    assert "not an e-mail address" in figures["reasons"]
    assert "nobody" not in str(figures)


def test_a_dry_run_is_an_observation_and_no_materialization(lake, graph):
    people(lake, [person("ada")])
    result = graph(dry_run=True)
    assert result.success
    assert not [one for one in result.all_events if one.is_step_materialization]
    observed = [one for one in result.all_events if one.event_type_value == "ASSET_OBSERVATION"]
    sample = observed[0].asset_observation_data.asset_observation.metadata["sample"].value
    assert sample[0]["email"] == "a*** (15 characters)"


def test_a_channel_that_is_not_registered_fails_by_name(graph):
    result = graph(key="gone")
    assert not result.success
    assert "channel gone is not in the registry" in str(result.all_events)


def test_a_held_sync_is_red_until_somebody_confirms(lake, graph):
    people(lake, [person("ada")])
    graph()
    people(lake, [])
    assert not graph().success
    assert graph(confirm_large_change=True).success


def test_the_statistics_sum_the_syncs_and_their_checks_pass(lake, graph):
    people(lake, [person("ada"), person("bob"), person("bad") | {"email": "nobody"}])
    graph()
    graph()
    result = graph(STATS_JOB, op="reconcile_channels", days=1)
    assert result.success
    (row,) = lake.read(ACTIVATION_STATS).to_pylist()
    expected = {"syncs": 2, "source_rows": 6, "sent": 2, "unchanged": 2, "invalid": 2, "unsent": 0, "held": 2}
    assert {name: row[name] for name in expected} == expected
    assert (row["accepted"], row["rejected"], row["matched"], row["drift"]) == (2, 0, None, None)
    assert _metadata(result, "activation_stats")["rows_by_outcome"].startswith("![rows by outcome")
    checks = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert checks == {"sums_hold": True, "few_rows_are_bad": True}


def test_the_check_fails_and_names_channel_and_day_when_a_row_is_lost(lake, graph):
    people(lake, [person("ada"), person("bob")])
    graph()
    rows = lake.read(ACTIVATION_OUTCOMES).slice(1)
    lake.replace(ACTIVATION_OUTCOMES, rows, AlwaysTrue(), {})
    result = graph(STATS_JOB, op="reconcile_channels", days=1)
    (broken,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert broken.check_name == "sums_hold"
    assert "| vip |" in broken.metadata["where"].value
    assert "accepted rows have an outcome" in broken.metadata["where"].value


def test_many_bad_rows_are_a_warning(lake, graph):
    people(lake, [person("ada"), *({"first_name": f"x{i}"} for i in range(9))])
    graph()
    result = graph(STATS_JOB, op="reconcile_channels", days=1)
    (bad,) = [one for one in result.get_asset_check_evaluations() if not one.passed]
    assert (bad.check_name, bad.severity.value, result.success) == ("few_rows_are_bad", "WARN", True)


def test_reconciling_again_gives_the_same_rows(lake, graph):
    people(lake, [person("ada")])
    graph()
    today = datetime.now(UTC).date()
    first = reconcile(lake, days=1, run_id="a", today=today)
    assert reconcile(lake, days=30, run_id="b", today=today).equals(first)


def test_the_picture_is_drawn_with_and_without_rows():
    schema = ACTIVATION_STATS.arrow_schema
    row = {
        **{name: 3 for name in schema.names if pa.types.is_integer(schema.field(name).type)},
        "date": datetime(2026, 3, 5, tzinfo=UTC).date(),
        "channel_type": "file",
    }
    rows = [row | {"channel": f"channel_{i}", "matched": None if i % 2 else 2} for i in range(10)]
    for drawn in (rows, []):
        assert stats_picture(pa.Table.from_pylist(drawn, schema=schema)).startswith(b"\x89PNG")
