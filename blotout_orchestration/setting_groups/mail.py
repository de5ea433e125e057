"""Mails and alerts.

Belongs here: how a mail leaves, and who is told what. Does not belong here: what reads them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import setting

_ADDRESSES = "e-mail addresses, with commas between them"


class MailSettings(BaseModel):
    """How a mail leaves, and who is told when a run fails or data is late."""

    mail_transport: Literal["none", "smtp", "ses"] = setting(
        "Mail and alerts",
        "none",
        "How mails leave: not at all, through an SMTP server, or through Amazon SES.",
        "`none`, `smtp` or `ses`",
        "smtp",
    )
    mail_sender: fields.Email | None = setting(
        "Mail and alerts",
        None,
        "Address that mails come from; on SES a verified identity.",
        "an e-mail address",
        "data@example.com",
    )
    smtp_host: str = setting(
        "Mail and alerts",
        "localhost",
        "SMTP server; used when MAIL_TRANSPORT is `smtp`.",
        "a host name or address",
        "smtp.example.com",
        pattern=r"^[^\s/:@]+$",
    )
    smtp_port: int = setting(
        "Mail and alerts", 587, "Port of the SMTP server.", "a port, 1 to 65535", "587", ge=1, le=65535
    )
    smtp_security: Literal["starttls", "tls", "none"] = setting(
        "Mail and alerts",
        "starttls",
        "How the connection to the SMTP server is encrypted; `none` is for a relay on this host.",
        "`starttls`, `tls` or `none`",
        "starttls",
    )
    smtp_username: str | None = setting(
        "Mail and alerts",
        None,
        "Account on the SMTP server; without one no login is tried.",
        "a user name",
        "data@example.com",
    )
    smtp_password: fields.Secret | None = setting(
        "Mail and alerts",
        None,
        "Password of the account on the SMTP server.",
        "a password without white space around it",
        "PASSWORD",
        secret=True,
    )
    alert_recipients: fields.Addresses = setting(
        "Mail and alerts",
        "",
        "Who gets alerts that no owner is known for, and the alerts of teams without an address.",
        _ADDRESSES,
        "night@example.com,lead@example.com",
    )
    alert_team_addresses: fields.TeamAddresses = setting(
        "Mail and alerts",
        "",
        "Addresses of the owner teams of assets and jobs.",
        "`team=address` pairs, with commas between them",
        "data-platform=data@example.com,marketing=ads@example.com",
    )
    alert_webhook: fields.SecretAddress | None = setting(
        "Mail and alerts",
        None,
        "Address that every alert is posted to as well, such as an incoming webhook of Slack.",
        "an https:// address, or http:// within your own network",
        "https://hooks.slack.example.com/services/T000/B000/KEY",
        secret=True,
    )
    alert_webhook_format: Literal["slack", "json"] = setting(
        "Mail and alerts",
        "slack",
        "Body that the webhook wants: Slack's `text`, or every field of the alert.",
        "`slack` or `json`",
        "json",
    )
    alert_repeat_hours: int = setting(
        "Mail and alerts",
        4,
        "How long the same trouble is not told again, in hours; what is held back is counted in the next alert.",
        "a whole number from 1 to 168",
        "4",
        ge=1,
        le=168,
    )
    dagster_address: str = setting(
        "Mail and alerts",
        "http://localhost:3000",
        "Where people reach the Dagster UI, for the links in alerts; with its path prefix when it has one.",
        "an http:// or https:// address",
        "https://data.example.com/dagster",
        pattern=r"^https?://[^\s?#]+$",
    )
