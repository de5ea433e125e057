"""The one base class of errors that people are meant to read.

Belongs here: the base class only. A domain declares its own errors below it, beside the code that raises
them. The command line prints such an error as one message without a traceback.
"""

from __future__ import annotations


class BlotoutError(Exception):
    """Something a person can mend: the message names what was wrong, where, and what to do.

    Errors that are bugs of ours must not derive from it; they keep their traceback.
    """
