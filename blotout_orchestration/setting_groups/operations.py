"""Billing and the upkeep of Dagster itself.

Belongs here: when the bill is mailed and to whom, and for how long Dagster remembers. Does not belong here:
what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import cron_setting, setting


class OperationsSettings(BaseModel):
    """When the bill is mailed and to whom, and for how long Dagster remembers."""

    billing_schedule_interval: fields.Cron = cron_setting(
        "0 6 3 * *",
        "When the bill of the month before is mailed; the cloud closes its books within two days.",
    )
    dagster_upkeep_schedule_interval: fields.Cron = cron_setting(
        "45 3 * * *",
        "When old runs are purged, orphaned runs are failed and failed partitions are looked for.",
    )
    billing_email: fields.Addresses = setting(
        "Billing and upkeep",
        "",
        "Who gets the monthly bill; without an address it is only kept in BLOTOUT_HOME/bills.",
        "e-mail addresses, with commas between them",
        "finance@example.com",
    )
    billing_accounts: fields.AccountNumbers = setting(
        "Billing and upkeep",
        "",
        "AWS accounts that the bill covers; default every account that Cost Explorer shows.",
        "account numbers of 12 digits, with commas between them",
        "123456789012,210987654321",
    )
    run_retention_days: int = setting(
        "Billing and upkeep",
        60,
        "Age from which finished runs and their logs are purged, in days; the newest materialization of every "
        "partition is kept for ever.",
        "a whole number from 7 to 3650",
        "90",
        ge=7,
        le=3650,
    )
    compute_log_retention_days: int = setting(
        "Billing and upkeep",
        14,
        "Age from which captured standard output of steps is removed, in days.",
        "a whole number from 1 to 3650",
        "14",
        ge=1,
        le=3650,
    )
    heartbeat_address: fields.SecretAddress | None = setting(
        "Billing and upkeep",
        None,
        "Address that is requested every five minutes while the daemon is alive, for an outside watchdog.",
        "an https:// address, or http:// within your own network",
        "https://watchdog.example.com/ping/KEY",
        secret=True,
    )
