"""Every route of the webserver, from its own table, as nobody, as a viewer and as an editor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from blotout_orchestration.web.guard import ForRole
from blotout_orchestration.web.mutations import guarded_schema
from blotout_orchestration.web.roles import LAUNCHER_MUTATIONS
from blotout_orchestration.web.server import Webserver
from tests.web.conftest import PREFIX, query

OPEN = {"/health", "/server_info", "/login", "/logout"}
"""What answers without a login; `/logout` sends to the login."""
OWN = {"/health", "/login", "/logout"}
EXAMPLES = {
    "{path:path}": "runs",
    "{run_id:str}": "none",
    "{asset_key:path}": "small_asset",
}
FOR_EDITORS = {
    "/notebook",
    "/dagit/notebook",
    "/report_asset_materialization/{asset_key:path}",
    "/report_asset_check/{asset_key:path}",
    "/report_asset_observation/{asset_key:path}",
}


def inside(web) -> list[BaseRoute]:
    return list(next(route for route in web.app.routes if isinstance(route, Mount)).routes)


def requests(web) -> Iterator[tuple[str, str, str]]:
    """(declared path, method, path to ask for) of every HTTP route and of a file below every folder."""
    for route in inside(web):
        if isinstance(route, Mount):
            yield route.path, "GET", f"{PREFIX}{route.path}/x.js"
        elif isinstance(route, Route):
            path = route.path.replace("/logs/{path:path}", "/logs/none/compute_logs/step.err")
            for pattern, example in EXAMPLES.items():
                path = path.replace(pattern, example)
            for method in sorted(
                (route.methods or {"GET"}) | {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"}
            ):
                yield route.path, method, PREFIX + path


def test_every_route_is_of_a_kind_that_the_walk_knows(web):
    assert {type(route) for route in inside(web)} <= {Route, Mount, WebSocketRoute}
    assert len(inside(web)) > 20
    assert [route.path for route in web.app.routes] == [PREFIX, "/", "/health"]


def test_every_route_of_dagster_stands_behind_a_role(web):
    for route in inside(web):
        if route.path not in OPEN:
            assert isinstance(route.app, ForRole), f"{route.path} is open to everybody"


def test_nobody_gets_anything_but_the_open_routes(web):
    client = web.anonymous()
    walked = 0
    for declared, method, path in requests(web):
        answer = client.request(method, path)
        walked += 1
        if declared not in OPEN:
            assert answer.status_code in (401, 405), (method, path, answer.status_code)
            assert "__PATH_PREFIX__" not in answer.text
            assert "dagster" not in answer.text.lower()
    assert walked > 80


def test_nobody_is_sent_to_the_login_from_every_page(web):
    client = web.anonymous(headers={"Accept": "text/html,*/*"})
    for declared, method, path in requests(web):
        if declared not in OPEN and method == "GET":
            answer = client.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith(f"{PREFIX}/login?next=%2Fdagster%2F")


def test_a_viewer_gets_what_only_reads_and_nothing_else(web):
    client = web.logged_in("victor")
    for declared, method, path in requests(web):
        if declared in OWN or declared == "/download_debug/{run_id:str}":
            continue
        answer = client.request(method, path)
        if declared in FOR_EDITORS and answer.status_code != 405:
            is_page = method in ("GET", "HEAD") and declared.startswith("/report")
            assert answer.status_code == (200 if is_page else 403), (method, path)
        elif method in ("GET", "HEAD"):
            assert answer.status_code in (200, 400, 404, 405), (method, path, answer.status_code)
        else:
            assert answer.status_code in (403, 405, 415), (method, path, answer.status_code)


def test_a_route_that_a_newer_dagster_adds_is_for_editors_at_first(web, monkeypatch):
    async def erase(_request):
        raise AssertionError("reached")

    def with_one_more(self):
        return [Mount(PREFIX, routes=[Route("/erase_everything", erase, methods=["GET", "POST"])])]

    monkeypatch.setattr(Webserver.__mro__[1], "build_routes", with_one_more)
    app = Webserver(web.workspace, web.access).create_asgi_app()
    for name, status in ((None, 401), ("victor", 403), ("laura", 403)):
        client = web.logged_in(name) if name else web.anonymous()
        client.app = app
        client._transport.app = app
        assert client.post(f"{PREFIX}/erase_everything").status_code == status
        assert client.get(f"{PREFIX}/erase_everything").status_code == status


def minimal(kind) -> str:
    """A literal of a GraphQL input type that passes validation."""
    from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull

    if isinstance(kind, GraphQLNonNull):
        return minimal(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{minimal(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        needed = {
            name: field.type for name, field in kind.fields.items() if isinstance(field.type, GraphQLNonNull)
        }
        return "{" + ", ".join(f"{name}: {minimal(inner)}" for name, inner in needed.items()) + "}"
    return {"Int": "1", "Float": "1.0", "Boolean": "true", "RunConfigData": "{}"}.get(kind.name, '"x"')


MUTATIONS = dict(guarded_schema().graphql_schema.mutation_type.fields)


def mutation_text(name: str) -> str:
    from graphql import GraphQLNonNull, get_named_type, is_leaf_type

    field = MUTATIONS[name]
    needed = {key: value.type for key, value in field.args.items() if isinstance(value.type, GraphQLNonNull)}
    arguments = ", ".join(f"{key}: {minimal(kind)}" for key, kind in needed.items())
    selection = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"mutation {{ {name}{f'({arguments})' if arguments else ''}{selection} }}"


def test_every_mutation_of_the_schema_is_refused_to_a_viewer_and_all_but_launches_to_a_launcher(web):
    victor, laura = web.logged_in("victor"), web.logged_in("laura")
    assert len(MUTATIONS) > 35
    assert set(MUTATIONS) >= LAUNCHER_MUTATIONS
    for name in MUTATIONS:
        answer = query(victor, mutation_text(name))
        assert (name, answer.status_code) == (name, 403)
        assert "has the role viewer" in answer.text
        if name not in LAUNCHER_MUTATIONS:
            assert (name, query(laura, mutation_text(name)).status_code) == (name, 403)


@pytest.mark.parametrize(
    "path", ["/dagster/", "/dagster/login", "/dagster/graphql", "/dagster/nothing.js", "/nowhere", "/health"]
)
@pytest.mark.parametrize("name", [None, "victor"])
def test_every_answer_carries_the_security_headers(web, path, name):
    client = web.logged_in(name) if name else web.anonymous()
    headers = client.get(path, headers={"Accept": "text/html"}).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers


def test_the_policy_of_dagsters_own_page_is_kept(web):
    policy = web.logged_in("victor").get(f"{PREFIX}/").headers["Content-Security-Policy"]
    assert "script-src 'nonce-" in policy
    assert "object-src 'none'" in policy


def test_health_is_open_and_says_nothing_else(web):
    client = web.anonymous()
    for path in ("/health", f"{PREFIX}/health", f"{PREFIX}/server_info"):
        answer = client.get(path, headers={"Host": "10.0.0.7:3000"})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "dagster_version" in web.logged_in("victor").get(f"{PREFIX}/server_info").json()


@pytest.mark.parametrize("prefix", ["/airflow", "/data/dagster", ""])
def test_the_ui_works_under_another_prefix(make_web, prefix):
    web = make_web(dagster_address=f"http://localhost:3000{prefix}")
    client = web.anonymous(headers={"Accept": "text/html"})
    answer = client.get(f"{prefix}/runs")
    assert answer.headers["location"].startswith(f"{prefix}/login?next=")
    assert client.get(answer.headers["location"]).status_code == 200
    assert client.get(f"{prefix}/server_info").status_code == 200
