"""What is not done without a person's word: emptying an audience, or removing a large share of it.

Belongs here: the guards. Does not belong here: the limits themselves (settings, options).
"""

from __future__ import annotations

from blotout_orchestration.activation.definition import Definition
from blotout_orchestration.activation.plan import Counts
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.settings import Settings

HOW = "look at the audience; if it is right, run the channel once with confirm_large_change: true"


class LargeChangeError(BlotoutError):
    """The sync was held before anything was sent."""


def check_change(settings: Settings, definition: Definition, counts: Counts) -> None:
    """Raises LargeChangeError when the audience is empty or shrank by more than its share."""
    name = definition.name
    if counts.source_rows == 0 and counts.removals > 0:
        raise LargeChangeError(
            f"{name}: the audience is empty ({counts.withheld} rows withheld), and the destination holds"
            f" {counts.held} people of us; nothing was sent: {HOW}"
        )
    own = definition.options.maximum_drop
    share = settings.activation_maximum_drop if own is None else own
    if counts.held >= settings.activation_guard_from and counts.removals > share * counts.held:
        raise LargeChangeError(
            f"{name}: {counts.removals} of {counts.held} people would be removed"
            f" ({counts.removals / counts.held:.0%}, {share:.0%} is the limit); nothing was sent: {HOW}"
        )
