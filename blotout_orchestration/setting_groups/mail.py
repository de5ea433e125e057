"""Mails and alerts.

Belongs here: how a mail leaves and who gets which. Does not belong here: what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel


class MailSettings(BaseModel):
    """Mails and alerts."""
