"""Cookies that are forged, expired, replayed or planted; passwords that change; what the table holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from blotout_orchestration.platform.database import platform_database
from blotout_orchestration.web.access import access_of
from blotout_orchestration.web.directory import CACHE_SECONDS
from blotout_orchestration.web.roles import Role
from blotout_orchestration.web.server import web_app
from blotout_orchestration.web.users import User, editing, hash_password, users_file
from tests.web.conftest import PREFIX, Web, form_token, log_in

COOKIE = "blotout_session"


def is_in(client) -> bool:
    status = client.get(f"{PREFIX}/runs").status_code
    assert status in (200, 401)
    return status == 200


def with_token(web, token):
    client = web.anonymous()
    client.cookies.set(COOKIE, token)
    return client


def change(web, **values):
    sets = ", ".join(f"{name} = :{name}" for name in values)
    moments = {name: value.strftime("%Y-%m-%d %H:%M:%S.%f") for name, value in values.items()}
    with platform_database(web.settings).begin() as connection:
        connection.execute(text(f"update web_session set {sets}"), moments)


def wait_for_the_cache(web):
    """As if the seconds of the cache had passed."""
    web.access.directory._tried_at -= CACHE_SECONDS


@pytest.mark.parametrize("token", ["", "x", "0" * 43, "' or 1=1 --", "a" * 5000, "\xe9"])
def test_a_forged_cookie_is_nobody(web, token):
    web.logged_in("edith")
    client = web.anonymous()
    answer = client.get(f"{PREFIX}/runs", headers={"Cookie": f"{COOKIE}={token}".encode("latin-1")})
    assert answer.status_code == 401


def test_the_hash_in_the_table_is_no_cookie(web):
    client = web.logged_in("edith")
    with platform_database(web.settings).connect() as connection:
        row = dict(connection.execute(text("select * from web_session")).mappings().one())
    token = client.cookies[COOKIE]
    assert token not in str(row)
    assert "edith has a long password" not in str(row)
    assert not is_in(with_token(web, row["token_hash"]))
    assert not is_in(with_token(web, row["credential_fingerprint"]))
    assert is_in(with_token(web, token))


def test_a_session_ends_at_its_last_hour_however_busy_it_is(web):
    client = web.logged_in("edith")
    now = datetime.now(UTC)
    change(web, expires_at=now - timedelta(seconds=1), seen_at=now)
    assert not is_in(client)


def test_a_session_ends_when_nobody_uses_it(web):
    client = web.logged_in("edith")
    idle = timedelta(minutes=web.settings.web_session_idle_minutes)
    change(web, seen_at=datetime.now(UTC) - idle + timedelta(seconds=30))
    assert is_in(client)
    change(web, seen_at=datetime.now(UTC) - idle)
    assert not is_in(client)


def test_a_request_keeps_the_session_alive(web):
    client = web.logged_in("edith")
    long_ago = datetime.now(UTC) - timedelta(minutes=web.settings.web_session_idle_minutes - 1)
    change(web, seen_at=long_ago)
    assert is_in(client)
    with platform_database(web.settings).connect() as connection:
        seen = connection.execute(text("select seen_at from web_session")).scalar_one()
    assert seen > long_ago.strftime("%Y-%m-%d %H:%M:%S")


def test_a_cookie_that_is_replayed_after_the_logout_is_nobody(web):
    client = web.logged_in("edith")
    token = client.cookies[COOKIE]
    page = client.get(f"{PREFIX}/logout")
    assert "edith" in page.text
    answer = client.post(f"{PREFIX}/logout", data={"form": form_token(page.text)})
    assert answer.headers["location"] == f"{PREFIX}/login"
    assert COOKIE not in client.cookies
    assert not is_in(with_token(web, token))


def test_a_planted_cookie_does_not_become_a_session(web):
    client = web.anonymous()
    client.cookies.set(COOKIE, "planted-by-somebody-else")
    log_in(client, "edith", "edith has a long password")
    assert not is_in(with_token(web, "planted-by-somebody-else"))


def test_a_login_gives_a_new_token_and_ends_the_session_that_the_browser_brought(web):
    attacker = web.logged_in("victor")
    planted = attacker.cookies[COOKIE]
    victim = with_token(web, planted)
    page = web.anonymous().get(f"{PREFIX}/login")
    victim.cookies.set("blotout_form", page.cookies["blotout_form"])
    fields = {"form": form_token(page.text), "name": "edith", "password": "edith has a long password"}
    answer = victim.post(f"{PREFIX}/login", data=fields)
    assert answer.status_code == 303
    assert answer.cookies[COOKIE] != planted
    assert not is_in(with_token(web, planted))
    assert is_in(with_token(web, answer.cookies[COOKIE]))


def test_a_new_password_ends_the_sessions_of_that_user_only(web):
    edith, laura = web.logged_in("edith"), web.logged_in("laura")
    with editing(users_file(web.settings)) as users:
        users["edith"] = User(role="editor", password=hash_password("another long password"))
    wait_for_the_cache(web)
    assert not is_in(edith)
    assert is_in(laura)
    assert log_in(web.anonymous(), "edith", "edith has a long password").status_code == 401
    assert is_in(web.logged_in("edith", "another long password"))


def test_a_session_that_a_new_password_ended_stays_ended_when_the_old_one_comes_back(web):
    edith = web.logged_in("edith")
    before = users_file(web.settings).read_text()
    with editing(users_file(web.settings)) as users:
        users["edith"] = User(role="editor", password=hash_password("another long password"))
    wait_for_the_cache(web)
    assert not is_in(edith)
    users_file(web.settings).write_text(before)
    wait_for_the_cache(web)
    assert not is_in(edith)


def test_somebody_who_is_removed_is_out(web):
    edith = web.logged_in("edith")
    with editing(users_file(web.settings)) as users:
        del users["edith"]
    wait_for_the_cache(web)
    assert not is_in(edith)


def test_another_role_holds_from_the_next_request_on(web):
    client = web.logged_in("edith")
    with editing(users_file(web.settings)) as users:
        users["edith"] = users["edith"].model_copy(update={"role": Role.VIEWER})
    wait_for_the_cache(web)
    path = f"{PREFIX}/report_asset_observation/small_asset"
    assert client.post(path, json={}).status_code == 403


def test_a_rotated_password_of_the_administrator_needs_no_restart(web_settings, workspace):
    current = [web_settings]
    access = access_of(web_settings, current=lambda: current[0])
    web = Web(web_app(workspace, access), access, web_settings, workspace)
    before = web.logged_in("admin")
    current[0] = web_settings.model_copy(update={"dagster_password": SecretStr("rotated password")})
    wait_for_the_cache(web)
    assert not is_in(before)
    assert log_in(web.anonymous(), "admin", "the one of the administrator").status_code == 401
    assert is_in(web.logged_in("admin", "rotated password"))


def test_sessions_survive_a_restart_of_the_webserver(web, make_web):
    token = web.logged_in("edith").cookies[COOKIE]
    assert is_in(with_token(make_web(), token))
