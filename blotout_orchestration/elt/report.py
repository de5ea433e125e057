"""What a load did, stream by stream: the figures that metadata, logs and tests read.

Belongs here: counts and their presentation, without a value of any row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StreamReport:
    """One stream: what was read, what of it was written, and what went out of the table for it.

    Read rows that were not written are unchanged, discarded by the contract, deleted at the source, or older
    versions of a row that came twice.
    """

    stream: str
    table: str
    rows_read: int = 0
    rows_added: int = 0
    rows_replaced: int = 0
    rows_deleted: int = 0
    rows_unchanged: int = 0
    rows_discarded: int = 0
    values_discarded: int = 0
    rows_in_table: int = 0
    bytes: int = 0
    new_columns: tuple[str, ...] = ()
    widened_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    cursor_before: str | None = None
    cursor_after: str | None = None
    seconds: float = 0.0
    error: str | None = None

    @property
    def committed(self) -> bool:
        """Whether the stream was loaded."""
        return self.error is None

    def metadata(self) -> dict[str, Any]:
        """The figures by name, empty ones left out."""
        found = {
            "dagster/row_count": self.rows_in_table,
            "rows_read": self.rows_read,
            "rows_added": self.rows_added,
            "rows_replaced": self.rows_replaced,
            "rows_deleted": self.rows_deleted,
            "rows_unchanged": self.rows_unchanged,
            "rows_discarded": self.rows_discarded,
            "values_discarded": self.values_discarded,
            "bytes": self.bytes,
            "new_columns": ", ".join(self.new_columns),
            "widened_columns": ", ".join(self.widened_columns),
            "missing_columns": ", ".join(self.missing_columns),
            "cursor_before": self.cursor_before,
            "cursor_after": self.cursor_after,
            "seconds": round(self.seconds, 2),
        }
        return {name: value for name, value in found.items() if value not in (None, "")}


@dataclass(frozen=True)
class LoadReport:
    """One run of one pipeline."""

    pipeline: str
    schema: str
    streams: tuple[StreamReport, ...]
    feeds: dict[str, int] = field(default_factory=dict)
    """Rows that the source has in each contract table that this run changed."""

    @property
    def failed(self) -> tuple[StreamReport, ...]:
        """Streams that were not loaded."""
        return tuple(stream for stream in self.streams if not stream.committed)

    def table(self) -> str:
        """The streams as a Markdown table."""
        lines = [
            "| stream | read | added | replaced | deleted | discarded | bytes | new columns | cursor | outcome |",
            "|---|--:|--:|--:|--:|--:|--:|---|---|---|",
        ]
        for one in self.streams:
            cursor = f"{one.cursor_before or '-'} → {one.cursor_after or '-'}"
            lines.append(
                f"| `{self.schema}.{one.table}` | {one.rows_read:,} | {one.rows_added:,} | {one.rows_replaced:,} "
                f"| {one.rows_deleted:,} | {one.rows_discarded:,} | {one.bytes:,} "
                f"| {', '.join(one.new_columns) or '-'} | {cursor} | {_outcome(one)} |"
            )
        return "\n".join(lines)


def _outcome(stream: StreamReport) -> str:
    return (stream.error or "loaded").replace("|", "/").replace("\n", " ")
