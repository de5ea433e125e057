"""Taking over what `airflow variables export` wrote."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from blotout_orchestration import env_file
from blotout_orchestration.platform.variables import plan_import
from blotout_orchestration.settings import read_settings

EXPORT = {
    "AIRFLOW_START_DATE": "1977-10-01 00:00:00",
    "AWS_REGION": "eu-west-1",
    "EMR_EC2_INSTANCE_TYPE": "m5.xlarge",
    "EVENTS_INCREMENTAL_SCHEDULE_INTERVAL": "15 * * * *",
    "PRIVATE_SUBNET": "subnet-048ee3a00944bc2e0",
    "SCHEDULE_INTERVAL_DELETE_IDLE_CONNECTIONS": "0 */6 * * *",
    "SUPERSET_USERNAME": "boss",
    "SUPERSET_PASSWORD": 'it\'s "x" # $HOME ${HOME} \\ `id`\nsecond line',
    "SUPERSET_USER_EMAIL": "boss@example.com",
    "TAG_DBT_ANALYTICS": "0.21.0",
    "TAG_DBT_CODE_GENERATOR": "0.21.0",
    "TAG_DBT_REVERSE_EL": "0.21.0",
    "TAG_SUPERSET_AUTOMATION": "0.21.0",
    "USER_REPORTING_SCHEDULE_INTERVAL": "@daily",
}


@pytest.fixture
def export(tmp_path: Path) -> Any:
    """Write an export and return its path."""

    def write(variables: Any, text: str | None = None) -> Path:
        path = tmp_path / "variables.json"
        path.write_text(text if text is not None else json.dumps(variables), encoding="utf-8")
        return path

    return write


def test_a_whole_export_becomes_the_same_settings(blotout: Any, export: Any) -> None:
    result = blotout("import-variables", export(EXPORT))
    assert result.exit_code == 0, result.output
    assert "second line" not in result.output
    settings = read_settings()
    for name, value in EXPORT.items():
        held = getattr(settings, name.lower())
        assert (held.get_secret_value() if name == "SUPERSET_PASSWORD" else held) == value
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text("aB3'\"\\#$ {}=\n`;&", min_size=1, max_size=25).filter(lambda text: text == text.strip()),
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30),
)
def test_a_password_and_a_name_survive_export_and_import(
    tmp_path: Path, password: str, username: str
) -> None:
    path, output = tmp_path / "variables.json", tmp_path / "written.env"
    path.write_text(json.dumps({"SUPERSET_PASSWORD": password, "SUPERSET_USERNAME": username}))
    report = plan_import(path, output, force=True)
    assert report.text is not None
    env_file.write(output, report.text)
    settings = read_settings(output)
    assert settings.superset_password is not None
    assert (settings.superset_password.get_secret_value(), settings.superset_username) == (password, username)


def test_every_variable_is_reported_with_its_fate(blotout: Any, export: Any) -> None:
    path = export(
        {
            "AWS_REGION": {"value": "eu-west-1", "description": "where we are"},
            "CATCH_UP_HOURS": 72,
            "TAG_DBT_ANALYTICS": "0.21.0",
            "PRIVATE_SUBNET": "",
            "SUPERSET_USER_EMAIL": None,
            "EMR_EC2_INSTANCE_TYPE": "big",
            "ORGANISATION": {"name": "acme"},
            "WAREHOUSE": ["duckdb"],
            "SLACK_TOKEN": "hunter2",
            "AWS_REGOIN": "hunter2",
            "config": {"AWS_REGION": "hunter2"},
            "SUPERSET_PASSWORD": " hunter2",
        }
    )
    report = {item.name: item for item in plan_import(path, Path(".env")).variables}
    assert {name: item.fate for name, item in report.items()} == {
        "AWS_REGION": "taken",
        "CATCH_UP_HOURS": "taken",
        "TAG_DBT_ANALYTICS": "obsolete",
        "PRIVATE_SUBNET": "empty",
        "SUPERSET_USER_EMAIL": "empty",
        "EMR_EC2_INSTANCE_TYPE": "invalid",
        "ORGANISATION": "invalid",
        "WAREHOUSE": "invalid",
        "SLACK_TOKEN": "unknown",
        "AWS_REGOIN": "unknown",
        "config": "unknown",
        "SUPERSET_PASSWORD": "invalid",
    }
    assert "did you mean AWS_REGION?" in report["AWS_REGOIN"].note
    assert "AWS_REGION" in report["config"].note
    assert "expected an EC2 instance type" in report["EMR_EC2_INSTANCE_TYPE"].note
    result = blotout("import-variables", path)
    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert all(name in result.stdout for name in report)
    assert read_settings().catch_up_hours == 72


def test_numbers_keep_the_digits_of_the_export(export: Any) -> None:
    path = export(None, '{"TAG_DBT_ANALYTICS": 0.20, "TAG_DBT_REVERSE_EL": 1e5}')
    assert [item.value for item in plan_import(path, Path(".env")).variables] == ["0.20", "1e5"]


def test_a_name_twice_in_the_export_is_not_lost(export: Any) -> None:
    path = export(None, '{"AWS_REGION": "eu-west-1", "aws_region": "eu-west-2", "AWS_REGION": "eu-west-1"}')
    fates = [(item.name, item.fate) for item in plan_import(path, Path(".env")).variables]
    assert fates == [("AWS_REGION", "taken"), ("aws_region", "invalid"), ("AWS_REGION", "taken")]


def test_a_differing_value_in_the_file_stands_until_forced(blotout: Any, export: Any) -> None:
    before = "# mine\nAWS_REGION=us-east-1\nSUPERSET_PASSWORD=hunter2\nFOREIGN='x y'\n"
    Path(".env").write_text(before)
    path = export({"AWS_REGION": "eu-west-1", "SUPERSET_PASSWORD": "hunter2", "SUPERSET_USERNAME": "boss"})
    refused = blotout("import-variables", path)
    assert refused.exit_code == 1
    assert "conflict" in refused.stdout
    assert Path(".env").read_text() == before
    forced = blotout("import-variables", path, "--force")
    assert forced.exit_code == 0
    assert Path(".env").read_text() == (
        "# mine\nAWS_REGION=eu-west-1\nSUPERSET_PASSWORD=hunter2\nFOREIGN='x y'\nSUPERSET_USERNAME=boss\n"
    )
    assert "hunter2" not in refused.output + forced.output


def test_importing_twice_changes_nothing(blotout: Any, export: Any) -> None:
    path = export(EXPORT)
    assert blotout("import-variables", path).exit_code == 0
    before = Path(".env").read_bytes()
    assert blotout("import-variables", path).exit_code == 0
    assert Path(".env").read_bytes() == before


def test_a_dry_run_writes_nothing(blotout: Any, export: Any) -> None:
    result = blotout("import-variables", export(EXPORT), "--dry-run", "--output", "other.env")
    assert result.exit_code == 0
    assert "other.env was not changed (dry run)" in result.stdout
    assert list(Path.cwd().iterdir()) == []


def test_the_import_works_although_the_present_settings_are_broken(
    blotout: Any, export: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "nowhere")
    assert blotout("import-variables", export({"AWS_REGION": "eu-west-1"})).exit_code == 0
    assert Path(".env").read_text() == "AWS_REGION=eu-west-1\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[]", "is not an export of variables"),
        ('"x"', "is not an export of variables"),
        ('{"AWS_REGION": ', "is not JSON"),
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON|nested too deeply"),
    ],
)
def test_a_file_that_is_no_export_is_named(blotout: Any, export: Any, text: str, complaint: str) -> None:
    result = blotout("import-variables", export(None, text))
    assert result.exit_code == 2
    assert any(part in result.stderr for part in complaint.split("|"))
    assert "variables.json" in result.stderr
    assert not Path(".env").exists()


def test_a_missing_export_is_named(blotout: Any) -> None:
    result = blotout("import-variables", "nowhere.json")
    assert result.exit_code == 2
    assert "nowhere.json cannot be read: No such file" in result.stderr
