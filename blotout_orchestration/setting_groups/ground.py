"""The ground that the platform stands on: organisation, lake, catalog, engines, warehouse.

Belongs here: what changes when a deployment moves from a laptop to a cluster or to AWS. Does not belong here: what reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import SAFE_NAME, setting


class GroundSettings(BaseModel):
    """Where everything lies and what computes it."""

    blotout_home: fields.Folder = setting(
        "Ground",
        Path(".blotout"),
        "Folder of everything on embedded ground: lake, catalog, warehouse, Dagster home.",
        "a folder",
        "/var/lib/blotout",
    )
    organisation: fields.SafeName = setting(
        "Ground",
        "blotout",
        "Organisation; part of schema and bucket names.",
        f"{SAFE_NAME}, at most 32 characters",
        "acme_shop",
        max_length=32,
    )
    environment: fields.SafeName = setting(
        "Ground",
        "local",
        "Environment; part of schema and bucket names.",
        f"{SAFE_NAME}, at most 16 characters",
        "prod",
        max_length=16,
    )
    lake_location: fields.LakeLocation | None = setting(
        "Ground",
        None,
        "Where the layers of the lake lie; default BLOTOUT_HOME/lake.",
        "a folder, `s3://` (a bucket for each layer) or `s3://bucket/prefix`",
        "s3://",
    )
    catalog_uri: fields.CatalogUri | None = setting(
        "Ground",
        None,
        "Iceberg catalog of the lake; default a SQLite file in BLOTOUT_HOME.",
        "`glue`, `sqlite:////folder/file` or `postgresql+psycopg2://user:password@host:5432/database`",
        "postgresql+psycopg2://blotout:PASSWORD@db:5432/catalog",
        secret=True,
    )
    events_engine: Literal["duckdb", "spark"] = setting(
        "Ground",
        "duckdb",
        "Engine that flattens the click stream: DuckDB in process, or Spark.",
        "`duckdb` or `spark`",
        "spark",
    )
    spark_master: fields.SparkMaster = setting(
        "Ground",
        "local[*]",
        "Spark master; used when EVENTS_ENGINE or STITCHING_ENGINE is `spark`.",
        "`local[N]`, `local[*]`, `spark://host:port`, `yarn` or `k8s://...`",
        "spark://spark-master:7077",
    )
    warehouse: Literal["duckdb", "trino", "athena"] = setting(
        "Ground",
        "duckdb",
        "Warehouse that dbt builds in.",
        "`duckdb`, `trino` or `athena`",
        "athena",
    )
    trino_uri: str = setting(
        "Ground",
        "http://dbt@localhost:8080/iceberg",
        "Trino server and its Iceberg catalog; used when WAREHOUSE is `trino`.",
        "`http://user@host:port/catalog`, or https",
        "https://dbt@trino.example.com:8443/iceberg",
        pattern=r"^https?://[^/@:]+@[^/@:]+:\d+/\w+$",
    )
    events_start_hour: fields.Hour | None = setting(
        "Ground",
        None,
        "First hour of arrival to process; default the first landed hour.",
        "a whole hour in ISO 8601, UTC unless it carries an offset",
        "2026-03-05T17",
    )
    catch_up_hours: int = setting(
        "Ground",
        48,
        "How far back the gap filler looks for missed hours, in hours.",
        "a whole number from 1 to 8784",
        "168",
        ge=1,
        le=8784,
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "Ground",
        "WARNING",
        "Least severe level of the log lines that the command line prints.",
        "`DEBUG`, `INFO`, `WARNING` or `ERROR`",
        "INFO",
    )
