"""The warehouse that the tests of the reports fill."""

from __future__ import annotations

from pathlib import Path

import pytest

from .warehouse import ReportWarehouse


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps the parsed project between the tests."""
    return tmp_path_factory.mktemp("dbt_target")


@pytest.fixture
def warehouse(tmp_path: Path, parsed: Path, monkeypatch: pytest.MonkeyPatch) -> ReportWarehouse:
    """An empty unified layer in the working directory; the environment of dbt is put back afterwards.

    The path in dbt's profile is relative and always the same: another one makes dbt parse the project again.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOTOUT_DBT_WAREHOUSE", "warehouse.duckdb")
    monkeypatch.setenv("BLOTOUT_DBT_SCHEMA", "shop_test")
    monkeypatch.setenv("BLOTOUT_DBT_TARGET", "duckdb")
    return ReportWarehouse(tmp_path, parsed)
