"""Opening a DuckDB file that another process may have open.

Belongs here: waiting for the one lock of such a file. What lies in the file is others' matter.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Final

from blotout_orchestration.errors import BlotoutError

POLL_SECONDS: Final = 0.5
_logger = logging.getLogger(__name__)


class FileBusyError(BlotoutError):
    """Another process has the file open, and still had it after the wait."""


def open_when_free(path: Path, *, read_only: bool = False, wait_seconds: float = 0.0) -> Any:
    """A connection to a DuckDB file, as soon as nobody else has it open in a way that forbids it.

    Many may read at once; one that writes is alone. Raises FileBusyError after `wait_seconds`.
    """
    import duckdb

    deadline = time.monotonic() + wait_seconds
    told = False
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                raise FileBusyError(
                    f"{path} is open in another process, after a wait of {wait_seconds:.0f} s"
                ) from error
        if not told:
            _logger.info("%s is open in another process; waiting up to %.0f s", path, wait_seconds)
            told = True
        time.sleep(POLL_SECONDS)
