"""The job `billing` and its schedule.

Belongs here: the Dagster objects, thin. Does not belong here: the bill.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from dagster import (
    AssetMaterialization,
    Config,
    DefaultScheduleStatus,
    JobDefinition,
    MetadataValue,
    OpExecutionContext,
    Output,
    ScheduleDefinition,
    job,
    op,
)
from pydantic import Field

from blotout_orchestration.lake import Lake
from blotout_orchestration.maintenance.billing import mailing, showing
from blotout_orchestration.maintenance.billing.bill import month_named
from blotout_orchestration.platform.plots import picture

JOB = "billing"
OP = "make_bill"


class BillingConfig(Config):
    """What a run of `billing` can be told in the Launchpad."""

    month: str | None = Field(
        None, description="Month of the bill, such as 2026-10; default the newest that is over."
    )
    dry_run: bool = Field(True, description="Make and keep the bill, but mail it to nobody.")
    mail_again: bool = Field(False, description="Mail it although this month's bill was mailed before.")


def billing_job(lake: Lake) -> JobDefinition:
    """The job under its DAG name."""

    @op(name=OP, description="Adds up a month, keeps the bill, and mails it once.")
    def make_bill(
        context: OpExecutionContext, config: BillingConfig
    ) -> Iterator[AssetMaterialization | Output[None]]:
        today = datetime.now(UTC).date()
        month = month_named(config.month) if config.month else mailing.previous_month(today)
        bill = mailing.make_bill(lake, context.instance, month, today)
        folder = mailing.keep(lake.settings, bill)
        if config.dry_run:
            result = mailing.Mailed(folder, 0, "a dry run")
        else:
            result = mailing.mail_once(lake.settings, bill, folder, context.run_id, config.mail_again)
        context.log.info(
            f"{bill.subject}: mailed to {result.recipients} recipients{f' ({result.reason})' if result.reason else ''}"
        )
        totals = {f"total {unit}": MetadataValue.float(float(bill.total(unit))) for unit in bill.units}
        yield AssetMaterialization(
            JOB,
            description=bill.subject,
            metadata={
                "bill": MetadataValue.md(f"```\n{showing.text(bill)}```"),
                "chart": picture(mailing.first_chart(bill), "Use by item"),
                "recipients": result.recipients,
                "not_mailed_because": result.reason,
                "kept_in": MetadataValue.path(str(folder)),
                **totals,
            },
        )
        yield Output(None)

    @job(
        name=JOB,
        description="Monthly: cost by service and day against the month before, mailed to BILLING_EMAIL; on "
        "embedded ground the platform's own use.",
        tags={"category": "Misc", "owner": "team:data-platform"},
    )
    def billing() -> None:
        make_bill()

    return billing


def billing_schedule(lake: Lake, billing: JobDefinition) -> ScheduleDefinition:
    """Mails the month before; a hand-started run only shows it."""
    return ScheduleDefinition(
        name=f"{JOB}_schedule",
        job=billing,
        cron_schedule=lake.settings.billing_schedule_interval,
        execution_timezone="UTC",
        default_status=DefaultScheduleStatus.RUNNING,
        run_config={"ops": {OP: {"config": {"dry_run": False}}}},
        description="BILLING_SCHEDULE_INTERVAL: the bill of the month before.",
    )
