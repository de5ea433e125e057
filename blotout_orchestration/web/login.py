"""Logging in and out: the endpoints behind the pages.

Belongs here: one request of the login. Does not belong here: who may log in (`directory.py`), and the identity
provider (`oidc.py`).
"""

from __future__ import annotations

import hmac
import math
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from blotout_orchestration.web.access import FORM_COOKIE, FORM_SECONDS, SESSION_COOKIE, Access
from blotout_orchestration.web.directory import Account
from blotout_orchestration.web.guard import visitor_of
from blotout_orchestration.web.pages import page

if TYPE_CHECKING:
    from itsdangerous import URLSafeTimedSerializer

LARGEST_FORM: Final = 16_384
HASHES_AT_ONCE: Final = 2
"""An argon2id hash takes 64 MiB and a core for a moment. More logins wait in line without a thread, so that a
flood of them exhausts neither the memory nor the threads that serve everybody else."""
WRONG: Final = "User or password is wrong."
STALE: Final = "This form was open for too long, or was opened in another window. Please try again."


class Login:
    """Endpoints below the path prefix: login, logout, health."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._hashing = CapacityLimiter(HASHES_AT_ONCE)

    def routes(self) -> list[BaseRoute]:
        """Routes that everybody may ask for."""
        return [
            Route("/health", self.health, methods=["GET"]),
            Route("/login", self.form, methods=["GET"]),
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.ask_logout, methods=["GET"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    async def health(self, _request: Request) -> Response:
        """For load balancers: the webserver answers."""
        return JSONResponse({"status": "ok"})

    async def form(self, request: Request) -> Response:
        """The login form, or the page that was meant for somebody who is logged in."""
        target = self._access.address.target(request.query_params.get("next"))
        if visitor_of(request.scope):
            return RedirectResponse(target, 303)
        return self._form(target)

    async def log_in(self, request: Request) -> Response:
        """Check form, brake and password in this order; begin a session with a new token."""
        values = await _values(request)
        target = self._access.address.target(values.get("next"))
        if not self._is_own_form(request, values):
            return self._form(target, STALE, 403)
        name, password = values.get("name", "").strip()[:128], values.get("password", "")
        address = request.client.host if request.client else "unknown"
        wait = self._access.throttle.begin(name, address)
        if wait > 0:
            seconds = math.ceil(wait)
            answer = self._form(target, f"Too many failed logins. Try again in {seconds} seconds.", 429)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        account = await to_thread.run_sync(
            self._access.directory.check, name, password, limiter=self._hashing
        )
        if account is None:
            await run_in_threadpool(self._record_failure, name, address)
            return self._form(target, WRONG, 401)
        self._access.throttle.succeeded(name, address)
        return await run_in_threadpool(self.begin, request, account, target, "login", address)

    def begin(self, request: Request, account: Account, target: str, way: str, address: str) -> Response:
        """A new session in place of the one that the browser brought, which ends: nobody can plant one."""
        access = self._access
        before = request.cookies.get(access.cookie_name(SESSION_COOKIE))
        if before:
            access.sessions.end(before)
        access.record(account.name, way, "web", "done", role=account.role.value, address=address)
        token = access.sessions.begin(account)
        answer = RedirectResponse(target, 303)
        access.set_cookie(answer, SESSION_COOKIE, token, access.settings.web_session_hours * 3600)
        access.delete_cookie(answer, FORM_COOKIE)
        return answer

    async def ask_logout(self, request: Request) -> Response:
        """Who is logged in, and the button that ends it."""
        visitor = visitor_of(request.scope)
        if visitor is None:
            return RedirectResponse(f"{self._access.address.prefix}/login", 303)
        return self._with_form("logout", "Log out", name=visitor.name, role=visitor.role.value)

    async def log_out(self, request: Request) -> Response:
        """End the session on the server; the cookie is worth nothing after it."""
        values = await _values(request)
        visitor = visitor_of(request.scope)
        if visitor is not None:
            if not self._is_own_form(request, values):
                return self._problem(STALE, 403)
            await run_in_threadpool(self._access.sessions.end, visitor.token)
            await run_in_threadpool(self._access.record, visitor.name, "logout", "web", "done")
        answer = RedirectResponse(f"{self._access.address.prefix}/login", 303)
        self._access.delete_cookie(answer, SESSION_COOKIE)
        return answer

    def _record_failure(self, name: str, address: str) -> None:
        # An unknown name may be a password that slipped into the wrong field: it is not written down.
        known = name if self._access.directory.find(name) else "unknown user"
        self._access.record(known, "login", "web", "refused", address=address)

    def _problem(self, problem: str, status: int) -> Response:
        return page("problem", "Login", status, problem=problem, prefix=self._access.address.prefix)

    def _form(self, target: str, problem: str | None = None, status: int = 200) -> Response:
        issuer = self._access.settings.web_oidc_issuer
        return self._with_form(
            "login",
            "Log in",
            status,
            problem=problem,
            target=target,
            provider=urlencode({"next": target}) if issuer else None,
            provider_name=issuer.partition("://")[2].partition("/")[0] if issuer else None,
        )

    def _with_form(self, template: str, title: str, status: int = 200, **values: Any) -> Response:
        """A page whose form carries a token that belongs to a cookie, so that no other site can send it."""
        nonce = secrets.token_urlsafe(24)
        form = self._signer().dumps(nonce)
        answer = page(template, title, status, form=form, prefix=self._access.address.prefix, **values)
        self._access.set_cookie(answer, FORM_COOKIE, nonce, FORM_SECONDS)
        return answer

    def _is_own_form(self, request: Request, values: dict[str, str]) -> bool:
        from itsdangerous import BadData

        cookie = request.cookies.get(self._access.cookie_name(FORM_COOKIE), "")
        try:
            nonce = str(self._signer().loads(values.get("form", ""), max_age=FORM_SECONDS))
        except BadData:
            return False
        return bool(cookie) and hmac.compare_digest(nonce.encode(), cookie.encode())

    def _signer(self) -> URLSafeTimedSerializer:
        from itsdangerous import URLSafeTimedSerializer

        return URLSafeTimedSerializer(self._access.key, salt="form")


async def _values(request: Request) -> dict[str, str]:
    """The fields of a small URL-encoded form; none when it is something else or too large."""
    if (
        request.headers.get("content-type", "").partition(";")[0].strip()
        != "application/x-www-form-urlencoded"
    ):
        return {}
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            return {}
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=10))
    except ValueError:
        return {}
