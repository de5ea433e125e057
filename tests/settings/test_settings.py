"""Where values come from, and that everything wrong is said at once and no secret with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blotout_orchestration.env_file import EnvFileError
from blotout_orchestration.settings import (
    Settings,
    SettingsError,
    exported,
    load_settings,
    read_settings,
    setting_sources,
    unknown_variables,
)

BAD = {
    "ORGANISATION": "Acme-Shop",
    "LAKE_LOCATION": "s3a://x",
    "CATALOG_URI": "postgresql://u:hunter2@h/d",
    "EVENTS_ENGINE": "flink",
    "SPARK_MASTER": "somewhere",
    "WAREHOUSE": "oracle",
    "EVENTS_START_HOUR": "2026-03-05T17:30",
    "CATCH_UP_HOURS": "0",
    "LOG_LEVEL": "loud",
    "AIRFLOW_START_DATE": "yesterday",
    "EVENTS_INCREMENTAL_SCHEDULE_INTERVAL": "* * *",
    "SCHEDULE_INTERVAL_DELETE_IDLE_CONNECTIONS": "often",
    "USER_REPORTING_SCHEDULE_INTERVAL": "@once",
    "AWS_REGION": "us-wset-2",
    "EMR_EC2_INSTANCE_TYPE": "large",
    "PRIVATE_SUBNET": "subnet-1",
    "SUPERSET_USERNAME": "a b",
    "SUPERSET_PASSWORD": " hunter2 ",
    "SUPERSET_USER_EMAIL": "nobody",
    "ALERT_WEBHOOK": "hooks.slack.example.com/services/hunter2",
    "HEARTBEAT_ADDRESS": "watchdog.example.com:port/hunter2",
    "TAG_DBT_ANALYTICS": "-x",
    "TAG_DBT_CODE_GENERATOR": "-x",
    "TAG_DBT_REVERSE_EL": "-x",
    "TAG_SUPERSET_AUTOMATION": "-x",
}


def test_every_default_passes_its_own_check() -> None:
    defaults = Settings(_env_file=None)
    given = {name: value for name, value in defaults if value is not None}
    assert Settings(_env_file=None, **given) == defaults


def test_every_example_is_accepted() -> None:
    examples = {name: (info.examples or [""])[0] for name, info in Settings.model_fields.items()}
    Settings(_env_file=None, **examples)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("ORGANISATION=from_file\nENVIRONMENT=from_file\n")
    monkeypatch.setenv("organisation", "from_environment")
    settings = read_settings()
    assert (settings.organisation, settings.environment) == ("from_environment", "from_file")
    sources = setting_sources()
    assert sources["organisation"] == "environment"
    assert sources["environment"] == ".env"
    assert sources["warehouse"] == "default"


def test_an_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PRIVATE_SUBNET=\nENVIRONMENT=from_file\n")
    monkeypatch.setenv("ENVIRONMENT", "")
    settings = read_settings()
    assert settings.private_subnet is None
    assert settings.environment == "from_file"
    assert setting_sources()["private_subnet"] == "default"


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_all_wrong_values_are_told_at_once_with_name_value_and_expectation(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == ".env":
        Path(".env").write_text("".join(f"{name}='{value}'\n" for name, value in BAD.items()))
    else:
        for name, value in BAD.items():
            monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    message = str(caught.value)
    lines = message.splitlines()
    assert lines[0] == f"{len(BAD)} settings are not valid:"
    for name, value in BAD.items():
        (line,) = [line for line in lines if line.strip().startswith(f"{name} = ")]
        assert f"({place})" in line
        assert "expected " in line
        if "hunter2" not in value:
            assert repr(value) in line
    assert "hunter2" not in message
    assert caught.value.exit_code == 2


def test_a_secret_is_in_no_text_form_of_the_settings() -> None:
    settings = Settings(
        _env_file=None,
        superset_password="hunter2",
        catalog_uri="postgresql+psycopg2://u:hunter2@h/d",
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_secret_fields_are_marked_for_the_dagster_ui() -> None:
    properties = Settings.model_json_schema()["properties"]
    marked = {name for name, schema in properties.items() if schema.get("dagster__is_secret")}
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert {"superset_password", "platform_database"} <= secret
    assert marked == secret | {"catalog_uri"}


def test_a_dollar_in_the_file_is_taken_literally() -> None:
    Path(".env").write_text("SUPERSET_PASSWORD='pa$HOME${HOME}'\n")
    password = read_settings().superset_password
    assert password is not None
    assert password.get_secret_value() == "pa$HOME${HOME}"


def test_a_broken_line_of_the_file_is_named_without_its_content() -> None:
    Path(".env").write_text('ORGANISATION=acme\nSUPERSET_PASSWORD="hunter2\n')
    with pytest.raises(Exception, match="line 2") as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)


def test_unknown_names_are_found_in_the_file_and_with_our_prefix_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("AWS_REGOIN=x\nAWS_REGION=eu-west-1\n")
    monkeypatch.setenv("BLOTOUT_LAKE", "x")
    monkeypatch.setenv("SOMETHING_ELSE", "x")
    assert unknown_variables() == {"AWS_REGOIN": ".env", "BLOTOUT_LAKE": "environment"}


def test_paths_hang_on_the_home(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, blotout_home=Path("here"))
    assert settings.lake_root == str(tmp_path / "here" / "lake")
    assert settings.dagster_home == tmp_path / "here" / "dagster"
    assert settings.published_path.parent == settings.warehouse_path.parent == tmp_path / "here" / "warehouse"


def test_a_tilde_in_the_home_is_the_users_home() -> None:
    assert Settings(_env_file=None, blotout_home="~/blotout").blotout_home == Path.home() / "blotout"


def test_a_relative_lake_is_one_folder_wherever_a_process_starts(tmp_path: Path) -> None:
    assert Settings(_env_file=None, lake_location="data").lake_root == str(tmp_path / "data")
    assert Settings(_env_file=None, lake_location="s3://bucket").lake_root == "s3://bucket"


def test_bucket_names_never_get_too_long() -> None:
    from blotout_orchestration.lake.layers import LAYERS, layer_location

    settings = Settings(_env_file=None, organisation="o" * 32, environment="e" * 16)
    buckets = [
        layer_location("s3://", settings.organisation, settings.environment, layer) for layer in LAYERS
    ]
    assert max(len(bucket.removeprefix("s3://")) for bucket in buckets) == 63


def test_settings_are_read_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    load_settings.cache_clear()
    first = load_settings()
    monkeypatch.setenv("ORGANISATION", "other")
    assert load_settings() is first
    load_settings.cache_clear()
    assert load_settings().organisation == "other"
    load_settings.cache_clear()


def test_exported_variables_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORGANISATION", "before")

    @exported({"ORGANISATION": "meanwhile", "ENVIRONMENT": "meanwhile"})
    def fail() -> None:
        raise RuntimeError(read_settings().namespace)

    with pytest.raises(RuntimeError, match="meanwhile_meanwhile"):
        fail()
    assert read_settings().namespace == "before_local"


def test_importing_the_settings_loads_nothing_heavy() -> None:
    heavy = [
        "dagster",
        "pyarrow",
        "pyiceberg",
        "duckdb",
        "boto3",
        "botocore",
        "pandas",
        "pyspark",
        "croniter",
    ]
    code = (
        "import sys, blotout_orchestration.settings as s; s.read_settings(); "
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("content", [b"SUPERSET_PASSWORD=hunter2\xff", None])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(content: bytes | None) -> None:
    if content is None:
        Path(".env").mkdir()
    else:
        Path(".env").write_bytes(content)
    reason = "Is a directory" if content is None else "byte 25 is not UTF-8"
    with pytest.raises(EnvFileError, match=rf"^\.env.*{reason}") as caught:
        read_settings()
    assert "hunter2" not in str(caught.value)
