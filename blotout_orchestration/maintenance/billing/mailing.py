"""Making a month's bill, keeping it, and mailing it once.

Belongs here: the order of things, so that a killed run can be run again. Does not belong here: reading costs,
layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from blotout_orchestration.maintenance.billing import cost_explorer, platform_use, showing
from blotout_orchestration.maintenance.billing.bill import Bill, Month, month_of
from blotout_orchestration.maintenance.billing.pictures import chart
from blotout_orchestration.platform import mail
from blotout_orchestration.platform.database import audit

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from blotout_orchestration.lake import Lake
    from blotout_orchestration.settings import Settings

ACTION = "billing"


@dataclass(frozen=True)
class Mailed:
    """What became of a bill: where it is kept, who got it, and why not when nobody did."""

    folder: Path
    recipients: int
    reason: str = ""


def make_bill(lake: Lake, instance: DagsterInstance, month: Month, today: date) -> Bill:
    """The bill of a month: of the cloud's costs on AWS ground, else of the platform's own use.

    Raises CostExplorerError.
    """
    settings = lake.settings
    if on_aws(settings):
        explorer = cost_explorer.client()
        accounts = [number for number in settings.billing_accounts.split(",") if number]
        return Bill(
            month,
            f"Cloud cost of {settings.namespace} in {month.name}",
            cost_explorer.read_lines(explorer, month, accounts),
            cost_explorer.read_forecast(explorer, today, accounts),
        )
    lines, stored = platform_use.read_use(lake, instance, month)
    return Bill(month, f"Use of {settings.namespace} in {month.name}", lines, stored=stored)


def on_aws(settings: Settings) -> bool:
    """Whether the platform stands on AWS, whose costs are then the bill."""
    return settings.lake_root.startswith("s3://") or settings.catalog_uri == "glue"


def previous_month(today: date) -> Month:
    """The newest month that is over."""
    return month_of(today).previous


def keep(settings: Settings, bill: Bill) -> Path:
    """Write the bill as HTML (with its picture as a file), CSV and PNG to BLOTOUT_HOME/bills/YYYY-MM."""
    folder = settings.blotout_home.absolute() / "bills" / bill.month.name
    folder.mkdir(parents=True, exist_ok=True)
    page = showing.html(bill).replace(f"cid:{showing.CHART}", f"{showing.CHART}.png")
    files = {
        f"{showing.CHART}.png": first_chart(bill),
        "bill.csv": showing.as_csv(bill),
        "bill.html": page.encode(),
    }
    for name, content in files.items():
        temporary = folder / f"{name}.tmp"
        temporary.write_bytes(content)
        temporary.replace(folder / name)
    return folder


def first_chart(bill: Bill) -> bytes:
    """The picture of the bill's first unit."""
    return chart(bill, bill.units[0] if bill.units else "")


def mail_once(settings: Settings, bill: Bill, folder: Path, run_id: str, again: bool = False) -> Mailed:
    """Mail the bill unless this month's was mailed before (`again` does it all the same).

    The mail server's word is written to the audit log right after it came: a process that is killed between
    the two mails a second time, one that is killed before it does not. Raises MailError.
    """
    recipients = [address for address in settings.billing_email.split(",") if address]
    if not recipients or not mail.can_send(settings):
        missing = "BILLING_EMAIL" if not recipients else "MAIL_TRANSPORT"
        return Mailed(folder, 0, f"{missing} is not set; the bill is only kept")
    target = f"{settings.namespace} {bill.month.name}"
    done = [entry for entry in audit.entries(settings, action=ACTION, limit=500) if entry["target"] == target]
    if done and not again:
        return Mailed(folder, 0, f"mailed before, on {done[0]['at']:%Y-%m-%d %H:%M} UTC")
    refused = 0
    try:
        mail.send(settings, _mail(bill, recipients))
    except mail.PartlySentError as error:
        # Those who have got it must not get it again: the month is done, and the run says who is missing.
        refused = len(error.refused)
    audit.record(
        settings,
        actor="billing",
        action=ACTION,
        target=target,
        outcome="done",
        run_id=run_id,
        details={"recipients": len(recipients) - refused, "refused": refused, "lines": len(bill.lines)},
    )
    reason = f"{refused} addresses were refused by the mail server" if refused else ""
    return Mailed(folder, len(recipients) - refused, reason)


def _mail(bill: Bill, recipients: Sequence[str]) -> mail.Mail:
    return mail.Mail(
        recipients,
        bill.subject,
        showing.text(bill),
        showing.html(bill),
        pictures=[mail.Picture(showing.CHART, first_chart(bill))],
        attachments=[mail.Attachment(f"bill-{bill.month.name}.csv", "text/csv", showing.as_csv(bill))],
    )
