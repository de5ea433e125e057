"""What a person at the command line sees of a dbt run: how far it is, and what dbt warns of.

Belongs here: thinning out the lines that dbt prints. All of them stay in `dbt.log` of the run's target folder;
the UI shows them as the step's output.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from typing import TypeVar

Event = TypeVar("Event")
STEP = 25
"""A line of progress after this many models and tests."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NODE = re.compile(r"\d+ of (\d+) (\w+)")
_WORTH_SAYING = {"WARN", "ERROR", "FAIL"}


class DbtOutput(io.TextIOBase):
    """A standard output that counts the finished nodes of dbt, and passes on warnings and failures."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._line = ""
        self._done = 0

    def write(self, text: str) -> int:
        """Take in what dbt prints, in parts of any size."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._read(_COLOUR.sub("", line).strip())
        return len(text)

    def _read(self, line: str) -> None:
        node = _NODE.match(line)
        if node is None:
            return
        total, state = int(node.group(1)), node.group(2)
        if state in _WORTH_SAYING:
            self._say(f"dbt: {line}")
        if state != "START":
            self._done += 1
            if self._done % STEP == 0 or self._done == total:
                self._say(f"dbt: {self._done} of {total} models and tests done")


def quietly(events: Iterable[Event], say: Callable[[str], None]) -> Iterator[Event]:
    """The events of a dbt run, with what is printed while they are waited for thinned out.

    The output is taken only between two events, so that nobody else's lines are swallowed.
    """
    output, waiting = DbtOutput(say), iter(events)
    while True:
        with redirect_stdout(output):
            try:
                event = next(waiting)
            except StopIteration:
                return
        yield event
