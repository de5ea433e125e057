"""No credential of Dagster's own storage is shown, to whomever."""

from __future__ import annotations

import pytest

from blotout_orchestration.web.masking import mask_configuration
from tests.web.conftest import query


@pytest.mark.parametrize(
    "line",
    [
        "postgres_url: postgresql://dagster:hunter2@db:5432/dagster",
        "postgres_url: postgresql://dagster:a//hunter2@x@db:5432/dagster",
        "    password: hunter2",
        "password: 'a, hunter2'",
        "postgres_db: {hostname: db, password: hunter2, username: dagster}",
        '"aws_secret_access_key": "hunter2"',
        "api_token: hunter2",
    ],
)
def test_a_credential_is_masked(line):
    shown = mask_configuration(f"first: 1\n{line}\nlast: 2")
    assert "hunter2" not in shown
    assert shown.startswith("first: 1\n")
    assert shown.endswith("\nlast: 2")


@pytest.mark.parametrize(
    "text",
    ["password:\n  env: DAGSTER_PG_PASSWORD", "password: {env: PG_PASSWORD}", "base_dir: /var/lib", "url: https://a.example/x"],
)  # fmt: skip
def test_what_is_no_credential_stays(text):
    assert mask_configuration(text) == text


def test_the_configuration_of_the_instance_goes_through_the_mask(web, monkeypatch):
    shown = "storage:\n  postgres_url: postgresql://dagster:hunter2@db/dagster\n"
    monkeypatch.setattr(type(web.workspace.instance), "info_str", lambda _self: shown)
    answer = query(web.logged_in("edith"), "{ instance { info } }")
    assert answer.json()["data"]["instance"]["info"] == shown.replace("dagster:hunter2", "********")
