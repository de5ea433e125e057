"""A mail server and a webhook that really listen, and a Dagster instance that really keeps."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from dagster import DagsterInstance

from blotout_orchestration.settings import Settings


@dataclass
class Mailbox:
    """What the mail server took; `answer` is what it says to a mail."""

    port: int = 0
    answer: str = "250 OK"
    refuses: set[str] = field(default_factory=set)
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, server: object, session: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        """aiosmtpd's hook for a recipient."""
        if address in self.refuses:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        """aiosmtpd's hook for a mail."""
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=default))
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        box = Mailbox(port=probe.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


@dataclass
class Hook:
    """What the webhook was posted; `status` is what it answers."""

    address: str = ""
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook on a free port."""
    kept = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if kept.status == 200:
                kept.bodies.append(body)
            self.send_response(kept.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    kept.address = f"http://127.0.0.1:{server.server_port}/services/SECRET"
    yield kept
    server.shutdown()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance on disk, as `blotout ui` uses it."""
    home = tmp_path / "dagster"
    home.mkdir()
    with DagsterInstance.local_temp(str(home)) as opened:
        yield opened


def mailing(settings: Settings, mailbox: Mailbox, **more: Any) -> Settings:
    """The settings, with this mail server."""
    return settings.model_copy(
        update={
            "mail_transport": "smtp",
            "mail_sender": "data@example.com",
            "smtp_host": "127.0.0.1",
            "smtp_port": mailbox.port,
            "smtp_security": "none",
            "alert_recipients": "night@example.com",
            **more,
        }
    )
