"""`blotout settings`: name, value, source, meaning - and no secret, in no output of any command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from blotout_orchestration.settings import Settings


def test_every_setting_is_listed_with_its_source(blotout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("AWS_REGION=eu-west-1\n")
    monkeypatch.setenv("CATCH_UP_HOURS", "72")
    listed = json.loads(blotout("settings", "--format", "json").stdout)
    assert [item["name"] for item in listed] == [name.upper() for name in Settings.model_fields]
    found = {item["name"]: (item["value"], item["source"]) for item in listed}
    assert found["AWS_REGION"] == ("eu-west-1", ".env")
    assert found["CATCH_UP_HOURS"] == ("72", "environment")
    assert found["WAREHOUSE"] == ("duckdb", "default")
    assert all(item["meaning"] and item["group"] for item in listed)


def test_the_table_has_a_line_for_every_setting(blotout: Any) -> None:
    lines = blotout("settings").stdout.splitlines()
    assert len(lines) == len(Settings.model_fields) + 2
    assert lines[0].split() == ["name", "value", "source", "meaning"]


def test_wrong_settings_end_with_two_and_one_message(blotout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "nowhere")
    monkeypatch.setenv("WAREHOUSE", "oracle")
    for command in (["settings"], ["doctor"], ["sql", "select 1"], ["events", "pending"]):
        result = blotout(*command)
        assert result.exit_code == 2
        assert "AWS_REGION = 'nowhere' (environment): unknown region" in result.stderr
        assert "WAREHOUSE = 'oracle' (environment): expected `duckdb`" in result.stderr
        assert "Traceback" not in result.output


def test_of_a_catalog_uri_only_the_credentials_are_masked(
    blotout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOG_URI", "postgresql+psycopg2://user:hunter2@db:5432/catalog?password=hunter2")
    listed = json.loads(blotout("settings", "--format", "json").stdout)
    (value,) = [item["value"] for item in listed if item["name"] == "CATALOG_URI"]
    assert value == "postgresql+psycopg2://********@db:5432/catalog"


SECRETS = st.text("XYZ#$'\"\\@:/ &%{}", min_size=6, max_size=20)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20
)
@given(SECRETS)
@example(" XYZXYZ")
@example("XYZ@X/Y:Z@")
def test_a_secret_is_in_no_output_of_any_command(
    blotout: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: str
) -> None:
    export = tmp_path / "variables.json"
    export.write_text(json.dumps({"SUPERSET_PASSWORD": secret, "OTHER_PASSWORD": secret}))
    encoded = quote(secret, safe="")
    forms = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], encoded}
    for uri in (
        f"postgresql+psycopg2://u:{encoded}@127.0.0.1:1/d",
        f"postgresql+psycopg2://u:{secret}@127.0.0.1:1/d",
    ):
        with monkeypatch.context() as environment:
            environment.setenv("SUPERSET_PASSWORD", secret)
            environment.setenv("CATALOG_URI", uri)
            for command in (
                ["settings"],
                ["settings", "--format", "json"],
                ["import-variables", export, "--dry-run"],
                ["sql", "select * from core_events"],
                ["--debug", "sql", "show tables"],
                ["doctor"],
            ):
                result = blotout(*command)
                text = result.output + repr(result.exception)
                assert not [form for form in forms if form in text], command
