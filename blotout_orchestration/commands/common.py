"""What several commands share: the settings of this process, formats of output.

Does not belong here: anything that only one command needs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings


class ListFormat(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"


def current_settings() -> Settings:
    """The settings of this process, with logging set up by them. Raises SettingsError."""
    from blotout_orchestration.settings import load_settings

    settings = load_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return settings


def echo(message: str) -> None:
    """Print a line at once, so that progress is visible through a pipe."""
    typer.echo(message)


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as left-aligned columns under a header; the last column is not padded."""
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(header) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in table
    ]
    lines.insert(1, "  ".join([*("-" * width for width in widths), "-" * len(header[-1])]))
    return "\n".join(lines)
