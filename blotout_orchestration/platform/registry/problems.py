"""What is wrong in a definition, told to people.

Belongs here: one problem, and the error that carries all of them. Does not belong here: finding them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blotout_orchestration.errors import UsageError


@dataclass(frozen=True)
class Problem:
    """Something wrong in a definition: the field's path (`streams.0.cursor`), what is wrong, what was given.

    `value` is None where nothing was given, or where it must not be shown.
    """

    field: str
    reason: str
    value: str | None = None

    def line(self, source: str) -> str:
        """One line for people; `source` is the file's name."""
        given = "" if self.value is None else f" = {self.value}"
        return f"{source}: {self.field}{given}: {self.reason}"


class DefinitionError(UsageError):
    """Definitions that cannot be taken, with every problem of every one of them."""

    def __init__(self, problems: Sequence[tuple[str, Problem]]) -> None:
        """`problems` are pairs of the file (and document) and what is wrong there."""
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = [problem.line(source) for source, problem in problems]
        super().__init__("\n  ".join([f"{count} in what was defined:", *lines]))
