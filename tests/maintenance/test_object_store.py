"""The same on an object store: paths carry a scheme there, and a sweep must not mistake them."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pyiceberg.utils.config import Config

from blotout_orchestration.lake import Lake, TableSpec
from blotout_orchestration.maintenance.cleanup import plan_cleanup
from blotout_orchestration.maintenance.compression import CompressionAction, plan_compression
from blotout_orchestration.maintenance.execution import Report, carry_out
from blotout_orchestration.settings import Settings
from tests.maintenance.lakes import NOW, PEOPLE, contents, fill, people_rows
from tests.maintenance.test_cleanup import carry as carry_cleanup

BUCKET = "company"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-west-2",
        # pyiceberg reads its own variables when it is imported, which has happened by now.
        "PYICEBERG_CATALOG__BLOTOUT__S3__ENDPOINT": address,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())
    client = boto3.client("s3", region_name="us-west-2")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    yield client
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST"))
    server.stop()


@pytest.fixture
def lake_in_store(store: Any, settings: Settings) -> Lake:
    return Lake(
        Settings(
            _env_file=None,
            blotout_home=settings.blotout_home,
            organisation="shop",
            environment="test",
            lake_location=f"s3://{BUCKET}/lake",
        )
    )


def carry(lake: Lake, now: datetime) -> Report:
    return carry_out(
        plan_compression(lake, now),
        CompressionAction(lake, "run", now),
        dry_run=False,
        maximum_failures=0,
        audit=lambda item, outcome, details: None,
        progress=lambda line: None,
    )


def keys(store: Any) -> set[str]:
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def test_compact_expire_and_sweep_in_a_bucket(lake_in_store, store):
    lake = lake_in_store
    fill(lake, hours=8)
    before = contents(lake)
    store.put_object(Bucket=BUCKET, Key="lake/processed/shop_test/note.txt", Body=b"not a table's")
    assert carry(lake, NOW).counts()["done"] == 1
    later = datetime.now(UTC) + timedelta(days=5)
    assert carry(lake, later).total("snapshots") == 8
    data = {key for key in keys(store) if "/data/" in key}
    assert len(data) == 9
    swept = carry(lake, later + timedelta(hours=1))
    assert swept.counts()["failed"] == 0
    assert swept.total("removed_files") >= 8 + 8
    assert contents(lake) == before
    assert len({key for key in keys(store) if "/data/" in key}) == 1
    assert "lake/processed/shop_test/note.txt" in keys(store)


def test_a_temporary_table_and_expired_results_go_from_a_bucket(lake_in_store, store):
    lake = lake_in_store
    lake.append(TableSpec("tmp_import", "Temporary.", PEOPLE.columns), people_rows("Ann"), {"run_id": "x"})
    lake.append(PEOPLE, people_rows("Ann"), {"run_id": "x"})
    store.put_object(Bucket=BUCKET, Key="lake/athena-logs/result.csv", Body=b"1")
    plan = plan_cleanup(lake, datetime.now(UTC) + timedelta(days=8))
    assert plan.counts() == {"query_results": 1, "temporary_table": 1}
    assert carry_cleanup(lake, plan).counts()["done"] == 2
    assert not any("tmp_import" in key or "athena-logs/r" in key for key in keys(store))
    assert lake.read(PEOPLE).num_rows == 1
