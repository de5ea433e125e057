"""Settings whose registry lies in SQLite and in Postgres, and definitions to put there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blotout_orchestration.settings import Settings
from tests.registry.databases import fresh_database, postgres_server, with_database


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A Postgres server for all tests of the session."""
    with postgres_server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def registry_settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings with an empty registry, on both databases."""
    if request.param == "sqlite":
        return settings
    return with_database(settings, fresh_database(request.getfixturevalue("postgres")))
