"""Keeping below a destination's rate limits instead of running into them.

Belongs here: counting our own calls. Does not belong here: what to do when the destination says stop (retrying.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from blotout_orchestration.activation.clock import Clock


class RateLimit:
    """At most so many calls in every window: `windows` are pairs of calls and seconds."""

    def __init__(self, clock: Clock, windows: Sequence[tuple[int, float]]) -> None:
        """No call is counted yet."""
        self._clock = clock
        self._windows = [(calls, seconds, deque[float](maxlen=calls)) for calls, seconds in windows]

    def wait(self) -> None:
        """Return when one more call keeps within every window, and count it."""
        while True:
            now = self._clock.monotonic()
            pauses = [
                made[0] + seconds - now
                for calls, seconds, made in self._windows
                if len(made) == calls and made[0] + seconds > now
            ]
            if not pauses:
                break
            self._clock.sleep(max(pauses))
        for _, _, made in self._windows:
            made.append(now)
