"""The Superset step of `one_time_setup`: the account works, and the warehouse is known to Superset.

Belongs here: the few calls of Superset's REST API that the first launch needs. Datasets and dashboards are not
made here: they follow the reports.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.alerts.troubles import shortened
from blotout_orchestration.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from blotout_orchestration.maintenance.setup_steps import Step

TIMEOUT_SECONDS = 20.0


class SupersetError(BlotoutError):
    """Superset refused a call of the setup; the message says which, without the password."""


def superset_step(settings: Settings) -> Step:
    """The connection of Superset to the warehouse; skipped when Superset is not configured."""
    from blotout_orchestration.maintenance.setup_steps import Step, skipped_step

    name = "superset"
    if settings.superset_url is None or settings.superset_password is None:
        return skipped_step(name, "SUPERSET_URL and SUPERSET_PASSWORD are not both set")
    if settings.warehouse == "duckdb" and not settings.published_path.is_file():
        return skipped_step(name, "the embedded warehouse is connected after its first reports are published")

    def known(database: str) -> bool:
        return database in known_databases(settings)

    def connect(database: str) -> None:
        body = {
            "database_name": database,
            "sqlalchemy_uri": warehouse_uri(settings),
            "expose_in_sqllab": True,
        }
        if settings.warehouse == "duckdb":
            body["extra"] = '{"engine_params": {"connect_args": {"read_only": true}}}'
        with _session(settings) as client:
            _call(client, "POST", "/api/v1/database/", json=body)

    return Step(name, lambda: [settings.namespace], known, connect)


def known_databases(settings: Settings) -> set[str]:
    """Names of the databases that Superset knows. Raises SupersetError."""
    with _session(settings) as client:
        return _databases(client)


def warehouse_uri(settings: Settings) -> str:
    """The address under which Superset reaches the reports."""
    if settings.warehouse == "trino":
        trino = urlsplit(settings.trino_uri)
        return f"trino://{trino.netloc}{trino.path}/{settings.namespace}"
    if settings.warehouse == "athena":
        results = f"s3://b-{settings.namespace}-athena-logs/".replace("_", "-")
        host = f"athena.{settings.aws_region}.amazonaws.com"
        return f"awsathena+rest://@{host}:443/{settings.namespace}?s3_staging_dir={results}"
    return f"duckdb:///{settings.published_path}?access_mode=read_only"


@contextmanager
def _session(settings: Settings) -> Iterator[httpx.Client]:
    """A client that is logged in. Raises SupersetError."""
    import httpx

    assert settings.superset_password is not None
    account = {
        "username": settings.superset_username,
        "password": settings.superset_password.get_secret_value(),
        "provider": "db",
        "refresh": False,
    }
    base = str(settings.superset_url).rstrip("/")
    with httpx.Client(base_url=base, timeout=TIMEOUT_SECONDS) as client:
        token = _call(client, "POST", "/api/v1/security/login", json=account)["access_token"]
        client.headers.update({"Authorization": f"Bearer {token}", "Referer": base})
        csrf = _call(client, "GET", "/api/v1/security/csrf_token/")["result"]
        client.headers["X-CSRFToken"] = csrf
        yield client


def _databases(client: httpx.Client) -> set[str]:
    """Names of the databases that Superset knows, of all pages."""
    found: set[str] = set()
    page = 0
    while True:
        answer = _call(client, "GET", f"/api/v1/database/?q=(page:{page},page_size:100)")
        found |= {str(entry["database_name"]) for entry in answer["result"]}
        page += 1
        if not answer["result"] or len(found) >= int(answer["count"]):
            return found


def _call(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    import httpx

    try:
        answer = client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise SupersetError(f"SUPERSET_URL: no answer to {method} {path} ({type(error).__name__})") from None
    if answer.is_error:
        hint = "; check SUPERSET_USERNAME and SUPERSET_PASSWORD" if answer.status_code == 401 else ""
        raise SupersetError(f"Superset answered {answer.status_code} to {method} {path}{_said(answer)}{hint}")
    return answer.json()


def _said(answer: httpx.Response) -> str:
    """Superset's own words; `Connection failed` is what it says of a driver that its image lacks."""
    try:
        message = answer.json().get("message")
    except (ValueError, AttributeError):
        return ""
    return f": {shortened(str(message))}" if message else ""
