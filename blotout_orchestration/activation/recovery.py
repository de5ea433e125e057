"""The end of a sync, its own or one that a later sync writes for it after a kill.

Belongs here: bringing a journal into the lake. A journal is deleted when all of it is there; until then
doing it again gives the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from blotout_orchestration.activation import journal as journals
from blotout_orchestration.activation.channel import (
    Channel,
    ChannelError,
    ThrottledError,
    UnavailableError,
)
from blotout_orchestration.activation.clock import Clock
from blotout_orchestration.activation.delivery import collect
from blotout_orchestration.activation.journal import End, Journal
from blotout_orchestration.activation.ledger import UNKNOWN, apply_journal, count_held, write_run
from blotout_orchestration.activation.report import run_row
from blotout_orchestration.activation.workspace import Workspace
from blotout_orchestration.lake import Lake


def conclude(lake: Lake, connection: Any, path: Path, clock: Clock) -> dict[str, Any]:
    """Bring a whole journal into the lake and delete it; returns its row of activation_runs.

    Afterwards the connection's table `ledger` is the channel's new state.
    """
    header = journals.header(path)
    if header is None:
        raise ValueError("a journal without a header")
    ended = journals.end(path) or End("killed", "the process ended in mid sync")
    now = clock.now()
    counts = apply_journal(lake, connection, path, header, now)
    row = run_row(header, ended, counts, count_held(connection), now)
    write_run(lake, row)
    path.unlink()
    return row


def recover(
    lake: Lake,
    connection: Any,
    workspace: Workspace,
    channel: Channel,
    clock: Clock,
    progress: Callable[[str], None],
) -> int:
    """Conclude the journals of killed syncs; returns how many batches they had.

    Batches with a receipt are asked for; those without an answer become `unknown` and are sent again under
    their old idempotency key.
    """
    recovered = 0
    for path in workspace.journals():
        if journals.header(path) is None:
            path.unlink()
            continue
        if journals.end(path) is None:
            _ask(path, channel, clock, progress)
        row = conclude(lake, connection, path, clock)
        recovered += int(row["batches"])
        progress(
            f"sync {row['run_id']} was {row['state']}: {row['accepted']} rows accepted, {row['unsent']} not answered"
        )
    return recovered


def _ask(path: Path, channel: Channel, clock: Clock, progress: Callable[[str], None]) -> None:
    """Ask for the answers that a killed sync did not wait for; some may stay unknown."""
    journal = Journal(path)
    try:
        for batch in journals.batches(path):
            if batch.rejected is not None or batch.receipt is None:
                continue
            try:
                journal.answer(batch.key, collect(channel, batch.receipt, len(batch.rows), clock))
            except (ChannelError, ThrottledError, UnavailableError) as error:
                progress(f"a batch of a killed sync stays {UNKNOWN}: {error}")
    finally:
        journal.close()
