"""The one base class of errors that people are meant to read.

Belongs here: the base classes, and how an interrupt is told from a defect. A domain declares its own errors
below them, beside the code that raises them. The command line prints such an error as one message without a
traceback.
"""

from __future__ import annotations


class BlotoutError(Exception):
    """Something a person can mend: the message names what was wrong, where, and what to do.

    Errors that are bugs of ours must not derive from it; they keep their traceback.
    `exit_code` is what the command line ends with.
    """

    exit_code = 1


class UsageError(BlotoutError):
    """What was asked for cannot be meant: an unknown job, a range of hours that cannot be read."""

    exit_code = 2


INTERRUPTED_QUERY = "Query interrupted"
"""What DuckDB's RuntimeError says of a query that Ctrl-C ended; nothing else tells it from a defect."""
