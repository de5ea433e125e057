"""Secrets by reference: from the environment and .env, and from a Secrets Manager that answers as AWS does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blotout_orchestration.platform.secrets import SecretError, check_reference, is_reference, resolve


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a Secrets Manager of the test's own."""
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-west-2")


def test_the_environment_goes_before_the_file_and_both_are_read_anew(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("SHOP_PASSWORD='from the file'\n")
    assert resolve("env:SHOP_PASSWORD", settings).get_secret_value() == "from the file"
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    assert resolve("env:SHOP_PASSWORD", settings).get_secret_value() == "hunter2"
    monkeypatch.setenv("SHOP_PASSWORD", "rotated")
    found = resolve("env:SHOP_PASSWORD", settings)
    assert found.get_secret_value() == "rotated"
    assert "rotated" not in repr(found) + str(found)


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_or_empty_is_told_by_name(settings, monkeypatch, tmp_path, value):
    monkeypatch.chdir(tmp_path)
    if value is not None:
        monkeypatch.setenv("SHOP_PASSWORD", value)
    with pytest.raises(SecretError, match="env:SHOP_PASSWORD: the variable SHOP_PASSWORD is set neither"):
        resolve("env:SHOP_PASSWORD", settings)


def test_a_secret_of_the_manager_is_found_by_name_by_key_and_by_arn(settings, manager):
    arn = manager.create_secret(
        Name="prod/shop", SecretString=json.dumps({"user": "u", "password": "hunter2"})
    )["ARN"]
    manager.create_secret(Name="plain", SecretString="s3cret")
    assert resolve("secretsmanager:plain", settings).get_secret_value() == "s3cret"
    assert resolve("secretsmanager:prod/shop#password", settings).get_secret_value() == "hunter2"
    assert resolve(f"secretsmanager:{arn}#user", settings).get_secret_value() == "u"
    manager.put_secret_value(SecretId="plain", SecretString="rotated")
    assert resolve("secretsmanager:plain", settings).get_secret_value() == "rotated"


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("secretsmanager:nobody", "Secrets Manager answered ResourceNotFoundException"),
        ("secretsmanager:plain#password", "not a JSON object"),
        ("secretsmanager:object#nothing", "no text under this key"),
        ("secretsmanager:object#number", "no text under this key"),
        ("secretsmanager:list#0", "no text under this key"),
        ("secretsmanager:binary", "a binary secret"),
    ],
)
def test_what_is_wrong_is_told_without_the_secret(settings, manager, reference, problem):
    manager.create_secret(Name="plain", SecretString="hunter2")
    manager.create_secret(Name="object", SecretString=json.dumps({"password": "hunter2", "number": 4242}))
    manager.create_secret(Name="list", SecretString=json.dumps(["hunter2"]))
    manager.create_secret(Name="binary", SecretBinary=b"hunter2")
    with pytest.raises(SecretError) as caught:
        resolve(reference, settings)
    message = str(caught.value)
    assert message.startswith(reference.partition("#")[0])
    assert problem in message
    assert "hunter2" not in message
    assert "4242" not in message


def test_a_manager_that_cannot_be_reached_is_told(settings, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with pytest.raises(SecretError, match="secretsmanager:plain: EndpointConnectionError"):
        resolve("secretsmanager:plain", settings)


@given(st.text(min_size=6, max_size=30))
def test_a_text_that_is_no_reference_is_never_repeated(text):
    if is_reference(text):
        assert check_reference(text) == text
    else:
        with pytest.raises(ValueError, match="not a reference to a secret; write `env:NAME`") as caught:
            check_reference(text)
        assert text not in str(caught.value)


def test_a_secret_in_place_of_a_reference_is_refused_when_it_is_looked_up(settings):
    with pytest.raises(SecretError) as caught:
        resolve("hunter2", settings)
    assert "hunter2" not in str(caught.value)
