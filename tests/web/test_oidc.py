"""Logging in with an identity provider: the way there and back, roles from claims, tokens that are not believed."""

from __future__ import annotations

import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from blotout_orchestration.platform.database import audit
from blotout_orchestration.web.oidc import name_of_claims, role_of_claims
from tests.web.conftest import PREFIX, free_port, query, served
from tests.web.fake_issuer import CLIENT_ID, CLIENT_SECRET, FakeIssuer, unsigned

ROLES = "engineers=editor,analysts=launcher,everybody=viewer"


@pytest.fixture(scope="module")
def running():
    port = free_port()
    issuer = FakeIssuer(port)
    with served(issuer.app, port):
        yield issuer


@pytest.fixture
def issuer(running):
    before = dict(vars(running))
    running.person = dict(running.person)
    yield running
    vars(running).update(before)
    running.codes.clear()
    running.problems.clear()


@pytest.fixture
def oidc(issuer, monkeypatch):
    monkeypatch.setenv("OIDC_CLIENT_SECRET_OF_TEST", CLIENT_SECRET)
    return {
        "web_oidc_issuer": issuer.address,
        "web_oidc_client_id": CLIENT_ID,
        "web_oidc_client_secret": "env:OIDC_CLIENT_SECRET_OF_TEST",
        "web_oidc_roles": ROLES,
    }


@pytest.fixture
def web(make_web, oidc):
    return make_web(**oidc)


def go_to_provider(client, target=""):
    answer = client.get(f"{PREFIX}/oidc/login", params={"next": target})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def back_from_provider(where):
    answer = httpx.get(where)
    return answer.headers["location"].partition("http://localhost:3000")[2]


def through(client, target=""):
    return client.get(back_from_provider(go_to_provider(client, target)))


def session_of(client):
    return client.cookies.get("blotout_session")


def test_somebody_whom_the_provider_knows_is_in_with_the_role_of_the_claim(web):
    client = web.anonymous()
    answer = through(client, f"{PREFIX}/runs")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/runs"), answer.text
    rows = query(client, "{ permissions { permission value } }").json()["data"]["permissions"]
    assert sum(row["value"] for row in rows) == 20
    assert "edith@example.com" in client.get(f"{PREFIX}/logout").text
    row = audit.entries(web.settings)[0]
    assert (row["actor"], row["action"], row["outcome"]) == (
        "edith@example.com",
        "login through provider",
        "done",
    )


def test_the_way_there_carries_state_nonce_and_a_pkce_challenge(web):
    asked = parse_qs(urlsplit(go_to_provider(web.anonymous())).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == ["http://localhost:3000/dagster/oidc/callback"]
    assert all(len(asked[name][0]) >= 20 for name in ("state", "nonce", "code_challenge"))


def test_the_login_page_offers_the_provider_only_when_there_is_one(web, make_web):
    assert "/oidc/login" in web.anonymous().get(f"{PREFIX}/login").text
    without = make_web(web_oidc_issuer=None)
    assert "/oidc/login" not in without.anonymous().get(f"{PREFIX}/login").text
    assert without.anonymous().get(f"{PREFIX}/oidc/login").status_code == 401


TAMPERED = {
    "another audience": {"aud": "another client"},
    "several audiences": {"aud": ["another client", CLIENT_ID]},
    "another issuer": {"iss": "https://evil.example"},
    "an old token": {"exp": int(time.time()) - 3600},
    "a token of the future": {"iat": int(time.time()) + 3600},
    "another nonce": {"nonce": "of another login"},
}


@pytest.mark.parametrize("change", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_token_that_is_not_for_this_login_lets_nobody_in(web, issuer, change):
    issuer.tamper = lambda claims: claims | change
    client = web.anonymous()
    assert through(client).status_code == 403
    assert session_of(client) is None


@pytest.mark.parametrize("missing", ["aud", "iss", "exp", "nonce", "sub"])
def test_a_token_without_an_essential_claim_lets_nobody_in(web, issuer, missing):
    issuer.tamper = lambda claims: {name: value for name, value in claims.items() if name != missing}
    client = web.anonymous()
    assert through(client).status_code == 403
    assert session_of(client) is None


@pytest.mark.parametrize("how", ["none", "another key", "public key as shared", "no token"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(web, issuer, how):
    issuer.sign = {
        "none": unsigned,
        "another key": issuer.signed_by_another,
        "public key as shared": issuer.signed_with_the_public_key_as_shared_one,
        "no token": lambda claims: None,
    }[how]
    client = web.anonymous()
    assert through(client).status_code == 403
    assert session_of(client) is None
    assert not issuer.problems


def test_a_callback_without_the_cookie_of_its_way_is_refused(web):
    back = back_from_provider(go_to_provider(web.anonymous()))
    stranger = web.anonymous()
    assert stranger.get(back).status_code == 403
    assert session_of(stranger) is None


def test_a_callback_is_good_for_once(web):
    client = web.anonymous()
    back = back_from_provider(go_to_provider(client))
    cookie = client.cookies["blotout_oidc"]
    assert client.get(back).status_code == 303
    again = web.anonymous()
    again.cookies.set("blotout_oidc", cookie)
    assert again.get(back).status_code == 403
    assert session_of(again) is None


def test_a_forged_state_is_refused(web):
    client = web.anonymous()
    back = back_from_provider(go_to_provider(client))
    assert client.get(back.replace("state=", "state=x")).status_code == 403


def test_the_providers_error_is_shown_as_ours_and_not_as_its_markup(web):
    client = web.anonymous()
    go_to_provider(client)
    answer = client.get(
        f"{PREFIX}/oidc/callback", params={"error": "<script>", "error_description": "<script>"}
    )
    assert answer.status_code == 403
    assert "<script" not in answer.text


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/dagster/..%2f"])
def test_the_way_through_the_provider_leads_to_no_other_place(web, target):
    assert through(web.anonymous(), target).headers["location"] == f"{PREFIX}/"


def test_somebody_without_a_role_is_refused_and_on_record(web, issuer):
    issuer.person["groups"] = ["interns"]
    client = web.anonymous()
    answer = through(client)
    assert answer.status_code == 403
    assert "no role" in answer.text
    assert session_of(client) is None
    assert audit.entries(web.settings)[0]["outcome"] == "refused"


def test_a_provider_that_calls_itself_otherwise_is_not_asked(web, issuer):
    issuer.issuer = "https://evil.example"
    assert web.anonymous().get(f"{PREFIX}/oidc/login").status_code == 403


def test_other_roles_in_the_settings_end_the_sessions(web, make_web, oidc):
    client = web.anonymous()
    through(client)
    stricter = make_web(**{**oidc, "web_oidc_roles": "engineers=viewer"})
    other = stricter.anonymous()
    other.cookies.set("blotout_session", session_of(client))
    assert other.get(f"{PREFIX}/runs").status_code == 401


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["engineers", "everybody"], "editor"),
        (["everybody", "analysts"], "launcher"),
        ("everybody", "viewer"),
        ([], None),
        (None, None),
        ({"engineers": True}, None),
        (["Engineers", "engineers "], None),
        ("engineers,everybody", None),
    ],
)
def test_the_highest_role_of_the_claim_holds(settings, groups, role):
    with_roles = settings.model_copy(update={"web_oidc_roles": ROLES})
    assert role_of_claims({"groups": groups}, with_roles) == role


def test_a_name_from_the_provider_cannot_be_one_of_ours():
    issuer = "https://login.example.com/x"
    verified = {"sub": "1", "email": "Admin@Example.com", "email_verified": True}
    assert name_of_claims(verified, issuer) == "admin@example.com"
    assert name_of_claims({**verified, "email_verified": False}, issuer) == "1@login.example.com"
    assert name_of_claims({**verified, "email_verified": "true"}, issuer) == "1@login.example.com"
    assert name_of_claims({"sub": "admin"}, issuer) == "admin@login.example.com"
    assert name_of_claims({**verified, "email": "admin"}, issuer) == "1@login.example.com"
