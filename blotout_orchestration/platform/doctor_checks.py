"""What the doctor tries: each check answers with one finding that says what to do.

Belongs here: trying the connections that settings name. A check leaves nothing behind, and makes nothing that
the first run would make. It may raise: the doctor turns that into a finding.
"""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from blotout_orchestration.platform.variables import suspicious_variables
from blotout_orchestration.settings import Settings

LITTLE_SPACE = 2 * 1024**3
"""Free bytes below which the default demo store's lake and warehouse may not fit, with their copies."""

_CLICK_STREAM = "event_hours"
"""The table that every deployment with processed events has."""


@dataclass(frozen=True)
class Finding:
    """What a check found; `wrong` makes the doctor fail, `warning` does not."""

    state: Literal["ok", "warning", "wrong"]
    text: str


def on_aws(settings: Settings) -> bool:
    """Whether these settings use services that only AWS has; S3 alone may be anybody's."""
    return settings.catalog_uri == "glue" or settings.warehouse == "athena"


def reason(error: Exception) -> str:
    """The first line of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def variables(env_file: Path) -> Finding:
    """Variables that look like settings and are none, and an .env file that others can read."""
    lines = suspicious_variables(env_file)
    if env_file.exists() and stat.S_IMODE(env_file.stat().st_mode) & 0o077:
        lines.append(f"{env_file} can be read by others; chmod 600 {env_file}")
    return Finding("warning", "; ".join(lines)) if lines else Finding("ok", "all valid")


def ground(settings: Settings) -> Finding:
    """Settings that do not go together, and drivers that are not installed."""
    wrong = []
    if settings.warehouse == "athena" and settings.catalog_uri != "glue":
        wrong.append("WAREHOUSE=athena reads the Glue catalog; set CATALOG_URI=glue")
    if settings.warehouse == "athena" and not settings.lake_root.startswith("s3:"):
        wrong.append("WAREHOUSE=athena reads S3; set LAKE_LOCATION=s3://")
    if settings.warehouse in ("trino", "athena") and find_spec(f"dbt.adapters.{settings.warehouse}") is None:
        wrong.append(f"the dbt adapter is missing; install blotout-orchestration[{settings.warehouse}]")
    if settings.catalog_uri == "glue" and not settings.lake_root.startswith("s3:"):
        wrong.append("CATALOG_URI=glue needs a lake in S3; set LAKE_LOCATION=s3://")
    text = f"events by {settings.events_engine}, ids by {settings.stitching_engine}, warehouse {settings.warehouse}, schema {settings.namespace}"
    return Finding("wrong", "; ".join(wrong)) if wrong else Finding("ok", text)


def home(settings: Settings) -> Finding:
    """The home can be written, and has room."""
    return _folder(settings.blotout_home.absolute(), "BLOTOUT_HOME")


def _folder(folder: Path, variable: str) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        return Finding("wrong", f"{existing} is not a folder; change {variable}")
    try:
        Path(tempfile.mkdtemp(prefix=".blotout-doctor-", dir=existing)).rmdir()
    except OSError as error:
        return Finding(
            "wrong",
            f"{existing} cannot be written by this user ({error.strerror}); change its owner or {variable}",
        )
    free = shutil.disk_usage(existing).free
    if free < LITTLE_SPACE:
        return Finding(
            "warning", f"{folder}: only {free / 1024**3:.1f} GiB free; make room or change {variable}"
        )
    state = "writable" if existing == folder else "not there yet, can be made"
    return Finding("ok", f"{folder} {state}, {free / 1024**3:.0f} GiB free")


def catalog(settings: Settings) -> Finding:
    """The catalog opens, and the click stream in it is that of these settings."""
    from blotout_orchestration.platform.lake_views import open_catalog

    if settings.catalog_uri is None and not (settings.blotout_home / "catalog.db").exists():
        return Finding("ok", "not there yet, is made at the first use")
    try:
        opened = open_catalog(settings)
        namespaces = [".".join(name) for name in opened.list_namespaces()]
        filled = [name for name in namespaces if opened.table_exists(f"{name}.{_CLICK_STREAM}")]
    except Exception as error:
        return Finding("wrong", reason(error))
    if filled and settings.namespace not in filled:
        return Finding(
            "warning",
            f"there is a click stream in {', '.join(filled)} and none in {settings.namespace}; are ORGANISATION"
            f" ({settings.organisation}) and ENVIRONMENT ({settings.environment}) those it was made with?",
        )
    return Finding("ok", f"opens, {len(namespaces)} schemas")


def lake(settings: Settings) -> Finding:
    """Every layer can be listed, and written to where it exists."""
    from pyarrow import fs

    from blotout_orchestration.lake import Lake
    from blotout_orchestration.lake.layers import filesystem

    if "://" not in settings.lake_root:
        return _folder(Path(settings.lake_root), "LAKE_LOCATION")
    layers = ("landing", "processed")
    for layer in layers:
        location = Lake(settings).layer(layer)
        try:
            system, path = filesystem(location)
            system.get_file_info(fs.FileSelector(path, allow_not_found=False))
            probe = f"{path}/.blotout-doctor-{uuid.uuid4().hex}"
            with system.open_output_stream(probe) as stream:
                stream.write(b"blotout doctor")
            system.delete_file(probe)
        except OSError as error:
            advice = "make the bucket, or allow list, put and delete on it"
            return Finding("wrong", f"{location}: {advice}: {reason(error)}")
    return Finding("ok", f"{settings.lake_root}: {' and '.join(layers)} listed and written")


def warehouse(settings: Settings) -> Finding:
    """The embedded warehouse opens, or is busy with dbt; Trino and Athena answer."""
    if settings.warehouse == "athena":
        return _athena(settings)
    if settings.warehouse == "trino":
        return _trino(settings)
    return _duckdb_file(settings.warehouse_path, "is made by the first run of events_unified_view")


def _athena(settings: Settings) -> Finding:
    try:
        found = _aws("athena", settings).list_databases(CatalogName="AwsDataCatalog", MaxResults=1)
    except Exception as error:
        return Finding("wrong", f"allow athena:ListDatabases, check AWS_REGION: {reason(error)}")
    return Finding(
        "ok", f"Athena answers{'' if found['DatabaseList'] else ', its catalog has no schema yet'}"
    )


def _trino(settings: Settings) -> Finding:
    """Trino's own word on itself (`GET /v1/info`, which asks for no account)."""
    import httpx

    server = urlsplit(settings.trino_uri)
    place = f"{server.scheme}://{server.hostname}:{server.port}"
    try:
        answer = httpx.get(f"{place}/v1/info", timeout=5).raise_for_status()
        info = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        advice = "no Trino answers; start it or change TRINO_URI"
        return Finding("wrong", f"{advice}: {place}: {type(error).__name__}")
    if info.get("starting"):
        return Finding("warning", f"{place} is still starting; try later")
    return Finding("ok", f"{place} answers, version {info.get('nodeVersion', {}).get('version', 'unknown')}")


def published(settings: Settings) -> Finding:
    """The copy that everyone reads opens; its age."""
    path = settings.published_path
    if settings.warehouse != "duckdb":
        return Finding("ok", f"{settings.warehouse} is read directly; nothing is published")
    finding = _duckdb_file(path, "is made by the first run of events_unified_view")
    if finding.state == "ok" and path.exists():
        moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return Finding("ok", f"{finding.text}, published {moment:%Y-%m-%d %H:%M} UTC")
    return finding


def _duckdb_file(path: Path, when_missing: str) -> Finding:
    import duckdb

    if not path.exists():
        return Finding("ok", f"not there yet, {when_missing}")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            row = connection.execute("select count(*) from duckdb_tables()").fetchone()
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            return Finding(
                "warning", f"{path} is in use by another process, most likely a dbt run; try later"
            )
        advice = "remove it and run events_unified_view, which makes it again"
        return Finding("wrong", f"{path} cannot be opened; {advice}: {reason(error)}")
    return Finding("ok", f"{path} opens, {row[0] if row else 0} tables")


def dagster(settings: Settings) -> Finding:
    """The instance of Dagster opens and its storage answers."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        return Finding("ok", f"{settings.dagster_home} not there yet, is made by `blotout run` or `make ui`")
    from blotout_orchestration.platform.home import open_instance

    with open_instance(settings) as instance:
        runs = instance.get_runs_count()
    return Finding("ok", f"{settings.dagster_home} opens, {runs} runs")


def spark(_: Settings) -> Finding:
    """spark-submit starts, which needs Java 17 or newer."""
    package = find_spec("pyspark")
    locations = package.submodule_search_locations if package else None
    if not locations:
        return Finding(
            "wrong",
            "pyspark is not installed; install it, or set EVENTS_ENGINE=duckdb and STITCHING_ENGINE=scipy",
        )
    command = [str(Path(locations[0]) / "bin" / "spark-submit"), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    output = answer.stderr + answer.stdout
    if answer.returncode:
        last = (output.strip().splitlines() or ["no message"])[-1]
        return Finding("wrong", f"spark-submit does not start; install Java 17 and set JAVA_HOME: {last}")
    facts = [line.strip(" ,") for line in output.splitlines() if "version" in line.lower()]
    return Finding(
        "ok", "spark-submit starts; " + ", ".join(fact.split("version", 1)[1].strip() for fact in facts)
    )


def spark_master(settings: Settings) -> Finding:
    """One of the standalone masters takes a connection."""
    addresses = settings.spark_master.removeprefix("spark://").split(",")
    return answers(addresses, "no master answers; start it or change SPARK_MASTER")


def answers(addresses: Sequence[str], when_none: str) -> Finding:
    """Whether one of some `host:port` takes a connection."""
    failures = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=5):
                return Finding("ok", f"{address} answers")
        except (OSError, OverflowError) as error:
            failures.append(f"{address}: {error}")
    return Finding("wrong", f"{when_none}: {'; '.join(failures)}")


def aws_account(settings: Settings) -> Finding:
    """The credential chain gives an identity."""
    try:
        identity = _aws("sts", settings).get_caller_identity()
    except Exception as error:
        return Finding("wrong", f"no identity; check the credentials and the network: {reason(error)}")
    return Finding("ok", f"account {identity['Account']}, region {settings.aws_region}")


def aws_secrets(settings: Settings) -> Finding:
    """Secrets Manager lists."""
    try:
        _aws("secretsmanager", settings).list_secrets(MaxResults=1)
    except Exception as error:
        return Finding("wrong", f"allow secretsmanager:ListSecrets, check AWS_REGION: {reason(error)}")
    return Finding("ok", "Secrets Manager lists")


def _aws(service: str, settings: Settings) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
    return boto3.client(service, region_name=settings.aws_region, config=config)
