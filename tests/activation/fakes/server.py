"""An HTTP server on this machine that behaves as told: it answers, fails, loses answers, or kills its caller.

Belongs here: what all fakes share. What a destination keeps and answers is in its own file.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Response:
    """An answer; None as the document is an empty body."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class FakeServer:
    """Serves `answer`. `faults` are used up in order, one a request; None lets the request through.

    `"429"` and `"500"` refuse before anything is kept; `"lost"` keeps and then closes the connection without
    an answer; `"dropped"` closes it first; `"kill before"` and `"kill after"` end the process `victim`.
    """

    content_type = "application/json"

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: deque[str | None] = deque()
        self.victim: int | None = None
        self.problems: list[str] = []
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _handle(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                fake._serve(self, self.rfile.read(length))

            do_GET = do_POST = do_DELETE = do_PATCH = _handle  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> Response:
        raise NotImplementedError

    def throttled(self) -> Response:
        return Response(429, {"errors": []}, {"Retry-After": "3"})

    def failed(self) -> Response:
        return Response(500, {"errors": []})

    def _serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        request = Request(handler.command, parts.path, query, dict(handler.headers.items()), body)
        with self._lock:
            self.requests.append(request)
            fault = self.faults.popleft() if self.faults else None
            if fault == "kill before" and self.victim:
                os.kill(self.victim, signal.SIGKILL)
            if fault in ("dropped", "kill before"):
                self._hang_up(handler)
                return
            if fault in ("429", "500"):
                response = self.throttled() if fault == "429" else self.failed()
            else:
                try:
                    response = self.answer(request)
                except Exception as error:
                    self.problems.append(f"{request.method} {request.path}: {error!r}")
                    response = Response(400, {"errors": []})
            if fault == "kill after" and self.victim:
                os.kill(self.victim, signal.SIGKILL)
            if fault in ("lost", "kill after"):
                self._hang_up(handler)
                return
        content = b"" if response.document is None else json.dumps(response.document).encode()
        handler.send_response(response.status)
        for name, value in response.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", self.content_type)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    @staticmethod
    def _hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.connection.close()
