"""The destination's own count of people, asked for after a sync.

Belongs here: asking, and what is done when it does not tell. A sync does not fail for it.
"""

from __future__ import annotations

from collections.abc import Callable

from blotout_orchestration.activation.channel import (
    Channel,
    ChannelError,
    RefusedError,
    ThrottledError,
    UnavailableError,
)


def told_count(channel: Channel, progress: Callable[[str], None]) -> int | None:
    """The count, or None when the destination has none or cannot be asked now, which is told to people."""
    try:
        return channel.matched()
    except (ChannelError, RefusedError, ThrottledError, UnavailableError) as error:
        progress(f"the destination does not tell its own count: {error}")
        return None
