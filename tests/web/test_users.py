"""Users: the file, the secret, the administrator's password, and the commands."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from pydantic import SecretStr
from typer.testing import CliRunner

from blotout_orchestration.cli import app
from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.database import audit
from blotout_orchestration.settings import load_settings
from blotout_orchestration.web.directory import (
    CACHE_SECONDS,
    STALE_SECONDS,
    Directory,
    DirectoryUnavailableError,
    admin_password,
    read_accounts,
)
from blotout_orchestration.web.users import (
    User,
    UsersError,
    editing,
    hash_password,
    parse_users,
    password_matches,
    read_users_file,
    users_file,
)

PASSWORD = "a password that is long enough"


@pytest.fixture
def on_aws(settings, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield settings.model_copy(update={"warehouse": "athena", "aws_region": "eu-west-1"})


def put_secret(name, value):
    boto3.client("secretsmanager", "eu-west-1").create_secret(Name=name, SecretString=value)


def test_a_hash_is_argon2id_and_matches_its_password_only():
    hashed = hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert hash_password(PASSWORD) != hashed
    assert password_matches(hashed, PASSWORD)
    assert not password_matches(hashed, PASSWORD + " ")
    assert not password_matches("not a hash", PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 2000])
def test_a_password_out_of_bounds_is_refused(password):
    with pytest.raises(UsageError, match="12 to 1024"):
        hash_password(password)


def test_what_is_written_is_read_again_by_us_only(settings, hashes):
    with editing(users_file(settings)) as users:
        users["edith"] = User(role="editor", password=hashes["edith"])
    assert stat.S_IMODE(users_file(settings).stat().st_mode) == 0o600
    assert read_users_file(users_file(settings)) == {"edith": User(role="editor", password=hashes["edith"])}


def test_a_file_that_others_can_read_is_refused(settings, hashes):
    with editing(users_file(settings)) as users:
        users["edith"] = User(role="editor", password=hashes["edith"])
    users_file(settings).chmod(0o640)
    with pytest.raises(UsersError, match="chmod 600"):
        read_users_file(users_file(settings))


def test_a_writer_that_fails_leaves_the_file_as_it_was(settings, hashes):
    with editing(users_file(settings)) as users:
        users["edith"] = User(role="editor", password=hashes["edith"])
    before = users_file(settings).read_bytes()
    with pytest.raises(UsageError), editing(users_file(settings)) as users:
        users["new"] = User(role="viewer", password=hash_password("short"))
    assert users_file(settings).read_bytes() == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("users: {edith: {role: boss, password: HASH}}", "users.edith.role"),
        ("users: {edith: {role: editor, password: hunter2}}", "not an argon2id hash"),
        ("users: {admin: {role: editor, password: HASH}}", "admin is not kept here"),
        ("users: {'a@b.example': {role: editor, password: HASH}}", "lower-case"),
        ("users: {edith: {role: editor}}", "users.edith.password"),
        ("users: {edith: {role: editor, password: HASH, more: 1}}", "users.edith.more"),
        (
            "users:\n  edith: {role: viewer, password: HASH}\n  edith: {role: editor, password: HASH}",
            "stands twice",
        ),
        ("people: {}", "people"),
        ("- a list", "file"),
        ("users: [", "line 1"),
        ("!!python/object/apply:os.system ['true']", "file"),
    ],
)
def test_users_that_cannot_be_meant_are_refused_without_their_hashes(text, problem, hashes):
    with pytest.raises(UsersError) as refused:
        parse_users(text.replace("HASH", f"'{hashes['edith']}'"), "file")
    assert problem in str(refused.value)
    assert "argon2id$" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_json_is_fine_because_a_secret_is_often_json(hashes):
    text = json.dumps({"users": {"edith": {"role": "editor", "password": hashes["edith"]}}})
    assert parse_users(text, "secret")["edith"].role == "editor"


def test_the_administrators_password_is_the_setting_on_embedded_ground(settings):
    assert admin_password(settings) is None
    assert admin_password(settings.model_copy(update={"dagster_password": SecretStr(PASSWORD)})) == PASSWORD


def test_on_aws_the_secret_of_dagster_comes_before_that_of_airflow_and_both_before_the_setting(on_aws):
    set_too = on_aws.model_copy(update={"dagster_password": SecretStr("the setting")})
    assert admin_password(set_too) == "the setting"
    put_secret("airflow_password", "of airflow")
    assert admin_password(set_too) == "of airflow"
    put_secret("dagster_password", "of dagster\n")
    assert admin_password(set_too) == "of dagster"


def test_users_from_a_secret_replace_the_file(on_aws, hashes):
    with editing(users_file(on_aws)) as users:
        users["laura"] = User(role="launcher", password=hashes["laura"])
    put_secret("people", f"users: {{edith: {{role: editor, password: '{hashes['edith']}'}}}}")
    with_secret = on_aws.model_copy(update={"web_users_secret": "secretsmanager:people"})
    assert set(read_accounts(with_secret)) == {"edith"}


def test_the_last_known_users_hold_for_a_while_when_their_place_cannot_be_read(settings, hashes):
    now = [0.0]
    with editing(users_file(settings)) as users:
        users["edith"] = User(role="editor", password=hashes["edith"])
    directory = Directory(lambda: settings, lambda: now[0])
    assert directory.find("edith")
    users_file(settings).write_text("users: [")
    now[0] = CACHE_SECONDS + 1
    assert directory.find("edith")
    now[0] = STALE_SECONDS + 1
    with pytest.raises(DirectoryUnavailableError):
        directory.find("edith")


def test_nobody_comes_in_while_the_users_have_never_been_read(settings):
    settings.blotout_home.mkdir(parents=True)
    users_file(settings).write_text("users: [")
    users_file(settings).chmod(0o600)
    with pytest.raises(DirectoryUnavailableError):
        Directory(lambda: settings).check("edith", PASSWORD)


def test_no_password_is_shown_by_accident(settings, hashes):
    with_password = settings.model_copy(update={"dagster_password": SecretStr(PASSWORD)})
    with editing(users_file(settings)) as users:
        users["edith"] = User(role="editor", password=hashes["edith"])
        assert "argon2" not in repr(users)
    assert PASSWORD not in repr(read_accounts(with_password))
    assert "argon2" not in repr(read_accounts(with_password))


@pytest.fixture
def blotout(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BLOTOUT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()
    yield lambda *words, input=None: CliRunner().invoke(app, list(words), input=input)
    load_settings.cache_clear()


def test_the_commands_add_list_change_and_remove_people(blotout):
    added = blotout("users", "add", "edith", "--role", "viewer", "--password-stdin", input=f"{PASSWORD}\n")
    assert added.exit_code == 0, added.output
    rows = json.loads(blotout("users", "list", "--format", "json").output)
    assert [(row["name"], row["role"]) for row in rows] == [("edith", "viewer")]
    again = ("users", "add", "edith", "--role", "editor", "--password-stdin")
    assert blotout(*again, input=f"{PASSWORD}\n").exit_code == 2
    assert blotout(*again, "--replace", input=f"{PASSWORD}\n").exit_code == 0
    assert "editor" in blotout("users", "list").output
    assert "argon2" not in blotout("users", "list").output
    assert blotout("users", "remove", "edith").exit_code == 0
    assert "nobody yet" in blotout("users", "list").output
    rows = [(row["action"], row["target"]) for row in audit.entries(load_settings())]
    assert rows == [("users remove", "edith"), ("users add", "edith"), ("users add", "edith")]


@pytest.mark.parametrize(
    "words",
    [
        ("add", "admin", "--role", "editor"),
        ("add", "Edith", "--role", "editor"),
        ("add", "a@b.example", "--role", "editor"),
        ("add", "edith", "--role", "boss"),
        ("remove", "nobody"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(blotout, words):
    assert blotout("users", *words, input=f"{PASSWORD}\n").exit_code == 2


def test_web_does_not_start_when_nobody_could_log_in(blotout):
    answer = blotout("web")
    assert answer.exit_code == 2
    assert "DAGSTER_PASSWORD" in answer.output


def test_web_does_not_leave_the_loopback_address_without_a_public_one(blotout, monkeypatch):
    monkeypatch.setenv("DAGSTER_PASSWORD", PASSWORD)
    answer = blotout("web", "--host", "0.0.0.0")
    assert answer.exit_code == 2
    assert "loopback" in answer.output
