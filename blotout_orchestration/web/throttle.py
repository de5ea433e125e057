"""The brake on guessed passwords: who failed too often waits, longer each time.

Belongs here: counting failed logins. Does not belong here: checking passwords. The counts lie in memory: a
restart forgets them, which a guesser cannot cause; the failures themselves stay in the audit log.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FIRST_WAIT: Final = 30.0
LONGEST_WAIT: Final = 900.0
"""Seconds; doubled with each further failure up to the longest."""
FORGOTTEN_AFTER: Final = 3600.0
REMEMBERED: Final = 20_000
"""Counters at most, the oldest are forgotten first: guesses from a million addresses must not fill the memory."""
ADDRESS_FACTOR: Final = 4
NAME_FACTOR: Final = 20
"""One address tries several names, one name is tried from several addresses: those limits are this much wider,
so that a stranger cannot lock a colleague out with a handful of guesses."""


@dataclass
class _Count:
    failures: int = 0
    last: float = 0.0
    waits_until: float = 0.0


class Throttle:
    """Failed logins by (name, address), by address and by name. `attempts` of the pair are free."""

    def __init__(self, attempts: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = attempts
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Count an attempt before its password is looked at; the seconds to wait, 0 when it may go on.

        Counted in advance, so that guesses sent at the same time do not all pass. `succeeded` takes it back.
        """
        with self._lock:
            now = self._clock()
            counted = [(self._count(key, now), free) for key, free in self._keys(name, address)]
            wait = max(count.waits_until - now for count, _ in counted)
            if wait > 0:
                return wait
            for count, free in counted:
                count.failures += 1
                count.last = now
                excess = count.failures - free
                if excess >= 0:
                    count.waits_until = now + min(FIRST_WAIT * 2 ** min(excess, 10), LONGEST_WAIT)
            return 0.0

    def succeeded(self, name: str, address: str) -> None:
        """The password was right: the pair starts anew, and the wider counts lose this attempt only."""
        with self._lock:
            for index, (key, free) in enumerate(self._keys(name, address)):
                count = self._counts.get(key)
                if count is not None:
                    count.failures = 0 if index == 0 else count.failures - 1
                    if count.failures < free:
                        count.waits_until = 0.0

    def _keys(self, name: str, address: str) -> list[tuple[tuple[str, str], int]]:
        return [
            ((name, address), self._attempts),
            (("", address), self._attempts * ADDRESS_FACTOR),
            ((name, ""), self._attempts * NAME_FACTOR),
        ]

    def _count(self, key: tuple[str, str], now: float) -> _Count:
        count = self._counts.get(key)
        if count is None or now - count.last > FORGOTTEN_AFTER:
            count = self._counts[key] = _Count()
        self._counts.move_to_end(key)
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
        return count
