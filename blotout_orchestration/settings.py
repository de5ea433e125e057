"""Every variable of the platform, typed and validated: the only reader of the environment.

Belongs here: one field a variable, under its Airflow name where it had one, with its default, meaning and
check. Does not belong here: connections, clients, anything that opens a file or a socket.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The configuration of one deployment.

    Values come from the environment, then from `.env` in the working directory, then from the defaults.
    Field names are the variable names in lower case; the environment is matched without regard to case.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    # The ground
    blotout_home: Path = Field(Path(".blotout"), description="Folder of everything on embedded ground.")
    organisation: str = Field("blotout", description="Organisation; part of schema and bucket names.")
    environment: str = Field("local", description="Environment; part of schema and bucket names.")
    lake_location: str | None = Field(
        None, description="Folder or s3:// prefix of the lake; default BLOTOUT_HOME/lake."
    )
    catalog_uri: str | None = Field(
        None, description="Iceberg catalog: SQLAlchemy URI, or `glue`; default SQLite in BLOTOUT_HOME."
    )
    events_engine: Literal["duckdb", "spark"] = Field(
        "duckdb", description="Engine that flattens the click stream."
    )
    spark_master: str = Field("local[*]", description="Spark master of the Spark engine.")
    warehouse: Literal["duckdb", "trino", "athena"] = Field("duckdb", description="Warehouse dbt builds in.")
    events_start_hour: str | None = Field(
        None, description="First hour of arrival to process, UTC; default the first landed hour."
    )
    catch_up_hours: int = Field(48, ge=1, le=8784, description="How far back the gap filler looks, hours.")

    # The variables of the original, under their own names
    airflow_start_date: str = Field("1977-10-01 00:00:00", description="Assumed start of the cron jobs.")
    aws_region: str = Field("us-west-2", description="AWS region.")
    emr_ec2_instance_type: str = Field("m4.large", description="EMR instance type.")
    events_incremental_schedule_interval: str = Field(
        "0 * * * *", description="Cron of click stream processing, UTC."
    )
    private_subnet: str | None = Field(None, description="Subnet of the infrastructure.")
    schedule_interval_delete_idle_connections: str = Field(
        "0 */3 * * *", description="Cron of the idle-connection job."
    )
    superset_username: str = Field("admin", description="Superset account.")
    superset_password: SecretStr | None = Field(None, description="Password of the Superset account.")
    superset_user_email: str | None = Field(None, description="E-mail of the Superset account.")
    tag_dbt_analytics: str = Field("0.20.0", description="Docker tag of the dbt image.")
    tag_dbt_code_generator: str = Field("0.20.0", description="Docker tag of the code generator image.")
    tag_dbt_reverse_el: str = Field("0.20.0", description="Docker tag of the activation image.")
    tag_superset_automation: str = Field("0.20.0", description="Docker tag of the Superset image.")
    user_reporting_schedule_interval: str = Field(
        "*/30 * * * *", description="Cron of the Superset dashboard automation."
    )

    @property
    def namespace(self) -> str:
        """Schema of click stream, dbt and reports: `{organisation}_{environment}`."""
        return f"{self.organisation}_{self.environment}"

    @property
    def lake_root(self) -> str:
        """Absolute folder, or s3:// prefix, that holds the layers."""
        return self.lake_location or str(self.blotout_home.absolute() / "lake")


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()  # type: ignore[call-arg]
