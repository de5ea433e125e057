"""Mails: what one is, and how it leaves, through SMTP or Amazon SES.

Belongs here: the message and its transport. Does not belong here: what mails say (alerts, billing, Superset),
and trying again, which is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Any, Final

from blotout_orchestration.errors import BlotoutError

if TYPE_CHECKING:
    import smtplib

    from blotout_orchestration.settings import Settings

TIMEOUT_SECONDS: Final = 20.0
"""How long one answer of the mail server is waited for; a sensor's tick has 60 seconds in all."""


class MailError(BlotoutError):
    """A mail did not leave. Says what the server answered, without addresses and secrets."""


class PartlySentError(MailError):
    """A mail left, but not to everybody; `refused` are the addresses that did not get it."""

    def __init__(self, message: str, refused: Sequence[str]) -> None:
        super().__init__(message)
        self.refused = tuple(refused)


@dataclass(frozen=True)
class Picture:
    """A PNG that the HTML shows as `<img src="cid:NAME">`."""

    name: str
    png: bytes


@dataclass(frozen=True)
class Attachment:
    """A file that comes with the mail; `media_type` is such as `text/csv`."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """One mail; `text` is for readers without HTML and must say everything."""

    recipients: Sequence[str]
    subject: str
    text: str
    html: str | None = None
    pictures: Sequence[Picture] = field(default=())
    attachments: Sequence[Attachment] = field(default=())


def message(mail: Mail, sender: str) -> EmailMessage:
    """The mail in its form on the wire: text, HTML with its pictures, attachments."""
    built = EmailMessage()
    built["From"] = sender
    built["To"] = ", ".join(mail.recipients)
    built["Subject"] = " ".join(mail.subject.split())
    built["Date"] = formatdate(localtime=False)
    built["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    built.set_content(mail.text)
    if mail.html is not None:
        built.add_alternative(mail.html, subtype="html")
        html: Any = list(built.iter_parts())[-1]
        for picture in mail.pictures:
            html.add_related(
                picture.png, "image", "png", cid=f"<{picture.name}>", filename=f"{picture.name}.png"
            )
    for attachment in mail.attachments:
        kind, _, subtype = attachment.media_type.partition("/")
        built.add_attachment(attachment.content, maintype=kind, subtype=subtype, filename=attachment.name)
    return built


def can_send(settings: Settings) -> bool:
    """Whether a transport is configured."""
    return settings.mail_transport != "none"


def send(settings: Settings, mail: Mail) -> None:
    """Hand a mail to the configured transport. Raises MailError, and PartlySentError when some have got it."""
    if not mail.recipients:
        raise MailError("a mail without a recipient")
    if not can_send(settings):
        raise MailError("MAIL_TRANSPORT is `none`; set it to `smtp` or `ses`")
    if settings.mail_sender is None:
        raise MailError("MAIL_SENDER is not set; mails need an address to come from")
    built = message(mail, settings.mail_sender)
    if settings.mail_transport == "smtp":
        _send_smtp(settings, built)
    else:
        _send_ses(settings, built, mail.recipients)


def try_transport(settings: Settings) -> str:
    """Log in to the transport as a mail would, without one, and say what answered. Raises MailError."""
    if settings.mail_sender is None:
        raise MailError("MAIL_SENDER is not set; mails need an address to come from")
    if settings.mail_transport == "smtp":
        with _smtp(settings) as server:
            server.noop()
        return f"{settings.smtp_host}:{settings.smtp_port} answers{' and takes the login' if settings.smtp_username else ''}"
    with _ses(settings) as client:
        quota = client.get_send_quota()
    return (
        f"SES answers, {quota['SentLast24Hours']:.0f} of {quota['Max24HourSend']:.0f} mails sent in 24 hours"
    )


@contextmanager
def _smtp(settings: Settings) -> Iterator[smtplib.SMTP]:
    """The server, logged in; whatever it refuses becomes a MailError."""
    import smtplib
    import ssl

    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.smtp_host,
                settings.smtp_port,
                timeout=TIMEOUT_SECONDS,
                context=ssl.create_default_context(),
            )
        else:
            server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT_SECONDS)
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_username and settings.smtp_password:
                server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            yield server
    except smtplib.SMTPResponseException as error:
        raise MailError(f"{where} answered {error.smtp_code} ({type(error).__name__})") from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise MailError(f"{where} refused every recipient ({', '.join(map(str, codes))})") from None
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(
            f"{where}: {type(error).__name__}; is the server up, and is SMTP_SECURITY right?"
        ) from None


def _send_smtp(settings: Settings, built: EmailMessage) -> None:
    with _smtp(settings) as server:
        refused = server.send_message(built)
    if refused:
        where, count = f"{settings.smtp_host}:{settings.smtp_port}", len(built["To"].split(","))
        raise PartlySentError(f"{where} refused {len(refused)} of {count} recipients", list(refused))


@contextmanager
def _ses(settings: Settings) -> Iterator[Any]:
    """A client of SES; whatever it refuses becomes a MailError."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield boto3.client("ses", region_name=settings.aws_region)
    except ClientError as error:
        raise MailError(
            f"SES answered {error.response.get('Error', {}).get('Code', 'ClientError')}"
        ) from None
    except BotoCoreError as error:
        raise MailError(f"SES: {type(error).__name__}") from None


def _send_ses(settings: Settings, built: EmailMessage, recipients: Sequence[str]) -> None:
    with _ses(settings) as client:
        client.send_raw_email(
            Source=settings.mail_sender,
            Destinations=list(recipients),
            RawMessage={"Data": built.as_bytes()},
        )
