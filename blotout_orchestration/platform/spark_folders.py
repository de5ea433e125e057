"""The folder through which a Spark job and the run that started it hand each other files.

Belongs here: making it, removing it, sweeping what killed runs left. What lies in it is the job's matter.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from pyarrow import fs as pafs

from blotout_orchestration.lake.layers import filesystem

_STARTED = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"\d{8}T\d{6}Z-\w+")
_ABANDONED = timedelta(days=2)
"""Folders are named by their start; no run takes days."""
_logger = logging.getLogger(__name__)


@contextmanager
def work_folder(root: str) -> Iterator[str]:
    """The location of a new folder below `root`, for one job; removed afterwards.

    Folders that killed runs left there are swept. A folder that cannot be removed is told in the log and left
    to a later sweep: it must neither hide what the job failed by, nor fail a job that succeeded.
    """
    store, folder = filesystem(root)
    _sweep(store, folder)
    name = f"{datetime.now(UTC).strftime(_STARTED)}-{uuid4().hex}"
    store.create_dir(f"{folder}/{name}", recursive=True)
    try:
        yield f"{root}/{name}"
    finally:
        _remove(store, f"{folder}/{name}")


def _sweep(store: pafs.FileSystem, folder: str) -> None:
    oldest = (datetime.now(UTC) - _ABANDONED).strftime(_STARTED)
    for left in store.get_file_info(pafs.FileSelector(folder, allow_not_found=True)):
        if _NAME.fullmatch(left.base_name) and left.base_name < oldest:
            _remove(store, left.path)


def _remove(store: pafs.FileSystem, folder: str) -> None:
    try:
        store.delete_dir(folder)
    except OSError as error:
        _logger.warning("%s was not removed, a later run tries again: %s", folder, error)
