"""Delivering what is in the outbox, within a budget of time; what fails stays there.

Belongs here: the transports of alerts. Does not belong here: which alerts there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform import mail
from blotout_orchestration.platform.alerts import outbox, wording

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

BUDGET_SECONDS: Final = 25.0
"""No further alert is begun after this; with one more answer's wait it stays below a tick's 60 seconds."""
WEBHOOK_TIMEOUT_SECONDS: Final = 10.0
log = logging.getLogger(__name__)

Transport = Callable[["Settings", Sequence[str], str, Mapping[str, Any]], None]


class WebhookError(BlotoutError):
    """The webhook did not take an alert. Never names its address, which is a secret."""


@dataclass(frozen=True)
class Delivery:
    """What one round did; `reason` is the last failure's."""

    sent: int
    failed: int
    left: int
    reason: str = ""


def deliver(settings: Settings, now: datetime, budget: float = BUDGET_SECONDS) -> Delivery:
    """Try every alert that is due. Never raises for a transport: its failure is kept on the alert's row."""
    sent = failed = 0
    reason = ""
    ends = time.monotonic() + budget
    broken: dict[str, str] = {}
    for row in outbox.due(settings, now):
        if time.monotonic() > ends:
            break
        suppressed = row.suppressed + int(row.payload.get("suppressed_before", 0))
        facts = {name: value for name, value in row.payload.items() if name != "sources"}
        try:
            # A transport that has just failed is not waited for again in the same round.
            if row.transport in broken:
                raise BlotoutError(broken[row.transport])
            TRANSPORTS[row.transport](
                settings, row.recipients, row.subject, {**facts, "suppressed": suppressed}
            )
        except BlotoutError as error:
            reason = str(error)
            left = error.refused if isinstance(error, mail.PartlySentError) else None
            if left is None:
                broken[row.transport] = reason
            outbox.refused(settings, row.id, row.attempts, reason, now, left)
            failed += 1
        else:
            outbox.delivered(settings, row.id, now)
            sent += 1
    return Delivery(sent, failed, outbox.waiting(settings)[0], reason)


def _by_mail(settings: Settings, recipients: Sequence[str], subject: str, facts: Mapping[str, Any]) -> None:
    mail.send(settings, mail.Mail(recipients, subject, wording.text(facts, facts["suppressed"])))


def _by_webhook(
    settings: Settings, recipients: Sequence[str], subject: str, facts: Mapping[str, Any]
) -> None:
    import httpx

    if settings.alert_webhook is None:
        raise WebhookError("ALERT_WEBHOOK is not set any more")
    slack = settings.alert_webhook_format == "slack"
    body: Mapping[str, Any] = wording.slack_body(facts, facts["suppressed"]) if slack else facts
    try:
        answer = httpx.post(
            settings.alert_webhook.get_secret_value(), json=body, timeout=WEBHOOK_TIMEOUT_SECONDS
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WebhookError(f"ALERT_WEBHOOK: {type(error).__name__}") from None
    if answer.status_code // 100 != 2:
        raise WebhookError(f"ALERT_WEBHOOK answered {answer.status_code}")


def _by_log(settings: Settings, recipients: Sequence[str], subject: str, facts: Mapping[str, Any]) -> None:
    log.warning(
        "%s; nobody is configured to be told (MAIL_TRANSPORT, ALERT_RECIPIENTS, ALERT_WEBHOOK)", subject
    )


TRANSPORTS: Mapping[str, Transport] = {"mail": _by_mail, "webhook": _by_webhook, "log": _by_log}
