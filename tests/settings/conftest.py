"""A working directory and an environment in which no variable of the developer is set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blotout_orchestration.settings import Settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.lower() in Settings.model_fields or name.upper().startswith("BLOTOUT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
