"""The first launch on AWS (in moto), with SES, and with a Superset that answers over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import moto
import pytest

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.execution import Report, carry_out
from blotout_orchestration.maintenance.setup import SetUp, overview, plan_setup
from blotout_orchestration.maintenance.setup_aws import bucket_steps, lifecycle_rules, mail_step
from blotout_orchestration.maintenance.setup_steps import Step
from blotout_orchestration.maintenance.setup_superset import superset_step, warehouse_uri
from blotout_orchestration.settings import Settings

BUCKETS = {
    f"b-shop-test-{layer}" for layer in ("landing", "stg", "processed", "emr", "athena-logs", "outbound")
}


def settings_with(tmp_path: Any, **values: Any) -> Settings:
    return Settings(
        _env_file=None, blotout_home=tmp_path / "home", organisation="shop", environment="test", **values
    )


def set_up(steps: list[Step]) -> tuple[Report, dict[str, dict[str, Any]]]:
    plan, existed = plan_setup(steps)
    report = carry_out(
        plan,
        SetUp(steps),
        dry_run=False,
        maximum_failures=0,
        audit=lambda item, outcome, details: None,
        progress=lambda line: None,
    )
    return report, overview(steps, existed, report)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        yield boto3.client("s3", region_name="us-west-2")


def test_every_layer_gets_a_bucket_that_is_encrypted_closed_and_cleans_up(aws, tmp_path):
    lake = Lake(settings_with(tmp_path, lake_location="s3://", query_result_days=9))
    report, _ = set_up(bucket_steps(lake))
    assert report.counts()["done"] == 4 * len(BUCKETS)
    assert {bucket["Name"] for bucket in aws.list_buckets()["Buckets"]} == BUCKETS
    for name in BUCKETS:
        rule = aws.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert all(aws.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    logs = aws.get_bucket_lifecycle_configuration(Bucket="b-shop-test-athena-logs")["Rules"]
    assert {rule["ID"]: rule.get("Expiration", {}).get("Days") for rule in logs} == {
        "blotout-unfinished-uploads": None,
        "blotout-athena-logs": 9,
    }
    landing = aws.get_bucket_lifecycle_configuration(Bucket="b-shop-test-landing")["Rules"]
    assert [rule["ID"] for rule in landing] == ["blotout-unfinished-uploads"]


def test_a_second_setup_changes_no_bucket_and_keeps_the_rules_of_others(aws, tmp_path):
    lake = Lake(settings_with(tmp_path, lake_location="s3://"))
    set_up(bucket_steps(lake))
    foreign = {
        "ID": "legal",
        "Status": "Enabled",
        "Filter": {"Prefix": "old/"},
        "Expiration": {"Days": 3650},
    }
    bucket = "b-shop-test-emr"
    aws.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [foreign]})
    report, found = set_up(bucket_steps(lake))
    assert [result.item.target for result in report.results] == [bucket]
    assert len(found["buckets"]["existed"]) == len(BUCKETS)
    rules = aws.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {rule["ID"] for rule in rules} == {"legal", "blotout-unfinished-uploads", "blotout-emr"}
    assert plan_setup(bucket_steps(lake))[0].items == ()


def test_stronger_encryption_that_a_bucket_has_is_kept(aws, tmp_path):
    lake = Lake(settings_with(tmp_path, lake_location="s3://"))
    set_up(bucket_steps(lake))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    aws.put_bucket_encryption(
        Bucket="b-shop-test-landing", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    assert plan_setup(bucket_steps(lake))[0].items == ()


def test_of_a_bucket_that_others_share_only_the_lakes_folders_are_touched(aws, tmp_path):
    lake = Lake(settings_with(tmp_path, lake_location="s3://company/data/lake"))
    _, found = set_up(bucket_steps(lake))
    assert found["buckets"]["made"] == ["company"]
    assert "may hold other things" in found["bucket access block"]["skipped"]
    rules = lifecycle_rules(lake, "company")
    assert all(rule["Filter"]["Prefix"].startswith("data/lake/") for rule in rules)
    assert {rule["ID"]: rule["Filter"]["Prefix"] for rule in rules}["blotout-athena-logs"] == (
        "data/lake/athena-logs/"
    )


def test_the_sender_is_registered_with_ses_once(aws, tmp_path):
    settings = settings_with(tmp_path, mail_transport="ses", mail_sender="data@example.com")
    report, _ = set_up([mail_step(settings)])
    assert report.counts()["done"] == 1
    ses = boto3.client("ses", region_name="us-west-2")
    assert ses.list_identities()["Identities"] == ["data@example.com"]
    assert plan_setup([mail_step(settings)])[0].items == ()


def test_a_sender_whose_domain_is_known_needs_no_identity_of_its_own(aws, tmp_path):
    boto3.client("ses", region_name="us-west-2").verify_domain_identity(Domain="example.com")
    settings = settings_with(tmp_path, mail_transport="ses", mail_sender="data@example.com")
    assert plan_setup([mail_step(settings)])[0].items == ()


class Superset(BaseHTTPRequestHandler):
    """The four calls of Superset's REST API that the setup makes, with its checks of token and session."""

    databases: list[dict[str, Any]]
    drivers_missing = False

    def answer(self, status: int, body: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Bearer token":
            self.answer(401, {})
        elif "csrf_token" in self.path:
            self.answer(200, {"result": "csrf"})
        else:
            first = "page:0" in self.path
            self.answer(200, {"count": len(self.databases), "result": self.databases if first else []})

    def do_POST(self) -> None:
        if self.path.endswith("/login"):
            right = self.body()["password"] == "sesame"
            self.answer(200 if right else 401, {"access_token": "token"})
        elif self.headers["X-CSRFToken"] != "csrf" or not self.headers["Referer"]:
            self.answer(400, {})
        elif self.drivers_missing:
            self.answer(422, {"message": "Connection failed, please check your connection settings"})
        else:
            self.databases.append(self.body())
            self.answer(201, {})

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def superset() -> Iterator[ThreadingHTTPServer]:
    Superset.databases = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Superset)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def superset_settings(tmp_path: Any, server: ThreadingHTTPServer, password: str = "sesame") -> Settings:
    return settings_with(
        tmp_path,
        superset_url=f"http://127.0.0.1:{server.server_port}",
        superset_password=password,
        warehouse="trino",
    )


def test_superset_learns_the_warehouse_once(superset, tmp_path):
    step = superset_step(superset_settings(tmp_path, superset))
    report, _ = set_up([step])
    assert report.counts()["done"] == 1
    assert [entry["database_name"] for entry in Superset.databases] == ["shop_test"]
    assert Superset.databases[0]["sqlalchemy_uri"] == "trino://dbt@localhost:8080/iceberg/shop_test"
    assert plan_setup([step])[0].items == ()


def test_what_superset_says_of_a_connection_that_it_cannot_make_is_passed_on(superset, tmp_path, monkeypatch):
    monkeypatch.setattr(Superset, "drivers_missing", True)
    report, _ = set_up([superset_step(superset_settings(tmp_path, superset))])
    [result] = report.results
    assert "422 to POST /api/v1/database/: Connection failed, please check" in result.reason


def test_a_wrong_password_of_superset_is_told_without_it(superset, tmp_path):
    step = superset_step(superset_settings(tmp_path, superset, "wrong-one"))
    with pytest.raises(
        Exception, match="401 to POST /api/v1/security/login; check SUPERSET_USERNAME"
    ) as raised:
        plan_setup([step])
    assert "wrong-one" not in str(raised.value)


def test_the_embedded_warehouse_is_read_only_and_connected_after_its_first_reports(tmp_path):
    settings = settings_with(tmp_path, superset_url="http://superset:8088", superset_password="x")
    assert "after its first reports" in superset_step(settings).skipped
    assert warehouse_uri(settings).endswith("published.duckdb?access_mode=read_only")
