"""Segments, activation channels and their statistics.

Belongs here: guards and limits that hold for every channel. Does not belong here: what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel

from blotout_orchestration import setting_fields as fields
from blotout_orchestration.setting_fields import cron_setting, setting


class ActivationSettings(BaseModel):
    """Segments, activation channels and their statistics."""

    activation_hash_key: fields.Secret | None = setting(
        "Activation",
        None,
        "Key of the hashes in the activation ledger; another key makes every ledger start anew.",
        "a text without white space around it",
        "a-long-random-text",
        secret=True,
    )
    activation_maximum_drop: float = setting(
        "Activation",
        0.3,
        "Share of a channel's delivered people that one sync may remove without a person's word.",
        "a number from 0 to 1",
        "0.1",
        ge=0,
        le=1,
    )
    activation_guard_from: int = setting(
        "Activation",
        20,
        "Delivered people from which that share is looked at; an empty audience is always held.",
        "a whole number from 1",
        "100",
        ge=1,
    )
    activation_maximum_attempts: int = setting(
        "Activation",
        5,
        "Syncs in which a destination may reject the same row before it is given up.",
        "a whole number from 1 to 100",
        "3",
        ge=1,
        le=100,
    )
    activation_bad_row_share: float = setting(
        "Activation",
        0.75,
        "Share of invalid and rejected rows of a sync above which the check of activation_stats warns.",
        "a number from 0 to 1",
        "0.5",
        ge=0,
        le=1,
    )
    activation_stats_schedule_interval: fields.Cron = cron_setting(
        "30 0 * * *", "When the syncs of the activation channels are reconciled by channel and day."
    )
