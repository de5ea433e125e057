"""Every variable of the platform, typed and validated: the only reader of the environment.

Belongs here: how values are found, and what follows from them (folders, addresses). The variables themselves
are declared in `setting_groups`, a group a file; the group that comes last in the bases is shown first.
Does not belong here: connections, clients, anything that opens a file of data or a socket.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from blotout_orchestration import env_file as env_files
from blotout_orchestration import setting_fields as fields
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.setting_groups.activation import ActivationSettings
from blotout_orchestration.setting_groups.airflow_variables import AirflowVariables
from blotout_orchestration.setting_groups.door import DoorSettings
from blotout_orchestration.setting_groups.ground import GroundSettings
from blotout_orchestration.setting_groups.mail import MailSettings
from blotout_orchestration.setting_groups.maintenance import MaintenanceSettings
from blotout_orchestration.setting_groups.operations import OperationsSettings
from blotout_orchestration.setting_groups.pipelines import PipelineSettings

ENV_FILE = Path(".env")
Source = Literal["environment", ".env", "default"]


class SettingsError(BlotoutError):
    """Some variables have values that cannot be meant; the message lists all of them."""

    exit_code = 2


class Settings(
    OperationsSettings,
    DoorSettings,
    MailSettings,
    MaintenanceSettings,
    ActivationSettings,
    PipelineSettings,
    AirflowVariables,
    GroundSettings,
    BaseSettings,
):
    """The configuration of one deployment.

    Values come from the environment, then from the defaults; `read_settings` puts those of `.env` between.
    An empty value counts as not set. Field names are the variable names in lower case; the environment is
    matched without regard to case.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

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
    def platform_database_uri(self) -> str:
        """SQLAlchemy address of the platform's own database: registries, audit log, undelivered alerts."""
        if self.platform_database is None:
            return f"sqlite:///{self.blotout_home.absolute() / 'platform.sqlite'}"
        return self.platform_database.get_secret_value()

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


def foreign_variables() -> list[str]:
    """Names of the environment that are no setting and do not begin with BLOTOUT_; most are other programs'."""
    known = Settings.model_fields
    return [
        name for name in os.environ if name.lower() not in known and not name.upper().startswith("BLOTOUT_")
    ]


def read_settings(env_file: Path = ENV_FILE) -> Settings:
    """The settings as they are now: the environment, then the file, then the defaults.

    Raises SettingsError with everything that is wrong, EnvFileError when the file cannot be read.
    """
    # The file is never pydantic's to open: it would expand `$` and answer a bad byte with a traceback.
    file, environment = _known(env_files.read(env_file)), _known(os.environ)
    values: dict[str, Any] = {name: value for name, value in file.items() if name not in environment}
    try:
        return Settings(**values)
    except ValidationError as error:
        sources = setting_sources(env_file)
        lines = []
        for detail in error.errors(include_url=False):
            name = str(detail["loc"][0])
            info = Settings.model_fields[name]
            lines.append(fields.problem(name, info, detail["input"], detail, sources[name]))
        count = "1 setting is" if len(lines) == 1 else f"{len(lines)} settings are"
        raise SettingsError("\n  ".join([f"{count} not valid:", *lines])) from None


def environment_variable(name: str, env_file: Path = ENV_FILE) -> str | None:
    """A variable that is no setting but that a definition refers to (`env:NAME`); None when it is not set.

    Looked up as settings are: in the environment, then in `.env`. Raises EnvFileError.
    """
    return os.environ.get(name) or env_files.read(env_file).get(name) or None


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
