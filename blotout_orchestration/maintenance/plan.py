"""What a maintenance job is about to do, frozen before anything is done.

Belongs here: the plan and its items, their totals and their text. Does not belong here: making a plan (each
job's own file) and carrying it out (execution.py).

A plan needs no store of its own: what was done shows in the world itself, so a job that was killed makes a
new plan when it runs again, and only what is still to do is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

SHOWN_ITEMS = 50


@dataclass(frozen=True)
class PlanItem:
    """One thing to do: its kind, on what, why, and how much it concerns (files, tables, connections; bytes).

    `details` is what the action needs to find its object again; it must be JSON and hold no secrets.
    """

    kind: str
    target: str
    why: str
    count: int = 1
    bytes: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All items of one run of a job in the order in which they are done; `refused` says what was left out."""

    job: str
    made_at: datetime
    items: tuple[PlanItem, ...]
    refused: tuple[PlanItem, ...] = ()

    def to_json(self) -> str:
        """The plan as JSON, the same for the same plan."""
        content = {
            "job": self.job,
            "made_at": self.made_at.isoformat(),
            "items": [asdict(item) for item in self.items],
            "refused": [asdict(item) for item in self.refused],
        }
        return json.dumps(content, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Plan:
        """The plan of `to_json`."""
        content = json.loads(text)
        return Plan(
            content["job"],
            datetime.fromisoformat(content["made_at"]),
            tuple(PlanItem(**item) for item in content["items"]),
            tuple(PlanItem(**item) for item in content["refused"]),
        )

    @property
    def digest(self) -> str:
        """A short hash of the plan, by which the audit log names it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def bytes(self) -> int:
        """Bytes of all items."""
        return sum(item.bytes for item in self.items)

    def counts(self) -> dict[str, int]:
        """Number of items by kind."""
        return dict(sorted(Counter(item.kind for item in self.items).items()))

    def lines(self) -> list[str]:
        """The plan as text for a log, at most `SHOWN_ITEMS` items and what was refused."""
        summary = ", ".join(f"{count} x {kind}" for kind, count in self.counts().items()) or "nothing to do"
        found = [f"plan {self.digest}: {summary}, {human_bytes(self.bytes)}"]
        found += [f"{item.kind} {item.target}: {item.why}" for item in self.items[:SHOWN_ITEMS]]
        if len(self.items) > SHOWN_ITEMS:
            found.append(f"... and {len(self.items) - SHOWN_ITEMS} more")
        return found + [f"REFUSED {item.kind} {item.target}: {item.why}" for item in self.refused]

    def markdown(self) -> str:
        """The plan as a table, at most `SHOWN_ITEMS` items."""
        lines = ["| what | on | how much | why |", "|---|---|---|---|"]
        for item in (*self.refused, *self.items[:SHOWN_ITEMS]):
            kind = f"**refused**: {item.kind}" if item in self.refused else item.kind
            amount = f"{item.count}" + (f", {human_bytes(item.bytes)}" if item.bytes else "")
            lines.append(f"| {kind} | `{_cell(item.target)}` | {amount} | {_cell(item.why)} |")
        if len(self.items) > SHOWN_ITEMS:
            lines.append(f"| | and {len(self.items) - SHOWN_ITEMS} more | | |")
        return "\n".join(lines) if len(lines) > 2 else "nothing to do"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def human_bytes(size: int) -> str:
    """`12.3 MB`; decimal units."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
