"""Dagster's webserver with the door in front: the same pages and endpoints, each for a role.

Belongs here: the subclass of Dagster's webserver, and which route is for whom. Does not belong here: ports and
processes (`services.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceRequestContext
from dagster_webserver.webserver import DagsterWebserver
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from blotout_orchestration.platform.database.audit import Outcome
from blotout_orchestration.web.access import Access
from blotout_orchestration.web.context import RoleRequestContext, request_context
from blotout_orchestration.web.guard import RECHECK_SECONDS, ForRole, Guard, visitor_of
from blotout_orchestration.web.login import Login
from blotout_orchestration.web.mutations import MutationRefusedError, guarded_schema
from blotout_orchestration.web.oidc import Provider
from blotout_orchestration.web.roles import Role

if TYPE_CHECKING:
    from graphene import Schema  # type: ignore[import-untyped]
    from graphql import GraphQLError

FOR_EVERYBODY: Final = frozenset({"/server_info"})
FOR_VIEWERS: Final = frozenset(
    {"/graphql", "/dagit_info", "/logs/{path:path}", "/download_debug/{run_id:str}", "/{path:path}", "/"}
)
"""Dagster's routes; one that is in neither table is for editors: the report endpoints, notebooks (which read
any .ipynb file of the code location's machine), and what a newer Dagster adds."""


class Webserver(DagsterWebserver[IWorkspaceProcessContext[WorkspaceRequestContext], RoleRequestContext]):
    """Dagster's webserver for people with roles."""

    def __init__(
        self,
        process_context: IWorkspaceProcessContext[WorkspaceRequestContext],
        access: Access,
        recheck_seconds: float = RECHECK_SECONDS,
    ) -> None:
        self._access = access
        self._recheck_seconds = recheck_seconds
        super().__init__(process_context, access.address.prefix, live_data_poll_rate=2000)

    def build_graphql_schema(self) -> Schema:
        """Dagster's schema with the guard around each mutation."""
        return guarded_schema()

    def build_middleware(self) -> list[Middleware]:
        """From the outside: proxy headers (of trusted proxies), the guard, then Dagster's own."""
        trusted = self._access.settings.web_trusted_proxies
        return [
            Middleware(ProxyHeadersMiddleware, trusted_hosts=[part for part in trusted.split(",") if part]),
            Middleware(Guard, access=self._access),
            *super().build_middleware(),
        ]

    def build_routes(self) -> list[BaseRoute]:
        """Dagster's routes, each behind its role, and the door's own before them."""
        routes: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        prefix = self._access.address.prefix
        if prefix:
            inner = next(route for route in routes if isinstance(route, Mount) and route.path == prefix)
            routes = list(inner.routes)
        login = Login(self._access)
        own = login.routes()
        if self._access.settings.web_oidc_issuer:
            own.append(Provider(self._access, login).mount())
        routes = [*own, *(self._for_role(route) for route in routes)]
        if not prefix:
            return routes
        return [
            Mount(prefix, routes=routes),
            Route("/", lambda _request: RedirectResponse(f"{prefix}/")),
            Route("/health", login.health),
        ]

    def _for_role(self, route: BaseRoute) -> BaseRoute:
        if not isinstance(route, (Route, Mount, WebSocketRoute)):
            raise RuntimeError(
                f"{route!r} is a kind of route that the door cannot guard; is this another Dagster?"
            )
        if route.path not in FOR_EVERYBODY:
            route.app = ForRole(route.app, self._access, role_of_route(route), self._recheck_seconds)
        return route

    def _make_request_context(self, conn: HTTPConnection) -> RoleRequestContext:
        return request_context(self._process_context, conn, self._access)

    def _determine_status_code(
        self, resolver_errors: list[GraphQLError] | None, captured_errors: list[Exception]
    ) -> int:
        if any(isinstance(error.original_error, MutationRefusedError) for error in resolver_errors or []):
            return 403
        return super()._determine_status_code(resolver_errors, captured_errors)

    def handle_graphql_errors(self, errors: Any) -> list[Any]:
        """Errors as Dagster tells them; a refusal without the stack trace, which is no use to anybody."""
        refused = [error for error in errors if isinstance(error.original_error, MutationRefusedError)]
        others = [error for error in errors if error not in refused]
        return [*(error.formatted for error in refused), *super().handle_graphql_errors(others)]

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """Dagster's endpoint; a POST that is not JSON, which any site could send from a form, is refused."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and media_type != "application/json":
            return PlainTextResponse("GraphQL is posted as application/json.", 415)
        answer: Response = await super().graphql_http_endpoint(request)
        return answer

    async def webserver_info_endpoint(self, _request: Request) -> JSONResponse:
        """Whether the server is up, for everybody; its versions for those who are logged in."""
        if visitor_of(_request.scope) is None:
            return JSONResponse({"status": "ok"})
        answer: JSONResponse = await super().webserver_info_endpoint(_request)
        return answer

    async def report_asset_materialization_endpoint(self, request: Request) -> JSONResponse:
        """Dagster's endpoint, with an entry in the audit log."""
        return await self._recorded(request, await super().report_asset_materialization_endpoint(request))

    async def report_asset_check_endpoint(self, request: Request) -> JSONResponse:
        """Dagster's endpoint, with an entry in the audit log."""
        return await self._recorded(request, await super().report_asset_check_endpoint(request))

    async def report_asset_observation_endpoint(self, request: Request) -> JSONResponse:
        """Dagster's endpoint, with an entry in the audit log."""
        return await self._recorded(request, await super().report_asset_observation_endpoint(request))

    async def _recorded(self, request: Request, answer: JSONResponse) -> JSONResponse:
        visitor = visitor_of(request.scope)
        action = request.url.path.removeprefix(self._access.address.prefix).split("/")[1]
        outcome: Outcome = "done" if answer.status_code < 400 else "failed"
        asset = request.path_params.get("asset_key") or "-"
        await run_in_threadpool(self._access.record, visitor.name if visitor else "-", action, asset, outcome)
        return answer


def role_of_route(route: Route | Mount | WebSocketRoute) -> Role:
    """The least role that may use one of Dagster's routes."""
    is_file = (route.name or "").endswith("_static")
    return Role.VIEWER if is_file or route.path in FOR_VIEWERS else Role.EDITOR


def web_app(
    process_context: IWorkspaceProcessContext[WorkspaceRequestContext],
    access: Access,
    recheck_seconds: float = RECHECK_SECONDS,
) -> Starlette:
    """The ASGI app. `recheck_seconds`: how often an open websocket's session is looked at again."""
    return Webserver(process_context, access, recheck_seconds).create_asgi_app()
