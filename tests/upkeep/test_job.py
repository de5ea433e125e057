"""The job `dagster_upkeep`, failed partitions, and the heartbeat."""

from datetime import UTC, datetime

import pytest
from dagster import (
    AssetKey,
    DagsterInstance,
    Definitions,
    OpExecutionContext,
    StaticPartitionsDefinition,
    asset,
    define_asset_job,
)
from pydantic import SecretStr

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.upkeep.failed_partitions import (
    FailedPartitionsError,
    failed_partitions,
    raise_for_failed,
)
from blotout_orchestration.maintenance.upkeep.heartbeat import beat, last_beat
from blotout_orchestration.maintenance.upkeep.job import PARTITIONS_OP, PURGE_OP, upkeep_job
from blotout_orchestration.platform.database import audit
from blotout_orchestration.settings import Settings
from tests.alerts.conftest import instance

__all__ = ["instance"]

broken = {"2"}


@asset(partitions_def=StaticPartitionsDefinition(["1", "2", "3"]))
def clicks(context: OpExecutionContext) -> None:
    """Fails for what is broken."""
    if context.partition_key in broken:
        raise RuntimeError("broken")


DEFINITIONS = Definitions(assets=[clicks], jobs=[define_asset_job("hourly", selection=["clicks"])])


def run(instance: DagsterInstance, partition: str) -> None:
    """A run of one partition, whatever becomes of it."""
    DEFINITIONS.resolve_job_def("hourly").execute_in_process(
        instance=instance, partition_key=partition, raise_on_error=False
    )


def left(instance: DagsterInstance) -> dict[AssetKey, list[str]]:
    """What is left failed."""
    return failed_partitions(instance, [clicks])


def test_a_partition_is_left_failed_until_it_is_made(instance: DagsterInstance) -> None:
    for partition in ("1", "2"):
        run(instance, partition)
    assert left(instance) == {clicks.key: ["2"]}
    with pytest.raises(FailedPartitionsError, match="clicks 2"):
        raise_for_failed(left(instance))
    broken.clear()
    run(instance, "2")
    broken.add("2")
    assert left(instance) == {}


def test_the_job_reports_first_and_leaves_its_trace_in_the_audit_log(
    lake: Lake, instance: DagsterInstance
) -> None:
    definitions = Definitions(jobs=[upkeep_job(lake, [clicks])])
    result = definitions.resolve_job_def("dagster_upkeep").execute_in_process(
        instance=instance, raise_on_error=False
    )
    assert {event.step_key for event in result.get_step_success_events()} == {PURGE_OP, PARTITIONS_OP}
    [entry] = audit.entries(lake.settings, run_id=result.run_id)
    assert (entry["outcome"], entry["details"]["dry_run"]) == ("planned", True)


def test_the_heartbeat_leaves_a_file_and_a_watchdog_that_is_down_is_no_error(settings: Settings) -> None:
    assert last_beat(settings) is None
    now = datetime(2026, 3, 5, 3, tzinfo=UTC)
    assert "HEARTBEAT_ADDRESS is not set" in beat(settings, now)
    assert last_beat(settings) == now
    unreachable = settings.model_copy(update={"heartbeat_address": SecretStr("http://127.0.0.1:1/ping/KEY")})
    said = beat(unreachable, now)
    assert "was not reached" in said
    assert "KEY" not in said
