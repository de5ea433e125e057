"""The login in front of the Dagster UI.

Belongs here: users, sessions and the identity provider. Does not belong here: what reads them.
"""

from __future__ import annotations

from pydantic import BaseModel


class DoorSettings(BaseModel):
    """The login in front of the Dagster UI."""
