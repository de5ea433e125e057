"""Every variable of the platform, typed and validated: the only reader of the environment.

Belongs here: one field a variable, under its Airflow name where it had one, with its default, meaning and
check. Does not belong here: connections, clients, anything that opens a file of data or a socket.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from blotout_orchestration import env_file as env_files
from blotout_orchestration import setting_fields as fields
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.setting_fields import SAFE_NAME, cron_setting, image_tag_setting, setting

ENV_FILE = Path(".env")
Source = Literal["environment", ".env", "default"]


class SettingsError(BlotoutError):
    """Some variables have values that cannot be meant; the message lists all of them."""

    exit_code = 2


class Settings(BaseSettings):
    """The configuration of one deployment.

    Values come from the environment, then from `.env` in the working directory, then from the defaults; an
    empty value counts as not set. Field names are the variable names in lower case; the environment is
    matched without regard to case.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    # The ground
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
        "Spark master; used when EVENTS_ENGINE is `spark`.",
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

    # The variables of the original, under their own names
    airflow_start_date: fields.Moment = setting(
        "Schedules",
        "1977-10-01 00:00:00",
        "Assumed start of the cron jobs.",
        "a date and time in ISO 8601",
        "1977-10-01 00:00:00",
        compatibility="Checked and kept, without effect: see EVENTS_START_HOUR.",
    )
    events_incremental_schedule_interval: fields.Cron = cron_setting(
        "0 * * * *", "When the click stream is processed."
    )
    schedule_interval_delete_idle_connections: fields.Cron = cron_setting(
        "0 */3 * * *", "When idle database connections are released; no job reads it yet."
    )
    user_reporting_schedule_interval: fields.Cron = cron_setting(
        "*/30 * * * *", "When the Superset dashboard automation runs; no job reads it yet."
    )
    aws_region: fields.Region = setting(
        "AWS", "us-west-2", "Region of everything on AWS ground.", "an AWS region", "us-west-2"
    )
    emr_ec2_instance_type: fields.InstanceType = setting(
        "AWS",
        "m4.large",
        "Instance type of EMR clusters, on AWS; no job reads it yet.",
        "an EC2 instance type",
        "m4.large",
    )
    private_subnet: fields.Subnet | None = setting(
        "AWS",
        None,
        "Subnet of the infrastructure, on AWS; no job reads it yet.",
        "`subnet-` and 8 or 17 hexadecimal digits",
        "subnet-048ee3a00944bc2e0",
    )
    superset_username: str = setting(
        "Superset",
        "admin",
        "Superset account.",
        "1 to 64 characters without white space",
        "admin",
        pattern=r"^\S{1,64}$",
    )
    superset_password: fields.Secret | None = setting(
        "Superset",
        None,
        "Password of the Superset account.",
        "a password without white space around it",
        "PASSWORD",
        secret=True,
    )
    superset_user_email: fields.Email | None = setting(
        "Superset", None, "E-mail of the Superset account.", "an e-mail address", "admin@example.com"
    )
    tag_dbt_analytics: fields.DockerTag = image_tag_setting("dbt")
    tag_dbt_code_generator: fields.DockerTag = image_tag_setting("code generator")
    tag_dbt_reverse_el: fields.DockerTag = image_tag_setting("activation")
    tag_superset_automation: fields.DockerTag = image_tag_setting("Superset automation")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, `.env` - the file read literally, so that `$` in a password stays."""
        path = getattr(dotenv_settings, "env_file", None)
        values = _known(env_files.read(Path(path))) if path else {}
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=values)

    @property
    def namespace(self) -> str:
        """Schema of click stream, dbt and reports: `{organisation}_{environment}`."""
        return f"{self.organisation}_{self.environment}"

    @property
    def lake_root(self) -> str:
        """Absolute folder, or s3:// prefix, that holds the layers."""
        if self.lake_location is None:
            return str(self.blotout_home.absolute() / "lake")
        if "://" in self.lake_location:
            return self.lake_location
        return str(Path(self.lake_location).expanduser().absolute())

    @property
    def dagster_home(self) -> Path:
        """Folder of the Dagster instance (DAGSTER_HOME)."""
        return self.blotout_home.absolute() / "dagster"

    @property
    def warehouse_path(self) -> Path:
        """DuckDB file of the embedded warehouse; it belongs to dbt alone."""
        return self.blotout_home.absolute() / "warehouse" / "warehouse.duckdb"

    @property
    def published_path(self) -> Path:
        """The published copy of the embedded warehouse, which everyone else reads."""
        return self.blotout_home.absolute() / "warehouse" / "published.duckdb"


def _known(values: Mapping[str, str]) -> dict[str, str]:
    """The settings among some variables by field name, empty ones left out."""
    lowered = {name.lower(): value for name, value in values.items()}
    return {name: lowered[name] for name in Settings.model_fields if lowered.get(name)}


def setting_sources(env_file: Path = ENV_FILE) -> dict[str, Source]:
    """Where each field's value comes from. Raises EnvFileError when the file cannot be read."""
    environment, file = _known(os.environ), _known(env_files.read(env_file))
    return {
        name: "environment" if name in environment else ".env" if name in file else "default"
        for name in Settings.model_fields
    }


def unknown_variables(env_file: Path = ENV_FILE) -> dict[str, Source]:
    """Names that are no setting: all in the file, and those of the environment that begin with BLOTOUT_."""
    found: dict[str, Source] = dict.fromkeys(env_files.read(env_file), ".env")
    found |= dict.fromkeys(
        (name for name in os.environ if name.upper().startswith("BLOTOUT_")), "environment"
    )
    return {name: source for name, source in found.items() if name.lower() not in Settings.model_fields}


def read_settings(env_file: Path = ENV_FILE) -> Settings:
    """The settings as they are now. Raises SettingsError with everything that is wrong, EnvFileError."""
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        sources = setting_sources(env_file)
        lines = []
        for detail in error.errors(include_url=False):
            name = str(detail["loc"][0])
            info = Settings.model_fields[name]
            lines.append(fields.problem(name, info, detail["input"], detail, sources[name]))
        count = "1 setting is" if len(lines) == 1 else f"{len(lines)} settings are"
        raise SettingsError("\n  ".join([f"{count} not valid:", *lines])) from None


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process, read once. Raises SettingsError."""
    return read_settings()


@contextmanager
def exported(variables: Mapping[str, str]) -> Iterator[None]:
    """Let the processes that are started meanwhile see these variables."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
