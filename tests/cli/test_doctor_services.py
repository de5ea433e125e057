"""The doctor tries the platform's own services: database, mails, webhooks, provider, Superset, idle connections."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from blotout_orchestration.platform import doctor
from blotout_orchestration.platform.database import platform_database
from blotout_orchestration.platform.doctor_checks import Finding
from blotout_orchestration.settings import Settings
from tests.alerts.conftest import Mailbox, mailbox, mailing
from tests.maintenance.servers import running_server
from tests.maintenance.test_setup_outside import Superset, superset, superset_settings

__all__ = ["mailbox", "superset"]


def found(settings: Settings, name: str) -> Finding:
    """What the doctor says of one thing."""
    return dict(doctor.examine(settings))[name]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("maximum_links: 50", "maximum_links: Input should be a valid dictionary"),
        ("maximum_link: 5", "maximum_link: Extra inputs are not permitted (found 5)"),
        ("- a\n- b", "expected fields with values, found list"),
        ("a: [1\nb: 2", "not readable as YAML"),
        (b"a: \xff", "not readable as YAML"),
        (None, "Is a directory"),
    ],
)
def test_broken_rules_of_the_id_graph_are_told_in_one_line(
    settings: Settings, content: str | bytes | None, said: str
) -> None:
    path = settings.blotout_home / "id_graph_rules.yaml"
    path.parent.mkdir()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    finding = found(settings, "id graph rules")
    assert finding.state == "wrong"
    assert said in finding.text
    assert str(path) in finding.text
    assert "\n" not in finding.text


def test_rules_that_can_be_read_are_told_with_what_they_override(settings: Settings) -> None:
    assert "id graph rules" not in dict(doctor.examine(settings))
    settings.blotout_home.mkdir()
    (settings.blotout_home / "id_graph_rules.yaml").write_text(
        "maximum_ids_per_person: 40\ndefault_country: DE\n"
    )
    finding = found(settings, "id graph rules")
    assert finding.state == "ok"
    assert finding.text.endswith("valid, overrides default_country, maximum_ids_per_person")


@contextmanager
def web_server(answers: dict[str, Any]) -> Iterator[str]:
    """A server that answers some paths with JSON, and all others with 404; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_platform_database_is_looked_at_and_not_made(settings: Settings) -> None:
    assert found(settings, "platform database").text == "not there yet, is made at the first use"
    assert not settings.blotout_home.exists()
    platform_database(settings)
    assert found(settings, "platform database").text.startswith("opens, revision ")


def test_a_platform_database_of_an_older_version_is_a_warning(settings: Settings) -> None:
    from sqlalchemy import text

    with platform_database(settings).begin() as connection:
        connection.execute(text("update alembic_version set version_num = '0000'"))
    finding = found(settings, "platform database")
    assert finding.state == "warning"
    assert "revision 0000; is migrated" in finding.text


def test_a_postgres_that_is_not_there_is_told_without_its_password(settings: Settings) -> None:
    uri = SecretStr("postgresql+psycopg2://platform:hunter2@127.0.0.1:1/platform")
    finding = found(settings.model_copy(update={"platform_database": uri}), "platform database")
    assert finding.state == "wrong"
    assert "127.0.0.1:1" in finding.text
    assert "hunter2" not in finding.text


def test_the_mail_server_is_tried_without_a_mail(settings: Settings, mailbox: Mailbox) -> None:
    ours = mailing(settings, mailbox)
    assert found(ours, "mail") == Finding("ok", f"127.0.0.1:{mailbox.port} answers")
    silent = found(ours.model_copy(update={"alert_recipients": ""}), "mail")
    assert silent.state == "warning"
    assert "set ALERT_RECIPIENTS" in silent.text
    assert mailbox.mails == []


def test_a_mail_server_that_does_not_answer_is_told(settings: Settings, mailbox: Mailbox) -> None:
    finding = found(mailing(settings, mailbox, smtp_port=1), "mail")
    assert finding.state == "wrong"
    assert "127.0.0.1:1: ConnectionRefusedError" in finding.text


def test_ses_is_asked_for_its_quota(aws: None, settings: Settings) -> None:
    cloud = settings.model_copy(
        update={
            "mail_transport": "ses",
            "mail_sender": "data@example.com",
            "alert_recipients": "n@example.com",
        }
    )
    assert found(cloud, "mail").text.startswith("SES answers, 0 of ")


@pytest.mark.parametrize(
    ("field", "name"), [("alert_webhook", "alert webhook"), ("heartbeat_address", "watchdog")]
)
def test_a_secret_address_is_tried_up_to_its_host(settings: Settings, field: str, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        address = SecretStr(f"https://127.0.0.1:{port}/services/KEY")
        assert found(settings.model_copy(update={field: address}), name) == Finding(
            "ok", f"127.0.0.1:{port} answers"
        )
    finding = found(settings.model_copy(update={field: SecretStr("https://127.0.0.1:1/services/KEY")}), name)
    assert finding.state == "wrong"
    assert field.upper() in finding.text
    assert "KEY" not in finding.text


def test_an_identity_provider_must_call_itself_as_the_setting_does(settings: Settings) -> None:
    document: dict[str, str] = {}
    with web_server({"/.well-known/openid-configuration": document}) as address:
        ours = settings.model_copy(update={"web_oidc_issuer": address})
        document["issuer"] = address
        assert found(ours, "identity provider").state == "ok"
        document["issuer"] = f"{address}/"
        assert "set WEB_OIDC_ISSUER to exactly that" in found(ours, "identity provider").text
    assert "no discovery document" in found(ours, "identity provider").text


def test_superset_is_tried_with_its_account(superset: ThreadingHTTPServer, tmp_path: Any) -> None:
    ours = superset_settings(tmp_path, superset)
    Superset.databases = [{"database_name": "other"}]
    assert found(ours, "superset") == Finding("ok", "takes the login, knows 1 databases")
    wrong = found(superset_settings(tmp_path, superset, "wrong-one"), "superset")
    assert wrong.state == "wrong"
    assert "check SUPERSET_USERNAME" in wrong.text
    assert found(ours.model_copy(update={"superset_password": None}), "superset").state == "warning"


def test_the_server_of_idle_connections_is_asked_who_is_there(settings: Settings) -> None:
    with running_server() as server:
        address = SecretStr(server.uri())
        finding = found(settings.model_copy(update={"idle_connections_server": address}), "idle connections")
        assert finding.state == "ok"
        assert "connections" in finding.text
    gone = found(settings.model_copy(update={"idle_connections_server": address}), "idle connections")
    assert gone.state == "wrong"
    assert "check IDLE_CONNECTIONS_SERVER" in gone.text


def test_trino_is_asked_whether_it_is_ready(settings: Settings) -> None:
    info: dict[str, Any] = {"nodeVersion": {"version": "480"}, "starting": True}
    with web_server({"/v1/info": info}) as address:
        uri = f"{address.replace('http://', 'http://dbt@')}/iceberg"
        chosen = settings.model_copy(update={"warehouse": "trino", "trino_uri": uri})
        assert found(chosen, "warehouse").state == "warning"
        info["starting"] = False
        assert found(chosen, "warehouse").text.endswith("answers, version 480")
