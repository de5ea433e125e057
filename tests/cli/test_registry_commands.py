"""`blotout pipelines` and `blotout channels`: what people type, and what they are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from blotout_orchestration.lake import Lake
from blotout_orchestration.platform.database.audit import entries
from blotout_orchestration.platform.registry import CHANNELS, PIPELINES
from blotout_orchestration.settings import Settings
from tests.activation.helpers import people, person

ORDERS = """
name: orders
type: postgres
source: Shop DB
schedule: "*/15 * * * *"
connection: {host: db, database: shop, user: reader, password: env:SHOP_DB_PASSWORD}
streams: [orders, customers]
"""
VIPS = """
name: vips
type: file
audience: high_value
mode: mirror
interval: 6h
mapping: [email]
key: email
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str, name: str = "definitions.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as the command line finds them."""
    for name in ("blotout_home", "organisation", "environment"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    monkeypatch.setenv("SHOP_DB_PASSWORD", "hunter2")
    return settings


def ok(result: Any) -> str:
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_a_pipeline_is_added_listed_shown_paused_resumed_and_removed(blotout, home, write):
    assert ok(blotout("pipelines", "add", write(ORDERS))) == "orders: added\n"
    header, _, line = ok(blotout("pipelines", "list")).splitlines()
    assert header.split() == ["name", "source", "type", "streams", "runs", "(UTC)", "state"]
    assert line.split() == ["orders", "Shop", "DB", "postgres", "2", "*/15", "*", "*", "*", "*", "active"]
    shown = json.loads(ok(blotout("pipelines", "show", "orders")))
    assert shown["payload"]["connection"]["password"] == "env:SHOP_DB_PASSWORD"
    assert "orders: paused" in ok(blotout("pipelines", "pause", "orders"))
    assert ok(blotout("pipelines", "pause", "orders")) == "orders: was paused already\n"
    assert ok(blotout("pipelines", "list")).split()[-1] == "paused"
    assert "orders: active" in ok(blotout("pipelines", "resume", "orders"))
    assert "its tables, its runs and its history stay" in ok(blotout("pipelines", "remove", "orders"))
    assert "no pipeline yet" in blotout("pipelines", "list").stderr
    assert len(PIPELINES.log(home)) == 4


def test_a_channel_is_added_listed_shown_paused_resumed_and_removed(blotout, home, write):
    assert ok(blotout("channels", "add", write(VIPS))) == "vips: added\n"
    (listed,) = json.loads(ok(blotout("channels", "list", "--format", "json")))
    shown = json.loads(ok(blotout("channels", "show", "vips")))
    assert listed == shown
    assert (shown["audience"], shown["payload"]["interval_seconds"]) == ("segment:high_value", 21_600)
    ok(blotout("channels", "pause", "vips"))
    assert ok(blotout("channels", "list")).splitlines()[2].split() == [
        "vips", "file", "segment:high_value", "mirror", "every", "21600", "s", "paused",
    ]  # fmt: skip
    ok(blotout("channels", "resume", "vips"))
    ok(blotout("channels", "remove", "vips"))
    assert len(CHANNELS.log(home)) == 4


def test_adding_the_same_file_twice_changes_nothing(blotout, home, write):
    ok(blotout("pipelines", "add", write(ORDERS)))
    assert ok(blotout("pipelines", "add", write(ORDERS))) == "orders: unchanged\n"
    assert len(PIPELINES.log(home)) == 1


def test_what_is_shown_can_be_added_on_another_platform(blotout, home, write, monkeypatch, tmp_path):
    ok(blotout("pipelines", "add", write(ORDERS)))
    shown = ok(blotout("pipelines", "show", "orders"))
    monkeypatch.setenv("BLOTOUT_HOME", str(tmp_path / "other"))
    assert ok(blotout("pipelines", "add", write(shown, "shown.json"))) == "orders: added\n"
    again = json.loads(ok(blotout("pipelines", "show", "orders")))
    assert again["payload"] == json.loads(shown)["payload"]


def test_who_did_what_is_in_the_audit_log(blotout, home, write, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    ok(blotout("pipelines", "add", write(ORDERS)))
    ok(blotout("pipelines", "add", write(ORDERS)))
    ok(blotout("pipelines", "pause", "orders"))
    ok(blotout("pipelines", "remove", "orders"))
    found = [(entry["actor"], entry["action"], entry["target"]) for entry in entries(home)]
    assert found == [("ann", f"pipelines.{action}", "orders") for action in ("remove", "pause", "add")]


def test_everything_that_is_wrong_in_a_file_is_said_at_once_and_nothing_is_added(blotout, home, write):
    wrong = ORDERS.replace("host: db", "hst: db").replace("env:SHOP_DB_PASSWORD", "hunter2")
    result = blotout(
        "pipelines", "add", write(f"{ORDERS}---\n{wrong}---\nname: b\ntype: postgres\nschedule: x\n")
    )
    assert result.exit_code == 2
    assert "definition 2: connection.password: holds a secret; write `env:NAME`" in result.stderr
    assert "definition 3: schedule = 'x': a cron expression has five fields" in result.stderr
    assert "hunter2" not in result.output
    assert PIPELINES.log(home) == []


@pytest.mark.parametrize(
    ("group", "text", "problem"),
    [
        ("pipelines", ORDERS.replace("host: db", "hst: db"), "hst"),
        ("pipelines", ORDERS.replace("type: postgres", "type: carrier_pigeon"), "carrier_pigeon"),
        ("channels", VIPS.replace("type: file", "type: carrier_pigeon"), "no such channel type"),
        ("channels", VIPS.replace("type: file", "type: webhook"), "connection.signing_key: is required"),
    ],
)
def test_what_the_source_or_destination_cannot_use_is_refused(blotout, home, write, group, text, problem):
    result = blotout(group, "add", write(text))
    assert result.exit_code == 2
    assert problem in result.stderr
    assert "Traceback" not in result.output


def test_a_channel_for_a_segment_that_is_not_there_is_a_warning(blotout, home, write):
    result = blotout("channels", "add", write(VIPS))
    assert ok(result) == "vips: added\n"
    assert "warning: vips: there is no segment 'high_value'; there is none yet" in result.stderr
    ok(blotout("segments", "predefined"))
    assert "segment" not in blotout("channels", "add", write(VIPS)).stderr


def test_a_secret_that_is_not_set_here_is_a_warning(blotout, home, write, monkeypatch):
    monkeypatch.delenv("SHOP_DB_PASSWORD")
    result = blotout("pipelines", "add", write(ORDERS))
    assert ok(result) == "orders: added\n"
    assert (
        "warning: orders: env:SHOP_DB_PASSWORD: the variable SHOP_DB_PASSWORD is set neither" in result.stderr
    )


@pytest.mark.parametrize("command", ["show", "pause", "resume", "remove", "test"])
@pytest.mark.parametrize("group", ["pipelines", "channels"])
def test_an_unknown_name_is_told_with_the_known_ones(blotout, home, write, group, command):
    ok(blotout(group, "add", write(ORDERS if group == "pipelines" else VIPS)))
    result = blotout(group, command, "nobody")
    assert result.exit_code == 2
    assert "'nobody'" in result.stderr
    assert ("orders" if group == "pipelines" else "vips") in result.stderr


def test_a_file_that_is_not_there_is_told(blotout, home, tmp_path):
    result = blotout("pipelines", "add", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "none.yaml: No such file" in result.stderr


def test_a_database_that_is_down_is_told_without_its_password(blotout, home, write, monkeypatch, tmp_path):
    monkeypatch.setenv("PLATFORM_DATABASE", f"postgresql+psycopg2://u:hunter2@localhost/d?host={tmp_path}")
    result = blotout("pipelines", "list")
    assert result.exit_code == 1
    assert "PLATFORM_DATABASE" in result.stderr
    assert "hunter2" not in result.output


def test_a_pipeline_is_tried_out_before_it_is_added_and_nothing_is_written(blotout, home, write, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    (files / "people.csv").write_text("id,email\n1,ada@example.com\n2,bob@example.com\n")
    definition = f"""
        name: people
        type: filesystem
        connection: {{location: {files}}}
        streams: [{{name: people, options: {{glob: "*.csv"}}}}]
        """
    path = write(dedent(definition))
    tried = ok(blotout("pipelines", "test", path))
    assert "2 rows read" in tried
    assert "ada@example.com" not in tried
    assert PIPELINES.log(home) == []
    ok(blotout("pipelines", "add", path))
    assert ok(blotout("pipelines", "test", "people")) == tried
    assert not (home.blotout_home / "lake").exists()


def test_a_channel_is_tried_out_and_nothing_is_sent(blotout, home, write):
    people(Lake(home), [person("ada"), person("bob")])
    path = write(VIPS.replace("audience: high_value", "audience: model:people"))
    tried = ok(blotout("channels", "test", path))
    assert "nothing was sent" in tried
    assert "2 rows of the audience; 2 to create" in tried
    assert "ada@example.com" not in tried
    assert not list(home.blotout_home.glob("lake/outbound/**/*.*"))


def test_a_source_that_cannot_be_reached_is_told_without_its_password(blotout, home, write):
    path = write(ORDERS.replace("host: db", "host: 127.0.0.1, port: 1"))
    result = blotout("pipelines", "test", path)
    assert result.exit_code == 1
    assert "orders" in result.stderr
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output
