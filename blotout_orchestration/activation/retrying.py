"""Trying a call again: exponential backoff with jitter, and never sooner than the destination says.

Belongs here: when and how often. Does not belong here: telling the kinds of errors apart, which each channel does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from blotout_orchestration.activation.channel import ThrottledError, UnavailableError
from blotout_orchestration.activation.clock import Clock

Result = TypeVar("Result")
ATTEMPTS = 8
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 120.0
LONGEST_RETRY_AFTER = 3600.0
_backoff = wait_random_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)


def pause(state: RetryCallState) -> float:
    """Seconds before the next try: full jitter, at least what Retry-After or a usage header asked for."""
    jittered = _backoff(state)
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ThrottledError) else None
    return jittered if asked is None else min(asked, LONGEST_RETRY_AFTER) + min(jittered, 1.0)


def with_retries(action: Callable[[], Result], clock: Clock, attempts: int = ATTEMPTS) -> Result:
    """Call until it answers. Raises the last ThrottledError or UnavailableError after so many tries, all else at once."""
    retrying = Retrying(
        sleep=clock.sleep,
        wait=pause,
        stop=stop_after_attempt(attempts),
        retry=retry_if_exception_type((ThrottledError, UnavailableError)),
        reraise=True,
    )
    return retrying(action)
