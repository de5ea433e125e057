"""docs/events.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from blotout_orchestration.events.contract import BAD_REASONS
from blotout_orchestration.events.contract_table import with_table
from blotout_orchestration.events.kernel import connect, flatten_lines
from blotout_orchestration.events.kernel_sql import kernel_sql
from blotout_orchestration.events.reader import LINES_SCHEMA

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "events.md"


def test_the_contract_in_the_documentation_is_the_one_in_the_code() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_table(text) == text, (
        "run python -m blotout_orchestration.events.contract_table docs/events.md"
    )


def test_every_piece_of_the_kernel_query_is_filled_in() -> None:
    assert "/*" not in kernel_sql()
    assert flatten_lines(connect(), LINES_SCHEMA.empty_table()).good.num_rows == 0


def test_every_reason_of_bad_events_is_explained_and_known_to_replay_bad() -> None:
    section = (
        DOCUMENT.read_text("utf-8").partition("| reason | what is kept in `raw` |")[2].partition("\n\n")[0]
    )
    explained = [
        name for row in section.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    assert sorted(explained) == sorted(BAD_REASONS)
    in_kernel = set(re.findall(r"(?:then|else) '(\w+_\w+)'", kernel_sql())) - {"platform_code"}
    assert in_kernel <= set(BAD_REASONS), "add it to BAD_REASONS and to docs/events.md"
    assert len(in_kernel) > 5
