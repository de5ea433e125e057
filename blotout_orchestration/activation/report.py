"""What a sync tells people and tables: counts, reasons, a masked sample.

Belongs here: the report and its row in activation_runs. Does not belong here: making any of its figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from blotout_orchestration.activation.journal import End, Header
from blotout_orchestration.activation.plan import Counts, Planned
from blotout_orchestration.activation.values import mask


@dataclass(frozen=True)
class SyncReport:
    """One sync, or with `state` `dry_run` what it would do. Counts are rows.

    source_rows = sent + unchanged + invalid + unsent; sent + removed = accepted + rejected.
    """

    channel: str
    run_id: str
    channel_type: str
    mode: str
    state: str
    withheld: int = 0
    source_rows: int = 0
    creates: int = 0
    updates: int = 0
    removals: int = 0
    sent: int = 0
    unchanged: int = 0
    invalid: int = 0
    unsent: int = 0
    removed: int = 0
    accepted: int = 0
    rejected: int = 0
    matched: int | None = None
    held: int = 0
    batches: int = 0
    message: str | None = None
    invalid_reasons: Mapping[str, int] = field(default_factory=dict)
    rejected_reasons: Mapping[str, int] = field(default_factory=dict)
    sample: tuple[Mapping[str, str], ...] = ()
    recovered: int = 0
    """Batches of killed syncs that were brought into the ledger first."""

    @property
    def bad_share(self) -> float:
        """Share of the rows that are invalid or rejected."""
        total = self.sent + self.removed + self.invalid
        return (self.invalid + self.rejected) / total if total else 0.0


def masked(planned: Planned) -> dict[str, str]:
    """A row of the plan as people may see it."""
    return {"what": planned.kind, **{name: mask(value) for name, value in planned.row.values.items()}}


def summary(counts: Counts) -> str:
    """A plan in one line."""
    return (
        f"{counts.source_rows} rows: {counts.creates} to create, {counts.updates} to update or send again,"
        f" {counts.unchanged} unchanged, {counts.invalid} invalid, {counts.withheld} withheld;"
        f" {counts.removals} to remove of {counts.held} held by the destination"
    )


def run_row(
    header: Header, ended: End, counts: Mapping[str, int], held: int, finished_at: datetime
) -> dict[str, Any]:
    """The row of activation_runs. Invalid rows that a kill kept out of the journal count as unsent."""
    due = header.source_rows - header.unchanged - counts["invalid"]
    return {
        "channel": header.channel,
        "run_id": header.sync_id,
        "channel_type": header.channel_type,
        "mode": header.mode,
        "state": ended.state,
        "started_at": datetime.fromisoformat(header.started_at),
        "finished_at": finished_at,
        "withheld": header.withheld,
        "source_rows": header.source_rows,
        "sent": counts["sent"],
        "unchanged": header.unchanged,
        "invalid": counts["invalid"],
        "unsent": due - counts["sent"],
        "removed": counts["removed"],
        "accepted": counts["accepted"],
        "rejected": counts["rejected"],
        "matched": ended.matched,
        "held": held,
        "batches": counts["batches"],
        "message": ended.message,
    }
