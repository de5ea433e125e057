"""Fixtures of the click stream's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from blotout_orchestration.lake import Lake

from .sdk_requests import bad_rows, core_rows, flatten_pending, put


@pytest.fixture
def flatten_one(lake: Lake) -> Callable[..., dict[str, Any]]:
    """Land one request line, flatten it, and return the single good row."""

    def run(line: str) -> dict[str, Any]:
        put(lake, [line])
        flatten_pending(lake)
        rows = core_rows(lake)
        assert len(rows) == 1, bad_rows(lake)
        return rows[0]

    return run
