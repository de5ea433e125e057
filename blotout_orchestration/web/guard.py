"""The guard: looks at every request and websocket before Dagster does, and at every answer after it.

Belongs here: ASGI middleware that refuses or lets through, and the role that a route asks for. Does not
belong here: what a mutation does (`mutations.py`), the login's pages (`login.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from blotout_orchestration.platform.database import DatabaseUnavailableError
from blotout_orchestration.web.access import SESSION_COOKIE, Access
from blotout_orchestration.web.address import comes_from_elsewhere, is_ambiguous
from blotout_orchestration.web.directory import DirectoryUnavailableError
from blotout_orchestration.web.roles import Role
from blotout_orchestration.web.sessions import Visitor

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

VISITOR: Final = "blotout.visitor"
HEALTH: Final = frozenset({"/health", "/server_info"})
"""Open to everybody, under any host name: what asks there is a load balancer."""
POLICY_VIOLATION: Final = 1008
RECHECK_SECONDS: Final = 15.0
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OWN_FRAMES: Final = "frame-ancestors 'self'; form-action 'self'"
STRICT_TRANSPORT: Final = "max-age=31536000"
UNAVAILABLE: Final = (DatabaseUnavailableError, DirectoryUnavailableError, SQLAlchemyError)
_log = logging.getLogger(__name__)


def visitor_of(scope: Scope) -> Visitor | None:
    """Who the guard found behind this request."""
    visitor = scope.get(VISITOR)
    return visitor if isinstance(visitor, Visitor) else None


class Guard:
    """Middleware: refuses what nobody may ask, finds the visitor, adds the security headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, websocket or life-cycle message."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http":
            send = self._with_headers(send)
        refusal = self._refusal(scope)
        if refusal is None:
            try:
                scope[VISITOR] = await self._visitor(scope)
            except UNAVAILABLE as error:
                _log.error("requests are refused: %s: %s", type(error).__name__, error)
                refusal = PlainTextResponse(
                    "The login does not work right now; the server's log says why.", 503
                )
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await respond(refusal, scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        address, headers = self._access.address, Headers(scope=scope)
        raw = bytes(scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        if is_ambiguous(raw) or is_ambiguous(scope["path"]):
            return PlainTextResponse("This path can be read in more than one way.", 400)
        if scope["path"].removeprefix(address.prefix) in HEALTH:
            return None
        if not address.is_host(headers.get("host", "")):
            return PlainTextResponse(
                "Another host than DAGSTER_ADDRESS names; does the proxy pass Host on?", 421
            )
        if address.is_secure and scope["scheme"] not in ("https", "wss"):
            return PlainTextResponse(
                f"Only through {address.origin}; is the proxy in WEB_TRUSTED_PROXIES, and does it send X-Forwarded-Proto?",
                403,
            )
        method = scope.get("method", "WEBSOCKET")
        if comes_from_elsewhere(address, method, scope["scheme"], headers):
            return PlainTextResponse("Asked for by another site.", 403)
        return None

    async def _visitor(self, scope: Scope) -> Visitor | None:
        token = HTTPConnection(scope).cookies.get(self._access.cookie_name(SESSION_COOKIE))
        return await run_in_threadpool(self._access.sessions.visitor, token) if token else None

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                policy = headers.get("Content-Security-Policy")
                headers["Content-Security-Policy"] = (
                    f"{policy.rstrip('; ')}; {OWN_FRAMES}" if policy else OWN_FRAMES
                )
                if self._access.address.is_secure:
                    headers["Strict-Transport-Security"] = STRICT_TRANSPORT
            await send(message)

        return send_with_headers


class ForRole:
    """A route's app, for visitors with at least a role; it stands behind the routing, so no path passes by it."""

    def __init__(
        self, app: ASGIApp, access: Access, role: Role, recheck_seconds: float = RECHECK_SECONDS
    ) -> None:
        self.app = app
        self.role = role
        self._access = access
        self._recheck_seconds = recheck_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The route's answer, or the way to the login, 401 or 403."""
        visitor = visitor_of(scope)
        if visitor is None:
            await respond(self._please_log_in(scope), scope, receive, send)
        elif not visitor.role.covers(self.role):
            await respond(
                JSONResponse({"error": f"Not for the role {visitor.role}."}, 403), scope, receive, send
            )
        elif scope["type"] == "websocket":
            await self._while_valid(visitor, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _please_log_in(self, scope: Scope) -> Response:
        headers = Headers(scope=scope)
        if scope.get("method") != "GET" or "text/html" not in headers.get("accept", ""):
            return JSONResponse({"error": "Log in first."}, 401)
        target = quote(scope["path"], safe="/~:@!$&'()*+,;=-._")
        if scope.get("query_string"):
            target += "?" + scope["query_string"].decode("latin-1")
        query = urlencode({"next": target})
        return RedirectResponse(f"{self._access.address.prefix}/login?{query}", 303)

    async def _while_valid(self, visitor: Visitor, scope: Scope, receive: Receive, send: Send) -> None:
        """A websocket for as long as its session holds: logging out or a new password closes it."""
        socket = asyncio.ensure_future(self.app(scope, receive, send))
        try:
            while not socket.done():
                await asyncio.wait({socket}, timeout=self._recheck_seconds)
                if not socket.done() and not await self._still_holds(visitor):
                    socket.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await socket
                    await send(
                        {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "session ended"}
                    )
                    return
            await socket
        finally:
            socket.cancel()

    async def _still_holds(self, visitor: Visitor) -> bool:
        try:
            current = await run_in_threadpool(self._access.sessions.visitor, visitor.token, is_activity=False)
        except UNAVAILABLE as error:
            _log.error("a websocket is closed: %s: %s", type(error).__name__, error)
            return False
        return current is not None and current.role.covers(self.role)


async def respond(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer; a websocket is refused before it is accepted, which the browser sees as 403."""
    if scope["type"] == "websocket":
        message: dict[str, Any] = {"type": "websocket.close", "code": POLICY_VIOLATION}
        await send(message)
    else:
        await response(scope, receive, send)
