"""The door behind a proxy that does TLS: cookies, hosts, and whose headers are believed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from blotout_orchestration.platform.database import audit, platform_database
from tests.web.conftest import PREFIX, form_token, log_in, query

PUBLIC = "https://data.example.com"
PROXY = ("10.0.0.5", 40000)
FORWARDED = {"Host": "data.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
INSIDE = {"base_url": "http://data.example.com", "client": PROXY, "headers": FORWARDED}


@pytest.fixture
def web(make_web):
    return make_web(dagster_address=PUBLIC + PREFIX, web_trusted_proxies="10.0.0.0/24")


def log_in_through_proxy(web, name="edith"):
    """httpx keeps secure cookies for itself on http://, so they are carried by hand as the proxy does."""
    client = web.anonymous(**INSIDE)
    page = client.get(f"{PREFIX}/login")
    fields = {"form": form_token(page.text), "name": name, "password": f"{name} has a long password"}
    cookie = page.headers["set-cookie"].partition(";")[0]
    answer = client.post(f"{PREFIX}/login", data=fields, headers={"Cookie": cookie, "Origin": PUBLIC})
    assert answer.status_code == 303, answer.text
    return client, answer


def test_cookies_behind_tls_are_bound_to_this_host_and_to_tls(web):
    client, answer = log_in_through_proxy(web)
    cookies = answer.headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if "session" in cookie)
    assert session.startswith("__Host-blotout_session=")
    for flag in ("Secure", "HttpOnly", "SameSite=lax", "Path=/;"):
        assert flag in session
    assert "Domain" not in session
    page = client.get(f"{PREFIX}/runs", headers={"Cookie": session.partition(";")[0]})
    assert page.status_code == 200
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_cookie_without_the_host_prefix_which_a_plain_page_could_plant_is_not_read(web):
    client, answer = log_in_through_proxy(web)
    session = next(cookie for cookie in answer.headers.get_list("set-cookie") if "session" in cookie)
    token = session.partition(";")[0].partition("=")[2]
    assert client.get(f"{PREFIX}/runs", headers={"Cookie": f"blotout_session={token}"}).status_code == 401


def test_a_request_that_did_not_come_through_tls_is_refused(web):
    plain = {**FORWARDED, "X-Forwarded-Proto": "http"}
    assert web.anonymous(**{**INSIDE, "headers": plain}).get(f"{PREFIX}/login").status_code == 403


def test_the_headers_of_a_stranger_are_not_believed(web):
    stranger = {**INSIDE, "client": ("198.51.100.7", 40000)}
    answer = web.anonymous(**stranger).get(f"{PREFIX}/login")
    assert answer.status_code == 403
    assert "WEB_TRUSTED_PROXIES" in answer.text


def test_no_proxy_is_trusted_unless_it_is_named(make_web):
    web = make_web(dagster_address=PUBLIC + PREFIX)
    for client in (PROXY, ("127.0.0.1", 40000)):
        assert web.anonymous(**{**INSIDE, "client": client}).get(f"{PREFIX}/login").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "data.example.com:8443", "localhost"])
def test_another_host_than_the_public_one_is_refused(web, host):
    client = web.anonymous(**{**INSIDE, "headers": {**FORWARDED, "Host": host}})
    assert client.get(f"{PREFIX}/login").status_code == 421


def test_the_origin_is_the_public_one_and_not_the_inner_one(web):
    client, answer = log_in_through_proxy(web)
    session = next(cookie for cookie in answer.headers.get_list("set-cookie") if "session" in cookie)
    cookie = {"Cookie": session.partition(";")[0]}
    for origin, status in ((PUBLIC, 200), ("http://data.example.com", 403), ("http://localhost:3000", 403)):
        assert query(client, "{ version }", headers={**cookie, "Origin": origin}).status_code == status


def test_the_brake_and_the_audit_log_see_the_address_behind_the_proxy(web):
    client = web.anonymous(**INSIDE)
    page = client.get(f"{PREFIX}/login")
    fields = {"form": form_token(page.text), "name": "edith", "password": "wrong"}
    client.post(
        f"{PREFIX}/login", data=fields, headers={"Cookie": page.headers["set-cookie"].partition(";")[0]}
    )
    assert audit.entries(web.settings, action="login")[0]["details"]["address"] == "203.0.113.9"


def test_an_address_that_a_client_forges_before_the_proxys_own_entry_is_not_taken(web):
    forged = {**FORWARDED, "X-Forwarded-For": "1.2.3.4, 203.0.113.9"}
    client = web.anonymous(**{**INSIDE, "headers": forged})
    page = client.get(f"{PREFIX}/login")
    fields = {"form": form_token(page.text), "name": "edith", "password": "wrong"}
    client.post(
        f"{PREFIX}/login", data=fields, headers={"Cookie": page.headers["set-cookie"].partition(";")[0]}
    )
    assert audit.entries(web.settings, action="login")[0]["details"]["address"] == "203.0.113.9"


def test_health_answers_a_load_balancer_that_speaks_plain_http_to_an_inner_address(web):
    client = web.anonymous(base_url="http://10.0.0.7:3000")
    assert client.get(f"{PREFIX}/health").status_code == 200


def test_the_login_says_so_when_its_database_is_down(web):
    client, answer = log_in_through_proxy(web)
    session = next(cookie for cookie in answer.headers.get_list("set-cookie") if "session" in cookie)
    with platform_database(web.settings).begin() as connection:
        connection.execute(text("alter table web_session rename to web_session_away"))
    gone = client.get(f"{PREFIX}/runs", headers={"Cookie": session.partition(";")[0]})
    assert gone.status_code == 503
    assert "select" not in gone.text.lower()
    assert log_in(web.anonymous(**INSIDE), "edith", "x").status_code in (401, 403)
