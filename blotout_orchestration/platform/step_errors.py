"""What to tell a person of a step that failed, from the chain of errors that Dagster keeps.

Belongs here: choosing the one error of the chain. Does not belong here: where it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from dagster_shared.error import SerializableErrorInfo

from blotout_orchestration.errors import BlotoutError


def first_error(error: SerializableErrorInfo) -> str:
    """What to tell of a step's error, on one line: the outermost BlotoutError's message, which is for people.

    Where there is none, the innermost cause.
    """
    ours = {f"{kind.__module__}.{kind.__qualname__}" for kind in _kinds_of(BlotoutError)}
    told: SerializableErrorInfo | None = error
    while told is not None:
        kind, _, message = told.message.partition(": ")
        if kind in ours:
            return " ".join(message.split())
        error, told = told, told.cause
    return " ".join(error.message.split())


def _kinds_of(kind: type[BlotoutError]) -> Iterator[type[BlotoutError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds_of(below)
