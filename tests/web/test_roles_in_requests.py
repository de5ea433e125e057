"""What a viewer, a launcher and an editor can do through GraphQL, and what stays behind of it."""

from __future__ import annotations

import pytest
from dagster._core.workspace.permissions import Permissions

from blotout_orchestration.platform.database import audit
from tests.web.conftest import LAUNCH, LOCATION, PREFIX, launch_parameters, query

PERMISSIONS = "{ permissions { permission value disabledReason } }"
START = """mutation Start($s: ScheduleSelector!) {
  startSchedule(scheduleSelector: $s) { __typename ... on ScheduleStateResult { scheduleState { id status } } }
}"""
STOP = """mutation Stop($id: String!) { stopRunningSchedule(id: $id) { __typename } }"""
SCHEDULE = {
    "repositoryLocationName": LOCATION,
    "repositoryName": "__repository__",
    "scheduleName": "small_schedule",
}


def entries(web):
    return [
        (row["actor"], row["action"], row["target"], row["outcome"]) for row in audit.entries(web.settings)
    ]


def granted(web, name):
    rows = query(web.logged_in(name), PERMISSIONS).json()["data"]["permissions"]
    assert {row["permission"] for row in rows} == {str(permission) for permission in Permissions}
    assert all(row["value"] or "role" in row["disabledReason"] for row in rows if name != "edith")
    return {row["permission"] for row in rows if row["value"]}


def test_the_ui_is_told_what_each_role_may_do(web):
    assert granted(web, "victor") == set()
    assert granted(web, "laura") == {
        "launch_pipeline_execution",
        "launch_pipeline_reexecution",
        "terminate_pipeline_execution",
        "launch_partition_backfill",
        "cancel_partition_backfill",
    }
    everything = {str(permission) for permission in Permissions}
    assert granted(web, "edith") == granted(web, "admin") == everything - {"edit_app_managed_components"}


@pytest.mark.parametrize("name", ["laura", "edith", "admin"])
def test_a_run_carries_the_name_of_who_launched_it(web, name):
    answer = query(web.logged_in(name), LAUNCH, launch_parameters())
    assert answer.json()["data"]["launchRun"]["__typename"] == "LaunchRunSuccess", answer.text
    run = answer.json()["data"]["launchRun"]["run"]
    assert {"key": "user", "value": name} in run["tags"]
    row = audit.entries(web.settings, run_id=run["runId"])[0]
    assert (row["actor"], row["action"], row["outcome"]) == (name, "launchRun", "done")
    assert row["target"] == f"{LOCATION}, small_job"


def test_nobody_launches_a_run_in_somebody_elses_name(web):
    claimed = {
        "executionMetadata": {"tags": [{"key": "user", "value": "edith"}, {"key": "why", "value": "x"}]}
    }
    answer = query(web.logged_in("laura"), LAUNCH, launch_parameters(**claimed))
    tags = answer.json()["data"]["launchRun"]["run"]["tags"]
    assert {"key": "user", "value": "laura"} in tags
    assert {"key": "why", "value": "x"} in tags
    assert {"key": "user", "value": "edith"} not in tags


def test_a_run_that_is_repeated_carries_the_name_of_who_repeated_it(web):
    first = query(web.logged_in("edith"), LAUNCH, launch_parameters()).json()["data"]["launchRun"]["run"][
        "runId"
    ]
    instance = web.workspace.instance
    instance.report_run_failed(instance.get_run_by_id(first))
    again = """mutation Again($p: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $p) {
      __typename ... on LaunchRunSuccess { run { runId tags { key value } } } ... on PythonError { message } } }"""
    variables = {"p": {"parentRunId": first, "strategy": "ALL_STEPS"}}
    result = query(web.logged_in("laura"), again, variables).json()["data"]["launchRunReexecution"]
    assert result["__typename"] == "LaunchRunSuccess", result
    assert {"key": "user", "value": "laura"} in result["run"]["tags"]
    assert {"key": "user", "value": "edith"} not in result["run"]["tags"]


def test_several_runs_launched_at_once_all_carry_the_name(web):
    text = """mutation Many($list: [ExecutionParams!]!) { launchMultipleRuns(executionParamsList: $list) {
      ... on LaunchMultipleRunsResult { launchMultipleRunsResult { ... on LaunchRunSuccess { run { runId tags { key value } } } } } } }"""
    variables = {"list": [launch_parameters()["params"], launch_parameters()["params"]]}
    answer = query(web.logged_in("laura"), text, variables).json()["data"]["launchMultipleRuns"]
    runs = [result["run"] for result in answer["launchMultipleRunsResult"]]
    assert all({"key": "user", "value": "laura"} in run["tags"] for run in runs)
    assert all(audit.entries(web.settings, run_id=run["runId"]) for run in runs)


def test_a_backfill_carries_the_name_of_who_started_it(web):
    text = """mutation Back($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
      __typename ... on LaunchBackfillSuccess { backfillId } } }"""
    parameters = {
        "assetSelection": [{"path": ["small_parts"]}],
        "partitionNames": ["one", "two"],
        "tags": [{"key": "user", "value": "edith"}],
    }
    answer = query(web.logged_in("laura"), text, {"p": parameters}).json()["data"]["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    backfill = web.workspace.instance.get_backfill(answer["backfillId"])
    assert backfill.tags["user"] == "laura"
    assert ("laura", "launchPartitionBackfill", "small_parts", "done") in entries(web)


def test_a_viewer_launches_nothing_and_the_refusal_is_on_record(web):
    before = len(web.workspace.instance.get_runs())
    answer = query(web.logged_in("victor"), LAUNCH, launch_parameters())
    assert answer.status_code == 403
    assert "victor has the role viewer" in answer.json()["errors"][0]["message"]
    assert "Traceback" not in answer.text
    assert len(web.workspace.instance.get_runs()) == before
    assert ("victor", "launchRun", f"{LOCATION}, small_job", "refused") in entries(web)


def test_only_an_editor_toggles_a_schedule(web):
    for name in ("victor", "laura"):
        assert query(web.logged_in(name), START, {"s": SCHEDULE}).status_code == 403
    editor = web.logged_in("edith")
    state = query(editor, START, {"s": SCHEDULE}).json()["data"]["startSchedule"]["scheduleState"]
    assert state["status"] == "RUNNING"
    stopped = query(editor, STOP, {"id": state["id"]}).json()["data"]["stopRunningSchedule"]
    assert stopped["__typename"] == "ScheduleStateResult"
    target = f"{LOCATION}, small_schedule"
    assert ("edith", "startSchedule", target, "done") in entries(web)
    assert ("edith", "stopRunningSchedule", "small_schedule", "done") in entries(web)


def test_the_audit_log_holds_no_values_of_variables(web):
    private = {"runConfigData": {"ops": {"add_one": {"config": {"mail": "jane@example.com"}}}}}
    tags = {"executionMetadata": {"tags": [{"key": "customer", "value": "jane@example.com"}]}}
    query(web.logged_in("edith"), LAUNCH, launch_parameters(**private, **tags))
    assert "jane@example.com" not in str(list(audit.entries(web.settings)))


def test_a_failed_mutation_is_recorded_as_failed(web):
    missing = launch_parameters()
    missing["params"]["selector"]["jobName"] = "no_such_job"
    query(web.logged_in("edith"), LAUNCH, missing)
    assert ("edith", "launchRun", f"no_such_job, {LOCATION}", "failed") in entries(web)


@pytest.mark.parametrize("kind", ["materialization", "observation", "check"])
def test_an_asset_event_is_reported_by_an_editor_only(web, kind):
    path = f"{PREFIX}/report_asset_{kind}/small_asset"
    body = {"check_name": "fine", "passed": True} if kind == "check" else {}
    for name in ("victor", "laura"):
        assert web.logged_in(name).post(path, json=body).status_code == 403
    assert web.logged_in("edith").post(path, json=body).status_code == 200
    assert ("edith", f"report_asset_{kind}", "small_asset", "done") in entries(web)
