"""The outbox: told once, counted when repeated, kept until taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from blotout_orchestration.platform.alerts import outbox
from blotout_orchestration.platform.alerts.delivery import deliver
from blotout_orchestration.platform.alerts.troubles import Trouble
from blotout_orchestration.settings import Settings
from tests.alerts.conftest import Hook, Mailbox, mailing

NOW = datetime(2026, 3, 5, 3, 0, tzinfo=UTC)


def trouble(source: str, error: str = "disk of worker 17 is full", **more: Any) -> Trouble:
    """A failed run."""
    facts: dict[str, Any] = {
        "kind": "failed run",
        "source": source,
        "subject": "events_incremental",
        "occurred_at": NOW,
        "first_error": error,
        "step": "flatten_events",
        "owners": ("team:data-platform",),
        "link": f"/runs/{source}",
        "again": "blotout run events_incremental",
        **more,
    }
    return Trouble(**facts)


def test_an_alert_says_owner_partition_first_error_link_and_how_to_run_again(
    settings: Settings, mailbox: Mailbox
) -> None:
    ours = mailing(settings, mailbox, dagster_address="https://data.example.com/dagster/")
    outbox.enqueue(ours, [trouble("run-1", partition="2026-03-05-02:00")], NOW)
    assert deliver(ours, NOW).sent == 1
    [mail] = mailbox.mails
    assert mail["To"] == "night@example.com"
    assert mail["Subject"] == "[blotout] failed run: events_incremental"
    text = mail.get_content()
    for fact in (
        "disk of worker 17 is full",
        "team:data-platform",
        "2026-03-05-02:00",
        "https://data.example.com/dagster/runs/run-1",
        "blotout run events_incremental",
    ):
        assert fact in text


def test_the_same_trouble_is_told_once_and_its_repetitions_are_counted(
    settings: Settings, mailbox: Mailbox
) -> None:
    ours = mailing(settings, mailbox)
    for number in range(5):
        outbox.enqueue(ours, [trouble(f"run-{number}", f"disk of worker {number} is full")], NOW)
        deliver(ours, NOW)
    assert len(mailbox.mails) == 1
    later = NOW + timedelta(hours=ours.alert_repeat_hours)
    outbox.enqueue(ours, [trouble("run-9")], later)
    deliver(ours, later)
    assert len(mailbox.mails) == 2
    assert "4 more suppressed" in mailbox.mails[1].get_content()


def test_one_occurrence_seen_twice_is_not_a_repetition(settings: Settings, mailbox: Mailbox) -> None:
    ours = mailing(settings, mailbox)
    for _ in range(3):
        outbox.enqueue(ours, [trouble("run-1")], NOW)
    deliver(ours, NOW)
    [row] = outbox.newest(ours, 10)
    assert row.suppressed == 0


def test_other_troubles_are_told_by_themselves(settings: Settings, mailbox: Mailbox) -> None:
    ours = mailing(settings, mailbox)
    others = [trouble("a"), trouble("b", "no such table"), trouble("c", subject="attribution")]
    assert outbox.enqueue(ours, others, NOW) == 3
    assert deliver(ours, NOW).sent == 3


def test_a_mail_server_that_refuses_loses_nothing_and_does_not_hold_up_the_webhook(
    settings: Settings, mailbox: Mailbox, hook: Hook
) -> None:
    ours = mailing(settings, mailbox, alert_webhook=SecretStr(hook.address), alert_webhook_format="json")
    mailbox.answer = "451 try again later"
    outbox.enqueue(ours, [trouble("run-1"), trouble("run-2", "no such table")], NOW)
    first = deliver(ours, NOW)
    assert (first.sent, first.failed, first.left) == (2, 2, 2)
    assert "451" in first.reason
    assert {body["first_error"] for body in hook.bodies} == {"disk of worker 17 is full", "no such table"}
    assert deliver(ours, NOW).failed == 0, "the pause before the next try is kept"
    mailbox.answer = "250 OK"
    later = NOW + outbox.PAUSES[0]
    assert deliver(ours, later).sent == 2
    assert len(mailbox.mails) == 2
    assert outbox.waiting(ours) == (0, "")


def test_who_has_got_an_alert_does_not_get_it_again_because_of_others(
    settings: Settings, mailbox: Mailbox
) -> None:
    ours = mailing(settings, mailbox, alert_recipients="night@example.com,gone@example.com")
    mailbox.refuses = {"gone@example.com"}
    outbox.enqueue(ours, [trouble("run-1")], NOW)
    assert "refused 1 of 2" in deliver(ours, NOW).reason
    mailbox.refuses = set()
    assert deliver(ours, NOW + outbox.PAUSES[0]).sent == 1
    assert [mail["To"] for mail in mailbox.mails] == [
        "night@example.com, gone@example.com",
        "gone@example.com",
    ]


def test_an_undelivered_alert_is_tried_for_as_long_as_it_takes(settings: Settings, mailbox: Mailbox) -> None:
    ours = mailing(settings, mailbox)
    mailbox.answer = "550 no"
    outbox.enqueue(ours, [trouble("run-1")], NOW)
    moment = NOW
    for _ in range(len(outbox.PAUSES) + 3):
        assert deliver(ours, moment).failed == 1
        moment += outbox.PAUSES[-1]
    mailbox.answer = "250 OK"
    assert deliver(ours, moment).sent == 1


def test_no_mail_server_at_all_is_a_reason_and_no_error(settings: Settings, mailbox: Mailbox) -> None:
    ours = mailing(settings, mailbox, smtp_port=1)
    outbox.enqueue(ours, [trouble("run-1")], NOW)
    assert "127.0.0.1:1" in deliver(ours, NOW).reason


def test_the_address_of_the_webhook_is_never_in_a_reason(settings: Settings, hook: Hook) -> None:
    ours = settings.model_copy(update={"alert_webhook": SecretStr(hook.address)})
    hook.status = 500
    outbox.enqueue(ours, [trouble("run-1")], NOW)
    assert deliver(ours, NOW).reason == "ALERT_WEBHOOK answered 500"
    [row] = outbox.newest(ours, 1)
    assert "SECRET" not in str(row)


def test_slack_gets_text_with_its_special_characters_escaped(settings: Settings, hook: Hook) -> None:
    ours = settings.model_copy(update={"alert_webhook": SecretStr(hook.address)})
    outbox.enqueue(ours, [trouble("run-1", "a < b & c > d")], NOW)
    deliver(ours, NOW)
    assert "a &lt; b &amp; c &gt; d" in hook.bodies[0]["text"]


def test_alerts_go_to_the_owners_and_to_the_default_for_owners_without_an_address(settings: Settings) -> None:
    ours = settings.model_copy(
        update={
            "mail_transport": "smtp",
            "alert_recipients": "night@example.com",
            "alert_team_addresses": "ads=ads@example.com",
        }
    )
    owners = ("team:ads", "eve@example.com", "team:unknown")
    assert outbox.destinations(ours, trouble("a", owners=owners)) == [
        ("mail", ["ads@example.com", "eve@example.com", "night@example.com"])
    ]
    assert outbox.destinations(settings, trouble("a")) == [("log", [])]
