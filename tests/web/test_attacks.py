"""The attack table: what somebody from outside, or on another site, tries - all of it refused."""

from __future__ import annotations

import json

import pytest

from blotout_orchestration.platform.database import audit
from tests.web.conftest import LAUNCH, ORIGIN, PREFIX, form_token, launch_parameters, log_in, query

SET_POLL = 'mutation { setConcurrencyLimit(concurrencyKey: "attacked", limit: 3) }'
GRAPHQL = f"{PREFIX}/graphql"


def pools(web):
    return set(web.workspace.instance.event_log_storage.get_concurrency_keys())


@pytest.fixture
def editor(web):
    return web.logged_in("edith")


@pytest.fixture(autouse=True)
def nothing_happened(web):
    yield
    assert "attacked" not in pools(web)


def test_the_same_mutation_works_in_the_one_right_way(web, editor):
    answer = query(editor, SET_POLL.replace("attacked", "wanted"), headers={"Origin": ORIGIN})
    assert answer.json() == {"data": {"setConcurrencyLimit": True}}
    assert "wanted" in pools(web)


def test_a_mutation_by_get_is_refused(editor):
    answer = editor.get(GRAPHQL, params={"query": SET_POLL})
    assert answer.status_code == 403
    assert "comes as a POST of JSON only" in answer.text


def test_a_mutation_among_queries_by_get_is_refused(editor):
    text = "query Innocent { version } " + SET_POLL.replace("mutation", "mutation Hidden")
    assert editor.get(GRAPHQL, params={"query": text, "operationName": "Hidden"}).status_code == 403


EVALUATE = """{ scheduleOrError(scheduleSelector: {
  repositoryName: "__repository__", repositoryLocationName: "small", scheduleName: "small_schedule"
}) { ... on Schedule { futureTick(tickTimestamp: 1700000000) { evaluationResult { skipReason } } } } }"""


def test_a_query_runs_the_code_of_a_schedule_or_sensor_for_an_editor_only(web, small_schedule_log):
    for name in ("victor", "laura"):
        answer = query(web.logged_in(name), EVALUATE)
        assert (answer.status_code, "needs the role editor" in answer.text) == (403, True)
    assert web.logged_in("edith").get(GRAPHQL, params={"query": EVALUATE}).status_code == 403
    assert not small_schedule_log.exists()
    assert query(web.logged_in("edith"), EVALUATE).status_code == 200
    assert small_schedule_log.exists()


def test_a_mutation_behind_a_fragment_is_refused_to_a_viewer(web):
    text = (
        "mutation { ...F } fragment F on Mutation "
        '{ innocent: setConcurrencyLimit(concurrencyKey: "attacked", limit: 3) }'
    )
    assert query(web.logged_in("victor"), text).status_code == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", {"query": SET_POLL}),
        ("multipart/form-data; boundary=x", f'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n{SET_POLL}\r\n--x--'),
        ("text/plain", json.dumps({"query": SET_POLL})),
        ("text/plain; application/json", json.dumps({"query": SET_POLL})),
        ("application/graphql", SET_POLL),
        (None, None),
    ],
)  # fmt: skip
def test_a_mutation_in_a_post_that_a_form_could_send_is_refused(editor, kind, body):
    how = {"data": body} if isinstance(body, dict) else {"content": body}
    headers = {"Content-Type": kind} if kind else {}
    answer = editor.post(GRAPHQL, params={"query": SET_POLL}, headers=headers, **how)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000.evil.example"},
        {"Origin": "http://localhost:3001"},
        {"Origin": "https://localhost:3000"},
        {"Origin": "http://localhost:3000@evil.example"},
        {"Origin": "http://localhost:3000/"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "something new"},
    ],
)
def test_a_mutation_from_another_origin_is_refused(editor, headers):
    assert query(editor, SET_POLL, headers=headers).status_code == 403


def test_a_query_that_another_site_embeds_is_refused_and_a_link_to_a_page_is_followed(editor):
    site = {"Sec-Fetch-Site": "cross-site"}
    asked = {"params": {"query": "{ version }"}, "headers": {**site, "Sec-Fetch-Mode": "no-cors"}}
    assert editor.get(GRAPHQL, **asked).status_code == 403
    framed = {**site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert editor.get(f"{PREFIX}/runs", headers=framed).status_code == 403
    link = {**site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert editor.get(f"{PREFIX}/runs", headers=link).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "localhost@evil.example", "[::1"]
)
def test_another_host_name_is_refused_so_that_rebinding_a_name_does_not_help(web, host):
    answer = web.logged_in("edith").get(f"{PREFIX}/runs", headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "path",
    ["/dagster/graphql/", "/dagster/GRAPHQL", "/DAGSTER/graphql", "/graphql", "/dagster/graphql;x", "/dagster/health/graphql"],
)  # fmt: skip
def test_a_path_beside_the_real_one_tells_an_anonymous_visitor_nothing(web, path):
    answer = web.anonymous().get(path, params={"query": "{ version }"})
    assert answer.status_code in (401, 404)
    assert "version" not in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "///evil.example/dagster/", "\\\\evil.example",
        "/dagster/..//evil.example", "/dagster/%2e%2e/x", "javascript:alert(1)", "/dagsterevil", "dagster/",
        "https:/dagster/", "/dagster/\r\nSet-Cookie: a=b", "/\t/evil.example", "/dagster@evil.example", "/other",
        "/dagster/logout", "/dagster/oidc/login", "http://localhost:3000/dagster/", "/dagster/" + "a" * 3000, "",
        "/dagster//evil.example", " //evil.example", "/dagster/\u2028x",
    ],
)  # fmt: skip
def test_a_login_leads_to_no_other_place(web, target):
    answer = log_in(web.anonymous(), "edith", "edith has a long password", target)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/")
    again = web.logged_in("edith").get(f"{PREFIX}/login", params={"next": target})
    assert (again.status_code, again.headers["location"]) == (303, f"{PREFIX}/")


def test_a_login_leads_to_the_page_that_was_asked_for(web):
    client = web.anonymous()
    path = f"{PREFIX}/runs?q%5B0%5D=status%3ASUCCESS"
    refused = client.get(path, headers={"Accept": "text/html"})
    assert refused.status_code == 303
    page = client.get(refused.headers["location"])
    target = page.text.partition('name="next" value="')[2].partition('"')[0]
    answer = log_in(client, "edith", "edith has a long password", target)
    assert answer.headers["location"] == path


def test_the_target_cannot_put_markup_into_the_page(web):
    page = (
        web.anonymous().get(f"{PREFIX}/login", params={"next": '/dagster/"><script>alert(1)</script>'}).text
    )
    assert "<script" not in page


def test_a_login_form_of_another_site_is_refused(web):
    client = web.anonymous()
    token = form_token(client.get(f"{PREFIX}/login").text)
    fields = {"form": token, "name": "edith", "password": "edith has a long password"}
    elsewhere = client.post(f"{PREFIX}/login", data=fields, headers={"Origin": "https://evil.example"})
    assert elsewhere.status_code == 403
    without_cookie = web.anonymous().post(f"{PREFIX}/login", data=fields)
    without_token = client.post(f"{PREFIX}/login", data={**fields, "form": ""})
    forged = client.post(f"{PREFIX}/login", data={**fields, "form": token[::-1]})
    for answer in (elsewhere, without_cookie, without_token, forged):
        assert answer.status_code == 403
        assert "blotout_session" not in str(answer.headers.get("set-cookie"))
    assert log_in(client, "edith", "edith has a long password").status_code == 303


def test_a_logout_of_another_site_is_refused(editor):
    assert editor.post(f"{PREFIX}/logout").status_code == 403
    assert editor.get(f"{PREFIX}/runs").status_code == 200


@pytest.mark.parametrize(
    "target", ["report_asset_materialization", "report_asset_check", "report_asset_observation"]
)
def test_another_site_reports_no_asset_event(editor, target):
    path = f"{PREFIX}/{target}/small_asset"
    assert editor.post(path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_guesses_of_passwords_are_slowed_down_even_when_the_last_one_is_right(web):
    client = web.anonymous()
    for _ in range(web.settings.web_login_attempts):
        assert log_in(client, "edith", "wrong").status_code == 401
    answer = log_in(client, "edith", "edith has a long password")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert log_in(client, "laura", "laura has a long password").status_code == 303


def test_the_log_of_failed_logins_holds_neither_passwords_nor_what_may_be_one(web):
    client = web.anonymous()
    log_in(client, "edith", "a secret typed wrong")
    log_in(client, "a secret in the wrong field", "x")
    rows = str(list(audit.entries(web.settings, action="login")))
    assert "secret" not in rows
    assert "edith" in rows
    assert "unknown user" in rows


def test_an_unknown_name_and_a_wrong_password_read_the_same(web):
    answers = [
        log_in(web.anonymous(), name, "wrong") for name in ("edith", "nobody", "admin", "", "a@b.example")
    ]
    texts = {answer.text.partition("role=alert")[2].partition("</p>")[0] for answer in answers}
    assert {answer.status_code for answer in answers} == {401}
    assert len(texts) == 1


def test_a_form_that_is_too_large_is_not_read(web):
    client = web.anonymous()
    token = form_token(client.get(f"{PREFIX}/login").text)
    fields = {"form": token, "name": "edith", "password": "x" * 100_000}
    assert client.post(f"{PREFIX}/login", data=fields).status_code == 403


def test_a_viewer_cannot_reach_a_mutation_that_the_door_has_never_heard_of(web):
    answer = query(
        web.logged_in("victor"), LAUNCH.replace("launchRun(", "launchRunOfTomorrow("), launch_parameters()
    )
    assert answer.status_code == 400
