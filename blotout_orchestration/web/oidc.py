"""Logging in with an identity provider: OpenID Connect, code flow with PKCE, through authlib.

Belongs here: the way to the provider and back, and the role from its token. Does not belong here: sessions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform import secrets
from blotout_orchestration.web.access import PROVIDER_COOKIE, Access
from blotout_orchestration.web.login import Login
from blotout_orchestration.web.pages import page
from blotout_orchestration.web.roles import Role

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

WAY_SECONDS: Final = 600
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a public key. What the provider's metadata lists besides is not believed: `none` signs
nothing, and for HS256 a public key could be taken as the shared one."""
LEEWAY_SECONDS: Final = 60
_log = logging.getLogger(__name__)


class ProviderError(BlotoutError):
    """The provider's answer does not let anybody in; the message is fit for the person who tries."""


def role_of_claims(claims: Mapping[str, Any], settings: Settings) -> Role | None:
    """The highest role that WEB_OIDC_ROLES gives to a value of WEB_OIDC_ROLE_CLAIM; None without a match."""
    given = claims.get(settings.web_oidc_role_claim)
    values = {given} if isinstance(given, str) else set(map(str, given)) if isinstance(given, list) else set()
    pairs = (pair.rpartition("=") for pair in settings.web_oidc_roles.split(",") if pair)
    roles = [Role(role) for value, _, role in pairs if value in values]
    return max(roles, key=list(Role).index, default=None)


def name_of_claims(claims: Mapping[str, Any], issuer: str) -> str:
    """The verified e-mail address, else the subject at the provider's host; always with an `@`, unlike ours."""
    email = claims.get("email")
    if isinstance(email, str) and email.count("@") == 1 and claims.get("email_verified") is True:
        return email.lower()[:128]
    return f"{claims['sub']}@{urlsplit(issuer).hostname}"[:128]


class Provider:
    """The provider of a deployment, and the two endpoints of the way through it."""

    def __init__(self, access: Access, login: Login) -> None:
        self._access = access
        self._login = login
        self._client: Any = None

    def mount(self) -> Mount:
        """`/oidc/login` and `/oidc/callback`; what the way needs lies in a signed cookie for ten minutes."""
        flags = self._access.cookie_flags()
        cookie = Middleware(
            SessionMiddleware,
            secret_key=self._access.key,
            session_cookie=self._access.cookie_name(PROVIDER_COOKIE),
            max_age=WAY_SECONDS,
            path=flags["path"],
            same_site=flags["samesite"],
            https_only=flags["secure"],
        )
        routes = [Route("/login", self.start), Route("/callback", self.callback, name="oidc-callback")]
        return Mount("/oidc", routes=routes, middleware=[cookie])

    async def start(self, request: Request) -> Response:
        """To the provider, with state, nonce and PKCE challenge."""
        request.session.clear()
        target = self._access.address.target(request.query_params.get("next"))
        try:
            client = await self._prepared()
            answer: Response = await client.authorize_redirect(request, self._callback(request))
        except Exception as error:
            return self._failed(error)
        request.session["target"] = target
        return answer

    async def callback(self, request: Request) -> Response:
        """Back from the provider: trade the code for a token, check it, begin a session of our own."""
        target = self._access.address.target(request.session.get("target"))
        issuer = str(self._access.settings.web_oidc_issuer)
        try:
            client = await self._prepared()
            claims_options = {
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": self._access.settings.web_oidc_client_id},
            }
            token = await client.authorize_access_token(
                request, claims_options=claims_options, leeway=LEEWAY_SECONDS
            )
            claims = token.get("userinfo")
            if not claims:
                raise ProviderError("The provider sent no identity token.")
        except Exception as error:
            return self._failed(error)
        finally:
            request.session.clear()
        name, role = name_of_claims(claims, issuer), role_of_claims(claims, self._access.settings)
        address = request.client.host if request.client else "unknown"
        if role is None:
            await run_in_threadpool(
                self._access.record, name, "login through provider", "web", "refused", address=address
            )
            return self._problem("Your account at the provider gives you no role here.")
        account = self._access.provider_account(name, role)
        return await run_in_threadpool(
            self._login.begin, request, account, target, "login through provider", address
        )

    def _callback(self, request: Request) -> str:
        origin = self._access.address.origin or f"{request.url.scheme}://{request.headers['host']}"
        return f"{origin}{self._access.address.prefix}/oidc/callback"

    async def _prepared(self) -> Any:
        """The client, with the provider's metadata read and held against the settings."""
        client = await run_in_threadpool(self._registered)
        metadata = await client.load_server_metadata()
        issuer = self._access.settings.web_oidc_issuer
        if metadata.get("issuer") != issuer:
            raise ProviderError("The provider calls itself otherwise than WEB_OIDC_ISSUER does.")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        client.server_metadata["id_token_signing_alg_values_supported"] = [
            name for name in offered if name in ALGORITHMS
        ] or ["RS256"]
        return client

    def _registered(self) -> Any:
        from authlib.integrations.starlette_client import OAuth  # type: ignore[import-untyped]

        settings = self._access.settings
        reference = settings.web_oidc_client_secret
        secret = secrets.resolve(reference, settings).get_secret_value() if reference else None
        if self._client is None or self._client.client_secret != secret:
            self._client = OAuth().register(
                "provider",
                client_id=settings.web_oidc_client_id,
                client_secret=secret,
                server_metadata_url=f"{str(settings.web_oidc_issuer).rstrip('/')}/.well-known/openid-configuration",
                client_kwargs={
                    "scope": "openid email profile",
                    "code_challenge_method": "S256",
                    "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
                    "timeout": 10.0,
                },
            )
        return self._client

    def _failed(self, error: Exception) -> Response:
        """Whatever was wrong with the provider's answer, nobody comes in; the log says what it was."""
        _log.warning("login through the provider failed: %s: %s", type(error).__name__, error)
        text = str(error) if isinstance(error, ProviderError) else "The login through the provider failed."
        return self._problem(text)

    def _problem(self, problem: str) -> Response:
        return page("problem", "Login", 403, problem=problem, prefix=self._access.address.prefix)
