"""The contract of core_events as a table in Markdown, for docs/events.md.

`python -m blotout_orchestration.events.contract_table docs/events.md` writes it between the marks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from blotout_orchestration.events.contract import CORE_EVENTS

BEGIN, END = "<!-- contract:", "<!-- end of contract -->"


def contract_table() -> str:
    """One row a column: name, type, meaning."""
    rows = [f"| `{column.name}` | {column.type} | {column.description} |" for column in CORE_EVENTS.columns]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows])


def with_table(text: str) -> str:
    """The document with the present table between its marks; raises ValueError without the marks."""
    start = text.index("\n", text.index(BEGIN)) + 1
    return f"{text[:start]}{contract_table()}\n{text[text.index(END) :]}"


def main() -> None:
    """Rewrite the document named on the command line."""
    document = Path(sys.argv[1])
    document.write_text(with_table(document.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
