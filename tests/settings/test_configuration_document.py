"""docs/configuration.md says what the settings are."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.settings_document import settings_table, with_table
from blotout_orchestration.platform.variables import describe
from blotout_orchestration.settings import Settings

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_document_holds_the_table_of_the_settings() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_table(text) == text


def test_every_setting_has_a_row_of_five_cells() -> None:
    rows = [line for line in settings_table().splitlines() if line.startswith("| `")]
    named = [re.match(r"\| `(\w+)`", row).group(1).lower() for row in rows]  # type: ignore[union-attr]
    groups = [describe(name)[0] for name in named]
    assert sorted(named) == sorted(Settings.model_fields)
    assert [group for group, _ in itertools.groupby(groups)] == list(dict.fromkeys(groups))
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_every_variable_that_the_document_names_exists() -> None:
    names = set(re.findall(r"`([A-Z][A-Z_]+)(?:=|`|/)", DOCUMENT.read_text(encoding="utf-8")))
    assert names - {"NAME", "NULL", "PASSWORD", "AWS_ENDPOINT_URL", "DEBUG", "INFO", "WARNING", "ERROR"} <= {
        name.upper() for name in Settings.model_fields
    }


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(UsageError, match="lacks the marks"):
        with_table("nothing here")
