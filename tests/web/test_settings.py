"""The settings of the login: what cannot be meant is refused before anybody is let in by it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from blotout_orchestration.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("web_trusted_proxies", "*"),
        ("web_trusted_proxies", "0.0.0.0/0"),
        ("web_trusted_proxies", "::/0"),
        ("web_trusted_proxies", "10.0.0.5/24"),
        ("web_trusted_proxies", "proxy.example"),
        ("web_users_secret", "users: {}"),
        ("web_oidc_client_secret", "the secret itself"),
        ("web_oidc_issuer", "http://login.example.com"),
        ("web_oidc_issuer", "http://localhost.evil.example"),
        ("web_oidc_issuer", "login.example.com"),
        ("web_oidc_roles", "engineers"),
        ("web_oidc_roles", "engineers=boss"),
        ("web_oidc_roles", "=editor"),
        ("web_session_hours", 0),
        ("web_session_idle_minutes", 0),
        ("web_login_attempts", 0),
    ],
)
def test_a_value_that_opens_the_door_too_wide_is_refused(name, value):
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("web_trusted_proxies", " 10.0.0.5 , 10.1.0.0/24,", "10.0.0.5,10.1.0.0/24"),
        ("web_oidc_roles", "a=b=editor, everybody=viewer ", "a=b=editor,everybody=viewer"),
        ("web_oidc_issuer", "https://login.example.com/realms/data", "https://login.example.com/realms/data"),
        ("web_oidc_issuer", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("web_users_secret", "secretsmanager:blotout/users#people", "secretsmanager:blotout/users#people"),
    ],
)
def test_a_value_that_can_be_meant_is_kept(name, value, kept):
    assert getattr(Settings(_env_file=None, **{name: value}), name) == kept
