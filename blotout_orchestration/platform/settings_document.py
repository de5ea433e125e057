"""The table of all settings in docs/configuration.md, made from the settings themselves.

Belongs here: that table only; a test holds the document to it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.variables import describe, shown, variable_name
from blotout_orchestration.settings import Settings

BEGIN: Final = "<!-- settings: begin -->"
END: Final = "<!-- settings: end -->"


def settings_table() -> str:
    """A Markdown table for each group, in the order of the declarations."""
    groups: dict[str, list[str]] = {}
    for name, info in Settings.model_fields.items():
        group, meaning, compatibility = describe(name)
        extra: Any = info.json_schema_extra
        default = shown(name, info.default)
        cells = (
            f"`{variable_name(name)}`",
            _code(default) if default else "-",
            " ".join(part for part in (meaning, compatibility) if part),
            extra["expects"],
            _code((info.examples or [""])[0]),
        )
        groups.setdefault(group, []).append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    head = "| variable | default | meaning | expected | example |\n|---|---|---|---|---|\n"
    return "\n\n".join(f"### {group}\n{head}" + "\n".join(rows) for group, rows in groups.items())


def with_table(document: str) -> str:
    """The document with the table between its marks renewed. Raises UsageError without marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"the document lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


def _code(text: str) -> str:
    return f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    for path in (Path(argument) for argument in sys.argv[1:]):
        path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
