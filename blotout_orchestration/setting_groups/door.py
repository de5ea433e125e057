"""The login in front of the Dagster UI.

Belongs here: users, sessions and the identity provider. Does not belong here: what reads them. The address
under which people reach the UI is DAGSTER_ADDRESS, of the group `mail`.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import setting

REFERENCE: Final = r"^(env:[A-Za-z_][A-Za-z0-9_]*|secretsmanager:[A-Za-z0-9/_+=.@:-]+(#[^#\s]+)?)$"
_LOOPBACK: Final = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/\S*)?")
ROLE_NAMES: Final = ("viewer", "launcher", "editor")


def _check_networks(value: str) -> str:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        try:
            network = ip_network(part)
        except ValueError:
            raise ValueError(
                "an entry is neither an IP address nor a network (its host bits are zero)"
            ) from None
        if network.prefixlen == 0:
            raise ValueError("this trusts everybody's headers; name the proxy")
    return ",".join(parts)


def _check_issuer(value: str) -> str:
    if not (re.fullmatch(r"https://[^\s?#]+", value) or _LOOPBACK.fullmatch(value)):
        raise ValueError("not an https:// address")
    return value


def _check_roles(value: str) -> str:
    pairs = [part.strip() for part in value.split(",") if part.strip()]
    for pair in pairs:
        name, separator, role = pair.rpartition("=")
        if not separator or not name or role not in ROLE_NAMES:
            raise ValueError("a pair is not of the form value=role")
    return ",".join(pairs)


class DoorSettings(BaseModel):
    """The login in front of the Dagster UI."""

    dagster_password: fields.Secret | None = setting(
        "Login",
        None,
        "Password of the user `admin` of `blotout web`. On AWS (catalog `glue` or warehouse `athena`) the secret "
        "`dagster_password`, else `airflow_password`, of Secrets Manager comes first.",
        "a password",
        "correct horse battery staple",
        secret=True,
    )
    web_users_secret: str | None = setting(
        "Login",
        None,
        "Secret with the users of `blotout web`, in the format of `users.yaml`; default the file "
        "BLOTOUT_HOME/users.yaml, which `blotout users` writes.",
        "`secretsmanager:ID`, `secretsmanager:ID#KEY` or `env:NAME`",
        "secretsmanager:blotout/web_users",
        pattern=REFERENCE,
    )
    web_trusted_proxies: Annotated[str, AfterValidator(_check_networks)] = setting(
        "Login",
        "",
        "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; empty for none.",
        "IP addresses or networks with commas between them",
        "10.0.0.5,10.1.0.0/24",
    )
    web_session_hours: int = setting(
        "Login",
        12,
        "How long a login lasts at most, in hours.",
        "a whole number from 1 to 168",
        "12",
        ge=1,
        le=168,
    )
    web_session_idle_minutes: int = setting(
        "Login",
        60,
        "How long a login lasts without a request, in minutes.",
        "a whole number from 1 to 1440",
        "60",
        ge=1,
        le=1440,
    )
    web_login_attempts: int = setting(
        "Login",
        5,
        "Failed logins of one user from one address before the door makes both wait.",
        "a whole number from 1 to 50",
        "5",
        ge=1,
        le=50,
    )
    web_oidc_issuer: Annotated[str, AfterValidator(_check_issuer)] | None = setting(
        "Login",
        None,
        "Identity provider (OpenID Connect) that people may log in with; default none.",
        "the provider's https:// address, exactly as its tokens name it",
        "https://login.example.com/realms/data",
    )
    web_oidc_client_id: str = setting(
        "Login",
        "blotout",
        "Client id of `blotout web` at the identity provider.",
        "a client id",
        "blotout",
        min_length=1,
    )
    web_oidc_client_secret: str | None = setting(
        "Login",
        None,
        "Where the client's secret lies; a public client has none.",
        "`secretsmanager:ID`, `secretsmanager:ID#KEY` or `env:NAME`",
        "secretsmanager:blotout/oidc#client_secret",
        pattern=REFERENCE,
    )
    web_oidc_role_claim: str = setting(
        "Login",
        "groups",
        "Claim of the identity token, a text or a list, that decides on the role.",
        "the name of a claim",
        "groups",
        min_length=1,
    )
    web_oidc_roles: Annotated[str, AfterValidator(_check_roles)] = setting(
        "Login",
        "",
        "Which value of the claim gives which role; the highest one holds, no match is refused.",
        "`value=role` pairs with commas between them; roles are `viewer`, `launcher` and `editor`",
        "data-engineers=editor,analysts=launcher,everybody=viewer",
    )
