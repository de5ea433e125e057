"""The doctor says in one line each what is wrong and what to do, and never hangs, breaks or tells a secret."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from blotout_orchestration.lake import Lake
from blotout_orchestration.lake.tables import Column, TableSpec
from blotout_orchestration.platform import doctor
from blotout_orchestration.platform.doctor_checks import Finding
from blotout_orchestration.platform.home import prepare_home
from blotout_orchestration.settings import Settings


def _findings(settings: Settings) -> dict[str, Finding]:
    return dict(doctor.examine(settings))


def test_a_fresh_ground_is_healthy_and_stays_untouched(blotout: Any) -> None:
    result = blotout("doctor")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 9
    assert all(line.startswith("ok ") for line in lines)
    assert list(Path.cwd().iterdir()) == []


def test_a_ground_in_use_is_healthy(store: Settings) -> None:
    prepare_home(store)
    found = _findings(store)
    assert {finding.state for finding in found.values()} == {"ok"}
    assert "2 schemas" in found["catalog"].text
    assert "2 tables, published" in found["published warehouse"].text
    assert "0 runs" in found["dagster"].text


def test_a_click_stream_under_another_schema_is_a_warning(store: Settings) -> None:
    ledger = TableSpec("event_hours", "Processed hours.", (Column("revision", "string", "Of the files."),))
    Lake(store).ensure(ledger)
    assert _findings(store)["catalog"].state == "ok"
    renamed = _findings(store.model_copy(update={"organisation": "shops"}))["catalog"]
    assert renamed.state == "warning"
    assert "click stream in shop_test and none in shops_test" in renamed.text
    assert "ORGANISATION (shops)" in renamed.text


def test_a_setting_misspelled_in_the_environment_is_a_warning(
    blotout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORGANIZATION", "toyshop")
    monkeypatch.setenv("SPARK_MASTER_URL", "spark://elsewhere:7077")
    result = blotout("doctor")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("warning")]
    assert line.endswith("ORGANIZATION (environment) is not a setting; did you mean ORGANISATION?")


def test_everything_wrong_is_told_in_one_line_each(blotout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("home").write_text("a file")
    for name, value in {
        "BLOTOUT_HOME": "home",
        "CATALOG_URI": "postgresql+psycopg2://user:hunter2@127.0.0.1:1/catalog",
        "WAREHOUSE": "athena",
        "EVENTS_ENGINE": "spark",
        "SPARK_MASTER": "spark://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
    }.items():
        monkeypatch.setenv(name, value)
    result = blotout("doctor")
    assert result.exit_code == 1
    lines = {line.split("  ", 1)[1].split(":")[0].strip(): line for line in result.stdout.splitlines()}
    for name, advice in {
        "ground": "set CATALOG_URI=glue",
        "home": "change BLOTOUT_HOME",
        "lake": "change LAKE_LOCATION",
        "catalog": "check CATALOG_URI",
        "spark master": "start it or change SPARK_MASTER",
        "aws account": "check the credentials",
        "aws secrets": "allow secretsmanager:ListSecrets",
    }.items():
        assert lines[name].startswith("wrong")
        assert advice in lines[name]
    assert "hunter2" not in result.output


@pytest.mark.parametrize("variable", ["BLOTOUT_HOME", "LAKE_LOCATION"])
def test_a_place_where_nothing_can_be_made_is_wrong_before_the_first_run(
    blotout: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "/proc/x")  # Nobody, root included, can make a folder there.
    result = blotout("doctor")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.endswith(f"or {variable}")]
    assert line.startswith("wrong")
    assert "/proc cannot be written by this user" in line


def test_a_damaged_warehouse_and_catalog_are_told(store: Settings) -> None:
    store.published_path.write_bytes(b"nonsense" * 4096)
    (store.blotout_home / "catalog.db").write_bytes(b"nonsense" * 4096)
    found = _findings(store)
    assert found["published warehouse"].state == found["catalog"].state == "wrong"
    assert str(store.published_path) in found["published warehouse"].text


def test_a_warehouse_that_another_process_writes_is_busy_not_broken(store: Settings) -> None:
    code = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(store.warehouse_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "open\n"
        busy = _findings(store)["warehouse"]
        writer.stdin.close()
    assert (busy.state, "in use by another process" in busy.text) == ("warning", True)
    assert _findings(store)["warehouse"].state == "ok"


def test_variables_that_look_like_settings_are_a_warning(
    blotout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("AWS_REGOIN=eu-west-1\nSOMETHING=else\nBLOTOUT_ORGANISATION=acme\n")
    Path(".env").chmod(0o644)
    monkeypatch.setenv("BLOTOUT_SPEED", "fast")
    result = blotout("doctor")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("warning")]
    assert "AWS_REGOIN (.env) is not a setting; did you mean AWS_REGION?" in line
    assert "BLOTOUT_ORGANISATION (.env) is not a setting; did you mean ORGANISATION?" in line
    assert "BLOTOUT_SPEED (environment) is not a setting" in line
    assert "chmod 600 .env" in line
    assert "SOMETHING" not in line


def test_a_folder_that_cannot_be_written_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    assert "cannot be written by this user" in _findings(settings)["home"].text


def test_a_spark_master_that_listens_is_found_behind_one_that_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        settings = Settings(
            _env_file=None, events_engine="spark", spark_master=f"spark://127.0.0.1:1,127.0.0.1:{port}"
        )
        finding = doctor.checks_for(settings)["spark master"](settings)
    assert finding == Finding("ok", f"127.0.0.1:{port} answers")


def test_a_trino_that_does_not_answer_is_told(settings: Settings) -> None:
    chosen = settings.model_copy(update={"warehouse": "trino", "trino_uri": "http://dbt@127.0.0.1:1/iceberg"})
    finding = doctor.checks_for(chosen)["warehouse"](chosen)
    assert finding.state == "wrong"
    assert "start it or change TRINO_URI: http://127.0.0.1:1" in finding.text


@pytest.mark.spark
def test_spark_submit_is_really_started(settings: Settings) -> None:
    chosen = settings.model_copy(update={"events_engine": "spark"})
    finding = doctor.checks_for(chosen)["spark"](chosen)
    assert finding.state == "ok"
    assert "4.3.0" in finding.text


@pytest.mark.spark
def test_spark_without_java_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    chosen = settings.model_copy(update={"events_engine": "spark"})
    finding = doctor.checks_for(chosen)["spark"](chosen)
    assert finding.state == "wrong"
    assert "install Java 17 and set JAVA_HOME" in finding.text


def test_a_check_that_hangs_or_breaks_is_a_finding(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(_: Settings) -> Finding:
        time.sleep(60)
        raise AssertionError

    def breaks(_: Settings) -> Finding:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(doctor, "checks_for", lambda *_: {"hangs": hangs, "breaks": breaks})
    assert dict(doctor.examine(settings, deadline=0.05)) == {
        "hangs": Finding("wrong", "no answer within 0.05 s; is the host reachable?"),
        "breaks": Finding("wrong", "RuntimeError: first line"),
    }


def test_on_aws_buckets_glue_and_secrets_are_tried(aws: None, settings: Settings) -> None:
    import boto3

    cloud = settings.model_copy(
        update={"lake_location": "s3://", "catalog_uri": "glue", "warehouse": "athena"}
    )
    assert "make the bucket" in _findings(cloud)["lake"].text
    for layer in ("landing", "processed"):
        bucket = Lake(cloud).layer(layer).removeprefix("s3://")
        location = {"LocationConstraint": "us-west-2"}
        boto3.client("s3", region_name="us-west-2").create_bucket(
            Bucket=bucket, CreateBucketConfiguration=location
        )
    found = _findings(cloud)
    for name in ("lake", "catalog", "warehouse", "aws account", "aws secrets"):
        assert found[name].state == "ok", found[name].text
    listed = boto3.client("s3", region_name="us-west-2").list_objects_v2(Bucket="b-shop-test-landing")
    assert listed["KeyCount"] == 0
