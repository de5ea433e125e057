"""Secrets stand in definitions as references only, and no message repeats one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.registry.files import read_channels, read_pipelines
from blotout_orchestration.platform.registry.secret_fields import (
    SecretsInTheClearError,
    check_connection,
    is_secret_name,
    references,
)


def nothing_wrong(_definition: object) -> list[object]:
    return []


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "clientSecret",
        "api_key",
        "apiKey",
        "private_key",
        "developer_token",
        "access_token",
        "X-Shopify-Access-Token",
        "Authorization",
        "aws_secret_access_key",
        "db.password",
        "dsn",
    ],
)
def test_a_field_of_this_name_holds_a_secret(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "primary_key",
        "token_url",
        "cursor_path",
        "next_token_path",
        "user",
        "host",
        "key_column",
        "passwords_table",
    ],
)
def test_a_field_of_this_name_holds_none(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "connection",
    [
        {"password": "hunter2"},
        {"password": 12345678},
        {"credentials": {"client_secret": "hunter2"}},
        {"headers": [{"Authorization": "Bearer abc"}]},
        {"url": "postgresql://reader:hunter2@db/shop"},
        {"url": "https://api.example.com/v1?access_token=hunter2"},
        {"note": "shpat_0123456789abcdef0123456789abcdef"},
        {"anything": ["AKIAIOSFODNN7EXAMPLE"]},
        {"anything": "-----BEGIN PRIVATE KEY-----"},
        {"tokens": {"token": ["hunter2"]}},
    ],
    ids=json.dumps,
)
def test_a_secret_in_the_clear_is_refused(connection):
    with pytest.raises(SecretsInTheClearError) as caught:
        check_connection(connection)
    assert "never the secret itself" in str(caught.value) or "in the clear" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_references_and_everything_else_are_taken():
    connection = {
        "host": "db.example.com",
        "port": 5432,
        "url": "https://shop.example.com/admin?page_size=250",
        "profile": "https://shop.example.com:8080/users/@me",
        "password": "env:SHOP_PASSWORD",
        "credentials": {"api_key": "secretsmanager:prod/shop#key", "token": None},
        "verify": True,
    }
    assert check_connection(connection) == connection
    assert list(references(connection)) == ["env:SHOP_PASSWORD", "secretsmanager:prod/shop#key"]


def test_every_secret_in_the_clear_is_named_at_once():
    with pytest.raises(SecretsInTheClearError) as caught:
        check_connection({"password": "a", "nested": [{"token": "b"}], "url": "s3://x:y@z"})
    assert [one.field for one in caught.value.problems] == ["password", "nested.0.token", "url"]


SECRETS = st.text("XYZ@#$'\"\\:/%{}&=", min_size=8, max_size=24)
PLACES = (
    lambda s: {"connection": {"password": s}},
    lambda s: {"connection": {"Authorization": f"Bearer {s}"}},
    lambda s: {"connection": {"uri": f"postgresql://u:{s}@h/d"}},
    lambda s: {"conection": {"password": s}},
    lambda s: {"connection": {"password": {"value": s}}, "schedule": 5},
    lambda s: {"password": s},
    lambda s: {"streams": [{"name": "a", "passwrod": s}]},
    lambda s: {"payload": {"connection": {"password": s}}},
    lambda s: {"payload": json.dumps({"connection": {"api_key": s}})},
    lambda s: {"payload": s},
)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(SECRETS, st.sampled_from(PLACES))
def test_no_message_on_a_file_repeats_a_secret(tmp_path: Path, secret, place):
    path = tmp_path / "definition.json"
    path.write_text(json.dumps({"name": "a", "type": "rest_api", "audience": "x", **place(secret)}))
    for read in (read_pipelines, read_channels):
        with pytest.raises(UsageError) as caught:
            read(path, nothing_wrong)
        assert secret not in str(caught.value)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    st.text("XYZ@#$'\"\\/%}&=", min_size=8, max_size=24),
    st.sampled_from(["password: {0}\n  x", "a: [{0}", "{0}\n: :", "- {0}\na: b", "{0}"]),
)
def test_no_message_on_broken_yaml_repeats_a_secret(tmp_path: Path, secret, form):
    path = tmp_path / "definition.yaml"
    path.write_text(form.replace("{0}", secret))
    with pytest.raises(UsageError) as caught:
        read_pipelines(path, nothing_wrong)
    assert secret not in str(caught.value)
