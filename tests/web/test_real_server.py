"""Attacks that need real bytes on a real port: paths as they are sent, and websockets."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.web.conftest import PREFIX, Web, form_token, free_port, served

AMBIGUOUS = [
    "//dagster/graphql",
    "/dagster//graphql",
    "/dagster/./graphql",
    "/dagster/vendor/../graphql",
    "/dagster/vendor/%2e%2e/graphql",
    "/dagster/vendor/%2E./graphql",
    "/dagster/%2e%2e/%2e%2e/etc/passwd",
    "/dagster/login/%252e%252e/graphql",
    "/dagster/login/%25252e%25252e/graphql",
    "/dagster/login%2f..%2fgraphql",
    "/dagster/login%252f..%252fgraphql",
    "/dagster/logs/..%2f..%2fdagster.yaml",
    "/dagster/logs/%252e%252e/%252e%252e/secret.err",
    "/dagster/health/..%5cgraphql",
    "/dagster/health\\..\\graphql",
    "/dagster/graphql%00",
]
RUNS = 'subscription { pipelineRunLogs(runId: "none") { __typename } }'
LOAD = "subscription { locationStateChangeEvents { event { message } } }"
MUTATION = 'mutation { setConcurrencyLimit(concurrencyKey: "by_socket", limit: 3) }'


@dataclass
class Running:
    web: Web
    port: int

    def token(self, name: str) -> str:
        return str(self.web.logged_in(name).cookies["blotout_session"])

    def status(self, path: str, token: str = "") -> int:
        """The status of a GET whose path goes out as it is."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as line:
            head = f"GET {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\nConnection: close\r\n"
            line.sendall(f"{head}Cookie: blotout_session={token}\r\n\r\n".encode())
            return int(line.makefile("rb").readline().split()[1])

    @contextlib.contextmanager
    def socket(
        self, token: str = "", origin: str | None = "own", **options: Any
    ) -> Iterator[ClientConnection]:
        own = f"http://localhost:{self.port}"
        headers = {"Cookie": f"blotout_session={token}"} if token else {}
        with connect(
            f"ws://localhost:{self.port}{PREFIX}/graphql",
            origin=own if origin == "own" else origin,
            subprotocols=["graphql-ws"],
            additional_headers=headers,
            open_timeout=20,
            **options,
        ) as opened:
            yield opened


@pytest.fixture
def running(web: Web) -> Iterator[Running]:
    port = free_port()
    with served(web.app, port):
        yield Running(web, port)


def start(opened: ClientConnection, text: str) -> None:
    opened.send(json.dumps({"type": "connection_init"}))
    assert json.loads(opened.recv(timeout=20))["type"] == "connection_ack"
    opened.send(json.dumps({"type": "start", "id": "1", "payload": {"query": text}}))


def test_a_path_that_can_be_read_in_two_ways_is_refused(running):
    token = running.token("edith")
    assert running.status("/dagster/runs", token) == 200
    for path in AMBIGUOUS:
        for cookie in ("", token):
            assert (path, running.status(path, cookie)) == (path, 400)


def test_a_websocket_of_a_viewer_works_and_is_closed_when_the_session_ends(running):
    token = running.token("victor")
    with running.socket(token) as opened:
        start(opened, LOAD)
        running.web.access.sessions.end(token)
        with pytest.raises(ConnectionClosed) as closed:
            opened.recv(timeout=20)
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize("token", ["", "forged"])
def test_a_websocket_of_nobody_is_refused(running, token):
    with pytest.raises(InvalidStatus) as refused, running.socket(token):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", None, "http://localhost:1", "http://127.0.0.1"]
)
def test_a_websocket_from_another_origin_is_refused(running, origin):
    token = running.token("edith")
    with pytest.raises(InvalidStatus) as refused, running.socket(token, origin):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("name", ["victor", "edith"])
def test_a_mutation_by_websocket_is_refused(running, name):
    with running.socket(running.token(name)) as opened:
        start(opened, MUTATION)
        answer = json.loads(opened.recv(timeout=20))
    assert answer["type"] == "error"
    assert "by_socket" not in running.web.workspace.instance.event_log_storage.get_concurrency_keys()


def test_a_login_with_real_requests(running):
    import httpx

    with httpx.Client(base_url=f"http://localhost:{running.port}") as client:
        page = client.get(f"{PREFIX}/login")
        fields = {"form": form_token(page.text), "name": "laura", "password": "laura has a long password"}
        answer = client.post(f"{PREFIX}/login", data=fields)
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert (
            "server" not in {name.lower() for name in answer.headers} or answer.headers["server"] != "uvicorn"
        )
        assert client.post(f"{PREFIX}/graphql", json={"query": "{ version }"}).status_code == 200
