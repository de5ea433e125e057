"""A channel's folder in BLOTOUT_HOME: its lock, its journals, its staging file, the wish to cancel.

Belongs here: where these lie and who may use them at a time. Does not belong here: what is in them. The folder
must outlive a run: on a machine whose disk goes with the run, what a killed run sent is not known to the next.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.settings import Settings


class ChannelBusyError(BlotoutError):
    """Another process of this machine is syncing the channel."""


@dataclass(frozen=True)
class Workspace:
    """The folder of one channel."""

    settings: Settings
    channel: str

    @property
    def folder(self) -> Path:
        """BLOTOUT_HOME/activation/{channel}, for its owner only."""
        path = self.settings.blotout_home.absolute() / "activation" / self.channel
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    @property
    def staging(self) -> Path:
        """The file of staging.py."""
        return self.folder / "staging.duckdb"

    def dry_run(self) -> Path:
        """A staging file of this process's own, beside that of a sync."""
        return self.folder / f"dry-run-{os.getpid()}-{uuid4().hex[:8]}.duckdb"

    def left_behind(self) -> list[Path]:
        """Staging files of dry runs whose process is gone."""
        found = self.folder.glob("dry-run-*.duckdb")
        return [path for path in found if not _alive(int(path.name.split("-")[2]))]

    def journal(self, sync_id: str) -> Path:
        """The journal of a sync."""
        return self.folder / f"{sync_id.replace('/', '_')}.journal"

    def journals(self) -> list[Path]:
        """Journals of syncs that did not come to their end, oldest first."""
        return sorted(self.folder.glob("*.journal"), key=lambda path: path.stat().st_mtime_ns)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process at a time; a killed one lets go. Raises ChannelBusyError."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ChannelBusyError(
                    f"{self.channel}: another sync of this channel is under way; wait for its end"
                ) from None
            yield

    def ask_to_cancel(self) -> None:
        """Let the sync under way stop after its present batch."""
        (self.folder / "cancel").touch()

    def cancel_asked(self) -> bool:
        """Whether somebody asked."""
        return (self.folder / "cancel").exists()

    def forget_cancel(self) -> None:
        """A wish counts for the sync under way only."""
        (self.folder / "cancel").unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
