"""The `file` channel writing to a bucket, served by moto."""

from __future__ import annotations

from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.activation.helpers import channel, people, person


@pytest.fixture
def bucket(monkeypatch):
    """A bucket and the location of a folder in it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-west-2",
    }.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-west-2")
    name = f"out-{uuid4().hex[:8]}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    yield client, f"s3://{name}/people?endpoint_override={host}:{port}&scheme=http&region=us-west-2"
    server.stop()


def test_batches_become_objects_under_the_channels_name(lake, sync, bucket):
    client, location = bucket
    name = location.split("/")[2]
    people(lake, [person(f"p{i}") for i in range(5)])
    report = sync(channel("file", connection={"location": location}, options={"rows": 2}))
    found = [one["Key"] for one in client.list_objects_v2(Bucket=name)["Contents"] if one["Size"]]
    assert (report.accepted, len(found)) == (5, 3)
    assert all(key.startswith("people/vip/") and key.endswith("-upsert.csv") for key in found)
    body = client.get_object(Bucket=name, Key=found[0])["Body"].read().decode()
    assert body.splitlines()[0] == '"operation","key_hash","email","first_name"'


def test_a_bucket_that_is_not_there_fails_the_sync_and_keeps_the_rows_due(lake, sync, bucket):
    _, location = bucket
    people(lake, [person("ada")])
    with pytest.raises(Exception, match="cannot be reached"):
        sync(channel("file", connection={"location": location.replace("out-", "missing-")}), "first")
    assert sync(channel("file", connection={"location": location}), "second").sent == 1
