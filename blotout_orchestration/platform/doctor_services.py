"""What the doctor tries beyond the data: the platform's database, rules, mails, and the services that people reach.

Belongs here: trying the platform's own services and reading its own files, as in doctor_checks.py. What pipelines
and channels name is tried by `blotout pipelines test` and `blotout channels test`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.doctor_checks import Finding, answers

if TYPE_CHECKING:
    from pydantic import SecretStr

    from blotout_orchestration.settings import Settings

TIMEOUT_SECONDS = 10.0
_STANDARD_PORTS = {"http": 80, "https": 443}


def service_checks(settings: Settings) -> dict[str, Callable[[Settings], Finding]]:
    """The checks that these settings call for, by the name of what they try."""
    from blotout_orchestration.id_graph.rules import RULES_FILE
    from blotout_orchestration.platform.mail import can_send

    chosen: dict[str, Callable[[Settings], Finding]] = {"platform database": platform_database}
    if os.path.lexists(settings.blotout_home / RULES_FILE):
        chosen["id graph rules"] = id_graph_rules
    if can_send(settings):
        chosen["mail"] = mail
    if settings.alert_webhook is not None:
        chosen["alert webhook"] = lambda s: _host_answers(s.alert_webhook, "ALERT_WEBHOOK")
    if settings.heartbeat_address is not None:
        chosen["watchdog"] = lambda s: _host_answers(s.heartbeat_address, "HEARTBEAT_ADDRESS")
    if settings.web_oidc_issuer is not None:
        chosen["identity provider"] = identity_provider
    if settings.superset_url is not None:
        chosen["superset"] = superset
    if settings.idle_connections_server is not None:
        chosen["idle connections"] = idle_connections
    return chosen


def platform_database(settings: Settings) -> Finding:
    """The database of registries and alerts opens; nothing is made or migrated."""
    from blotout_orchestration.platform.database import revisions_of

    uri = settings.platform_database_uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return Finding("ok", "not there yet, is made at the first use")
    held, newest = revisions_of(settings)
    if held is None:
        return Finding("ok", "opens, empty; its tables are made at the first use")
    if held == newest:
        return Finding("ok", f"opens, revision {held}")
    return Finding("warning", f"opens, revision {held}; is migrated to {newest} at the next use")


def id_graph_rules(settings: Settings) -> Finding:
    """The rules of the deployment can be read, and every field of them means something."""
    from blotout_orchestration.id_graph.rules import RULES_FILE, load_rules

    path = settings.blotout_home / RULES_FILE
    try:
        rules = load_rules(settings.blotout_home)
    except (BlotoutError, OSError) as error:
        text = f"{path}: {error.strerror}" if isinstance(error, OSError) else str(error)
        return Finding("wrong", " ".join(text.split()))
    return Finding("ok", f"{path}: valid, overrides {', '.join(sorted(rules.model_fields_set)) or 'nothing'}")


def mail(settings: Settings) -> Finding:
    """The transport takes the account; no mail is sent."""
    from blotout_orchestration.platform.mail import try_transport

    told = try_transport(settings)
    if not settings.alert_recipients and not settings.alert_team_addresses:
        return Finding("warning", f"{told}; nobody gets alerts, set ALERT_RECIPIENTS")
    return Finding("ok", told)


def _host_answers(address: SecretStr | None, variable: str) -> Finding:
    """The host of a secret address takes a connection; a request would already say something to somebody."""
    assert address is not None
    parts = urlsplit(address.get_secret_value())
    place = f"{parts.hostname}:{parts.port or _STANDARD_PORTS.get(parts.scheme, 443)}"
    return answers([place], f"nobody answers; check {variable} and the network")


def identity_provider(settings: Settings) -> Finding:
    """The provider's discovery document is there and names it as WEB_OIDC_ISSUER does."""
    import httpx

    issuer = str(settings.web_oidc_issuer)
    try:
        answer = httpx.get(
            f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=TIMEOUT_SECONDS
        ).raise_for_status()
        named = answer.json().get("issuer")
    except (httpx.HTTPError, ValueError) as error:
        return Finding(
            "wrong", f"no discovery document; check WEB_OIDC_ISSUER and the network: {type(error).__name__}"
        )
    if named != issuer:
        return Finding("wrong", f"the provider calls itself {named}; set WEB_OIDC_ISSUER to exactly that")
    return Finding("ok", f"{issuer} answers")


def superset(settings: Settings) -> Finding:
    """Superset takes the account."""
    from blotout_orchestration.maintenance.setup_superset import known_databases

    if settings.superset_password is None:
        return Finding("warning", "SUPERSET_URL is set and SUPERSET_PASSWORD is not; nothing is connected")
    return Finding("ok", f"takes the login, knows {len(known_databases(settings))} databases")


def idle_connections(settings: Settings) -> Finding:
    """The server of `delete_idle_db_connections` answers, and shows the connections of others."""
    from blotout_orchestration.maintenance import idle_connections as job

    uri = job.server_of(settings)
    if uri is None:
        return Finding("warning", "IDLE_CONNECTIONS_SERVER is no Postgres; nothing is closed there")
    with job.connected(uri) as connection:
        found = job.sessions(connection)
    hidden = sum(session.backend_type is None for session in found)
    if hidden:
        return Finding("warning", f"{hidden} of {len(found)} connections are hidden; grant pg_monitor")
    return Finding("ok", f"answers, {len(found)} connections")
