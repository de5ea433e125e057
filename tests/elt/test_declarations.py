"""A REST source as a YAML file, REST streams without one, and what is said of those that cannot be meant."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from blotout_orchestration.elt.definition import PipelineError, check
from blotout_orchestration.elt.sources.declaration import PACKAGED, find_declaration
from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings
from tests.elt.conftest import Load, only, pipeline, stream, table

TICKETS = [
    {"ticketID": n, "changed": f"2026-01-0{n}T10:00:00Z", "by": {"eMail": f"p{n}@b.example"}}
    for n in range(1, 6)
]
HELPDESK = """
title: Helpdesk
connection:
  host: {description: address of the helpdesk}
  key: {description: reference to the key, secret: true}
client:
  base_url: "{host}/api/"
  headers: {X-Key: "{key}"}
  paginator: {type: page_number, base_page: 1, total_path: pages}
streams:
  tickets:
    endpoint: {path: tickets, data_selector: items}
    start_param: since
    sync: incremental
    primary_key: ticketID
    cursor: changed
    id_mapping:
      - {map_column: by.eMail, map_provider: email, map_id: true}
"""


@pytest.fixture
def helpdesk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An API of pages of two tickets; its address and the queries that it had."""
    monkeypatch.setenv("HELPDESK_KEY", "key-of-the-helpdesk")
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            asked.append(query)
            rows = [row for row in TICKETS if str(row["changed"]) >= query.get("since", "")[:10]]
            start = 2 * (int(query["page"]) - 1)
            body: dict[str, Any] = {"items": rows[start : start + 2], "pages": -(-len(rows) // 2)}
            right = self.headers.get("X-Key") == "key-of-the-helpdesk"
            content = json.dumps(body if right else {}).encode()
            self.send_response(200 if right else 403)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def declare(settings: Settings, text: str) -> None:
    """Put the file where a deployment keeps its own sources."""
    folder = settings.blotout_home / "sources"
    folder.mkdir(parents=True)
    (folder / "helpdesk.yaml").write_text(text, encoding="utf-8")


def test_a_yaml_file_in_the_home_is_a_new_source_type(
    helpdesk: tuple[str, list[dict[str, str]]], lake: Lake, load: Load
) -> None:
    address, asked = helpdesk
    declare(lake.settings, HELPDESK)
    made = pipeline("helpdesk", {"host": address, "key": "env:HELPDESK_KEY"})
    assert only(load(made)).rows_in_table == 5
    assert table(lake, "tickets", "ticket_id", "by_e_mail")[0] == (1, "p1@b.example")
    asked.clear()
    assert only(load(made)).rows_unchanged == 1
    assert asked[0]["since"].startswith("2026-01-05T10:00:00")


def test_a_rest_api_needs_no_file_when_the_pipeline_says_everything(
    helpdesk: tuple[str, list[dict[str, str]]], lake: Lake, load: Load
) -> None:
    connection = {
        "base_url": f"{helpdesk[0]}/api/",
        "headers": {"X-Key": "env:HELPDESK_KEY"},
        "paginator": {"type": "page_number", "base_page": 1, "total_path": "pages"},
    }
    endpoint = {"path": "tickets", "data_selector": "items"}
    made = pipeline("rest_api", connection, stream("tickets", options={"endpoint": endpoint}))
    check(made)
    assert only(load(made)).rows_in_table == 5
    assert len(table(lake, "tickets", "ticket_id", "by_e_mail")) == 5


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_packaged_declaration_can_be_asked_as_it_is(path: Path, settings: Settings) -> None:
    declaration = find_declaration(settings, path.stem)
    values = {
        "shop": "toys",
        "customer_id": "2121450128",
        "account_id": "1",
        "client_id": "c",
    }
    given = {
        name: "env:SECRET" if one.secret else values[name]
        for name, one in declaration.connection.items()
        if one.default is None
    }
    check(pipeline(path.stem, given))


@pytest.mark.parametrize(
    ("source_type", "connection", "streams", "message"),
    [
        ("shopify", {"shop": "Toys!"}, [], "access_token: is required"),
        ("shopify", {"shop": "Toys!"}, [], "shop: expected"),
        ("shopify", {"shop": "t", "access_token": "env:T", "x": "1"}, [], "x: is not known"),
        ("shopify", {"shop": "t", "access_token": "env:T"}, [stream("ordrs")], "has no stream ordrs"),
        ("teapot", {}, [], "there is no source type teapot"),
        ("rest_api", {}, [], "base_url: is required"),
        ("rest_api", {"base_url": "http://x"}, [stream("a")], "endpoint"),
        ("postgres", {}, [], "database"),
        ("postgres", {"database": "d"}, [stream("a", syncMode="incremental")], "needs a cursor"),
        ("sql_database", {"database": "d"}, [], "driver: is required"),
        ("filesystem", {"location": "ftp://x"}, [], "expected a folder or s3://"),
        ("filesystem", {"location": "/x"}, [stream("a")], "options: glob"),
        ("s3_export", {"location": "/x"}, [], "expected s3://bucket/prefix"),
        (
            "postgres",
            {"database": "d"},
            [stream("a", metadata={"spend_map": {"spend": "a b"}})],
            "'a b' is no expression",
        ),
        (
            "postgres",
            {"database": "d"},
            [stream("a", metadata={"profile_map": {"shoe_size": "a"}})],
            "crm_profiles has no shoe_size",
        ),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused_by_field_before_anything_is_connected(
    source_type: str, connection: dict[str, Any], streams: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        check(pipeline(source_type, connection, *streams))


def test_a_file_that_is_no_declaration_is_named_with_every_reason(lake: Lake, load: Load) -> None:
    declare(lake.settings, yaml.safe_dump({"titel": "x", "streams": []}))
    with pytest.raises(PipelineError, match=r"helpdesk.yaml is no declaration") as refused:
        load(pipeline("helpdesk", {}))
    assert all(part in str(refused.value) for part in ("title", "titel", "streams"))
