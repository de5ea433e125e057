"""The journal of a sync: what is about to be sent, and what the destination answered, on disk before we go on.

Belongs here: writing and reading it. Does not belong here: what its content means for the ledger (ledger.py).
One JSON object a line, flushed to disk with fsync; it holds hashes only. A commit of the lake for each batch
would cost more than the batch: the lake gets the journal at the end, or from the next sync after a kill.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blotout_orchestration.activation.channel import Answer, Batch


@dataclass(frozen=True)
class Header:
    """What a sync knew before its first batch."""

    channel: str
    sync_id: str
    channel_type: str
    mode: str
    version: int
    started_at: str
    withheld: int
    source_rows: int
    unchanged: int
    invalid: int


@dataclass(frozen=True)
class End:
    """How a sync ended. `matched` is the destination's own count of people."""

    state: str
    message: str | None = None
    matched: int | None = None


@dataclass
class SentBatch:
    """A batch of the journal. `rejected` is None while no answer was seen."""

    key: str
    operation: str
    rows: list[tuple[str, str | None, str | None]]
    receipt: str | None = None
    rejected: dict[int, str] | None = None


class Journal:
    """A journal being written."""

    def __init__(self, path: Path) -> None:
        """Opens the file to append; a line that a kill cut off is ended first."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        cut = _is_cut(path)
        self.path = path
        self._file = path.open("ab")
        path.chmod(0o600)
        if cut:
            self._file.write(b"\n")
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def begin(self, header: Header) -> None:
        """The first line."""
        self._write({"t": "begin", **asdict(header)})

    def invalid(self, rows: Sequence[tuple[str | None, str]]) -> None:
        """Rows that are not sent, with why."""
        self._write({"t": "invalid", "rows": rows})

    def send(self, batch: Batch) -> None:
        """Before a batch is sent."""
        rows = [(row.key_hash, row.payload_hash, row.removal_key) for row in batch.rows]
        self._write({"t": "send", "b": batch.idempotency_key, "op": batch.operation, "rows": rows})

    def receipt(self, batch: Batch, receipt: str) -> None:
        """The destination took it and is at work."""
        self._write({"t": "receipt", "b": batch.idempotency_key, "receipt": receipt})

    def answer(self, key: str, answer: Answer) -> None:
        """The destination is done with the batch."""
        rejected = [(one.index, one.reason) for one in answer.rejections]
        self._write({"t": "answer", "b": key, "rejected": rejected})

    def not_taken(self, key: str) -> None:
        """The destination took nothing of the batch."""
        self._write({"t": "not_taken", "b": key})

    def end(self, end: End) -> None:
        """The last line: nothing more will be sent."""
        self._write({"t": "end", **asdict(end)})

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; it stays."""
        self._file.close()


def _is_cut(path: Path) -> bool:
    """Whether the last line has no end."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a journal; one that a kill cut off says nothing."""
    with path.open("rb") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def header(path: Path) -> Header | None:
    """The first line; None when the sync was killed before it was written, and so before it sent anything."""
    first = next(entries(path), None)
    if first is None or first.pop("t", None) != "begin":
        return None
    return Header(**first)


def end(path: Path) -> End | None:
    """How the sync ended; None when it was killed before."""
    for entry in entries(path):
        if entry.pop("t") == "end":
            return End(**entry)
    return None


def batches(path: Path) -> Iterator[SentBatch]:
    """Every batch once: answered ones in the order of their answers, then those without an answer.

    Batches that the destination did not take are left out.
    """
    open_: dict[str, SentBatch] = {}
    for entry in entries(path):
        key = entry.get("b", "")
        if entry["t"] == "send":
            open_[key] = SentBatch(key, entry["op"], [tuple(row) for row in entry["rows"]])
        elif entry["t"] == "receipt":
            open_[key].receipt = entry["receipt"]
        elif entry["t"] == "not_taken":
            open_.pop(key, None)
        elif entry["t"] == "answer" and key in open_:
            batch = open_.pop(key)
            batch.rejected = {int(index): str(reason) for index, reason in entry["rejected"]}
            yield batch
    yield from open_.values()


def invalid_rows(path: Path) -> Iterator[tuple[str | None, str]]:
    """Rows that were not sent, with why."""
    for entry in entries(path):
        if entry["t"] == "invalid":
            yield from ((key_hash, reason) for key_hash, reason in entry["rows"])
