"""The job `billing` on embedded ground, with runs, a lake and a mail server that are real."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any

import pyarrow as pa
import pytest
from dagster import DagsterInstance, job, op

from blotout_orchestration.elt.contract import AD_SPEND
from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.billing import mailing
from blotout_orchestration.maintenance.billing.bill import month_of
from blotout_orchestration.maintenance.billing.job import OP, billing_job
from blotout_orchestration.maintenance.billing.platform_use import BYTES_WRITTEN, RUN_SECONDS, read_use
from tests.alerts.conftest import Mailbox, instance, mailbox
from tests.alerts.conftest import mailing as mailing_settings

__all__ = ["instance", "mailbox"]


@job
def campaign() -> None:
    """A job that takes a moment."""

    @op
    def wait() -> None:
        return

    wait()


def used(lake: Lake, instance: DagsterInstance) -> str:
    """A run of `campaign` that wrote a table; returns its id."""
    run_id: str = campaign.execute_in_process(instance=instance).run_id
    lake.ensure(AD_SPEND)
    schema = lake.read(AD_SPEND).schema
    rows = pa.Table.from_pylist([_row(schema)], schema=schema)
    lake.append(AD_SPEND, rows, {"run_id": run_id})
    return run_id


def _row(schema: pa.Schema) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in schema:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            values[column.name] = "x"
        elif pa.types.is_timestamp(column.type):
            values[column.name] = datetime(2026, 3, 5, tzinfo=UTC)
        elif pa.types.is_date(column.type):
            values[column.name] = date(2026, 3, 5)
        else:
            values[column.name] = 1
    return values


def run_billing(lake: Lake, instance: DagsterInstance, **config: Any) -> Any:
    """One run of the job, for the running month."""
    month = month_of(datetime.now(UTC).date()).name
    run_config = {"ops": {OP: {"config": {"month": month, **config}}}}
    return billing_job(lake).execute_in_process(instance=instance, run_config=run_config)


def test_run_time_and_bytes_are_charged_to_the_jobs_that_used_them(
    lake: Lake, instance: DagsterInstance
) -> None:
    used(lake, instance)
    lines, stored = read_use(lake, instance, month_of(datetime.now(UTC).date()))
    units = {line.unit: line for line in lines}
    assert set(units) == {RUN_SECONDS, BYTES_WRITTEN}
    assert {line.item for line in lines} == {"campaign"}
    assert units[BYTES_WRITTEN].amount > 0
    [(name, size)] = stored
    assert name.endswith(AD_SPEND.name)
    assert size == units[BYTES_WRITTEN].amount


def test_a_dry_run_keeps_the_bill_and_mails_nobody(
    lake: Lake, instance: DagsterInstance, mailbox: Mailbox
) -> None:
    ours = Lake(mailing_settings(lake.settings, mailbox, billing_email="finance@example.com"))
    used(ours, instance)
    result = run_billing(ours, instance)
    assert result.success
    assert mailbox.mails == []
    [folder] = (ours.settings.blotout_home / "bills").iterdir()
    assert {path.name for path in folder.iterdir()} == {"bill.html", "bill.csv", "chart.png"}


def test_the_bill_is_mailed_once_with_table_picture_and_csv(
    lake: Lake, instance: DagsterInstance, mailbox: Mailbox
) -> None:
    ours = Lake(mailing_settings(lake.settings, mailbox, billing_email="finance@example.com"))
    used(ours, instance)
    for _ in range(2):
        assert run_billing(ours, instance, dry_run=False).success
    [mail] = mailbox.mails
    parts = {part.get_content_type(): part for part in mail.walk() if isinstance(part, EmailMessage)}
    assert {"text/plain", "text/html", "image/png", "text/csv"} <= set(parts)
    assert "campaign" in parts["text/html"].get_content()
    assert "cid:chart" in parts["text/html"].get_content()
    assert parts["image/png"]["Content-ID"] == "<chart>"
    assert parts["image/png"].get_content().startswith(b"\x89PNG")
    assert b"campaign" in parts["text/csv"].get_content().encode()
    assert run_billing(ours, instance, dry_run=False, mail_again=True).success
    assert len(mailbox.mails) == 2


def test_a_bill_that_one_of_two_got_is_not_mailed_to_him_again(
    lake: Lake, instance: DagsterInstance, mailbox: Mailbox
) -> None:
    addresses = "finance@example.com,gone@example.com"
    ours = Lake(mailing_settings(lake.settings, mailbox, billing_email=addresses))
    mailbox.refuses = {"gone@example.com"}
    for _ in range(2):
        assert run_billing(ours, instance, dry_run=False).success
    assert len(mailbox.mails) == 1


def test_a_mail_server_that_refuses_makes_the_run_red_and_the_next_run_mails(
    lake: Lake, instance: DagsterInstance, mailbox: Mailbox
) -> None:
    ours = Lake(mailing_settings(lake.settings, mailbox, billing_email="finance@example.com"))
    mailbox.answer = "451 later"
    with pytest.raises(Exception, match="451"):
        run_billing(ours, instance, dry_run=False)
    mailbox.answer = "250 OK"
    assert run_billing(ours, instance, dry_run=False).success
    assert len(mailbox.mails) == 1


def test_without_an_address_the_bill_is_kept_and_the_run_says_why_it_was_not_mailed(
    lake: Lake, instance: DagsterInstance
) -> None:
    bill = mailing.make_bill(lake, instance, mailing.previous_month(date(2026, 3, 5)), date(2026, 3, 5))
    assert bill.month.name == "2026-02"
    kept = mailing.mail_once(lake.settings, bill, mailing.keep(lake.settings, bill), "run")
    assert kept.reason == "BILLING_EMAIL is not set; the bill is only kept"
