"""Segments, activation channels and their statistics.

Belongs here: guards and limits that hold for every channel. Does not belong here: what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel


class ActivationSettings(BaseModel):
    """Segments, activation channels and their statistics."""
