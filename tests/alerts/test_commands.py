"""`blotout alerts`, as a person types it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from blotout_orchestration.commands import alerts
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.settings import Settings
from tests.alerts.conftest import Mailbox, mailing

RUNNER = CliRunner()


def test_a_test_alert_arrives_each_time_and_is_listed(
    settings: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "current_settings", lambda: mailing(settings, mailbox))
    for _ in range(2):
        answer = RUNNER.invoke(alerts.alerts_app, ["test"], catch_exceptions=False)
        assert answer.output == "1 sent, 0 waiting\n"
    assert len(mailbox.mails) == 2
    listed = json.loads(RUNNER.invoke(alerts.alerts_app, ["list", "--format", "json"]).output)
    assert [row["attempts"] for row in listed] == [0, 0]
    assert all(row["delivered_at"] for row in listed)


def test_a_refused_alert_fails_the_command_and_is_delivered_later(
    settings: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "current_settings", lambda: mailing(settings, mailbox))
    mailbox.answer = "451 later"
    answer = RUNNER.invoke(alerts.alerts_app, ["test"])
    assert isinstance(answer.exception, BlotoutError)
    assert "451" in str(answer.exception)
    assert "waiting, 1 tries" in RUNNER.invoke(alerts.alerts_app, ["list"]).output


def test_a_test_without_any_transport_says_what_to_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "current_settings", lambda: settings)
    answer = RUNNER.invoke(alerts.alerts_app, ["test"])
    assert "ALERT_RECIPIENTS" in str(answer.exception)
