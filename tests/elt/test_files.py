"""Files as a source: CSV, JSON and Parquet, in a folder and in S3."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from blotout_orchestration.elt.run import LoadError
from blotout_orchestration.lake import Lake
from tests.elt.conftest import Load, only, pipeline, stream, table


def write(path: Path, text: str, hour: int = 0) -> None:
    """A file with a time of change of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    moment = datetime(2026, 3, 1, hour, tzinfo=UTC).timestamp()
    os.utime(path, (moment, moment))


def test_csv_columns_get_the_types_that_all_their_values_have(tmp_path: Path, lake: Lake, load: Load) -> None:
    rows = ["id,zip,price,day,seen at,active,note"]
    rows += [f"{n},0{n},{n}.5,2026-01-0{n},2026-01-0{n}T10:00:00Z,true,x" for n in range(1, 10)]
    write(tmp_path / "in" / "a.csv", "\n".join([*rows, '10,99,7,,,,"a ""quoted""\nline"']))
    made = pipeline(
        "filesystem", {"location": str(tmp_path / "in")}, stream("stock", options={"glob": "*.csv"})
    )
    assert only(load(made)).rows_in_table == 10
    found = table(lake, "stock", "id", "zip", "price", "day", "seen_at", "active", "note", "source_file")
    seen = datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert found[0] == (1, "01", 1.5, date(2026, 1, 1), seen, True, "x", "a.csv")
    assert found[9] == (10, "99", 7.0, None, None, None, 'a "quoted"\nline', "a.csv")


def test_only_new_files_are_read_and_a_file_that_came_again_replaces_its_rows(
    tmp_path: Path, lake: Lake, load: Load
) -> None:
    folder = tmp_path / "in"
    write(folder / "a.csv", "id,n\n1,1\n2,2\n", 1)
    write(folder / "b.csv", "id,n\n3,3\n", 2)
    made = pipeline(
        "filesystem",
        {"location": str(folder)},
        stream("stock", syncMode="incremental", options={"glob": "*.csv"}),
    )
    assert only(load(made)).rows_read == 3
    assert only(load(made)).rows_read == 0
    write(folder / "c.csv", "id,n\n4,4\n", 3)
    assert only(load(made)).rows_read == 1
    write(folder / "a.csv", "id,n\n1,10\n5,five\n", 4)
    report = only(load(made))
    assert (report.rows_read, report.rows_replaced) == (2, 2)
    assert table(lake, "stock", "id", "n", "n_v_string") == [
        (1, 10, None),
        (3, 3, None),
        (4, 4, None),
        (5, None, "five"),
    ]


def test_json_lines_may_be_compressed_and_nested(tmp_path: Path, lake: Lake, load: Load) -> None:
    lines = [{"id": 1, "who": {"mail": "a@b.example", "tags": ["x"]}}, {"id": 2, "who": {"mail": None}}]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    (tmp_path / "b.jsonl").write_text('{"id": "three"}\n\n{"id": 4.5}\n')
    made = pipeline("filesystem", {"location": str(tmp_path)}, stream("people", options={"glob": "*.jsonl*"}))
    assert only(load(made)).rows_in_table == 4
    found = table(lake, "people", "id", "who_mail", "who_tags")
    assert ("1", "a@b.example", '["x"]') in found
    assert {row[0] for row in found} == {"1", "2", "three", "4.5"}


def test_parquet_files_of_different_types_meet_in_one_table(tmp_path: Path, lake: Lake, load: Load) -> None:
    pq.write_table(pa.table({"ID": pa.array([1, 2], pa.int32()), "v": [1, 2]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"ID": pa.array([3], pa.int64()), "v": ["x"]}), tmp_path / "b.parquet")
    made = pipeline(
        "filesystem", {"location": str(tmp_path)}, stream("things", options={"glob": "*.parquet"})
    )
    assert only(load(made)).rows_in_table == 3
    assert table(lake, "things", "id", "v", "v_v_string") == [(1, 1, None), (2, 2, None), (3, None, "x")]


def test_a_broken_file_is_named_with_its_line_and_loads_nothing(
    tmp_path: Path, lake: Lake, load: Load
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"secret": "x"\n')
    made = pipeline("filesystem", {"location": str(tmp_path)}, stream("s", options={"glob": "*.jsonl"}))
    with pytest.raises(LoadError, match=r"a.jsonl: line 2 is no JSON") as failed:
        load(made)
    assert "secret" not in str(failed.value)
    assert not lake.exists("s", "shop_test")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3-compatible store with the bucket `exports`; its address."""
    monkeypatch.setenv("KEY_ID", "testing")
    monkeypatch.setenv("KEY", "testing")
    server = ThreadedMotoServer(port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_bucket(Bucket="exports")
    client.put_object(Bucket="exports", Key="loader/orders/1.csv", Body=b"id,total\n1,10\n2,20\n")
    client.put_object(Bucket="exports", Key="loader/orders/2.csv", Body=b"id,total\n3,30\n")
    client.put_object(Bucket="exports", Key="loader/other/x.csv", Body=b"id\n9\n")
    yield address
    server.stop()


def test_exports_of_other_loaders_are_read_from_s3(bucket: str, lake: Lake, load: Load) -> None:
    connection = {
        "location": "s3://exports/loader",
        "endpoint": bucket,
        "region": "us-east-1",
        "access_key_id": "env:KEY_ID",
        "secret_access_key": "env:KEY",
    }
    made = pipeline(
        "s3_export",
        connection,
        stream("orders", syncMode="incremental", options={"glob": "orders/*.csv"}),
    )
    assert only(load(made)).rows_in_table == 3
    assert only(load(made)).rows_read == 0
    assert table(lake, "orders", "id", "total", "source_file")[2] == (3, 30, "orders/2.csv")
