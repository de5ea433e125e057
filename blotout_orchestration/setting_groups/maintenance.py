"""The jobs that keep the platform healthy.

Belongs here: schedules, ages and thresholds of maintenance. Does not belong here: what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel


class MaintenanceSettings(BaseModel):
    """The jobs that keep the platform healthy."""
