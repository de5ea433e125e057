"""Fixtures that every room's tests share: a lake of its own for each test, and the real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blotout_orchestration.lake import Lake
from blotout_orchestration.settings import Settings, load_settings

REPOSITORY = Path(__file__).resolve().parent.parent


def _data_folder() -> Path:
    named = os.environ.get("BLOTOUT_TEST_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data with known answers; skipped on a machine without it, required in CI."""
    folder = _data_folder()
    if not folder.is_dir():
        reason = f"no real data at {folder} (set BLOTOUT_TEST_DATA to its folder)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    """No test sees the settings that another one made this process read."""
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Embedded settings with a home of their own; the developer's environment and .env do not leak in."""
    return Settings(_env_file=None, blotout_home=tmp_path / "home", organisation="shop", environment="test")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """An empty lake."""
    return Lake(settings)
