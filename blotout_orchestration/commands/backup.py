"""`blotout backup` and `blotout restore`: the embedded ground as one file, and back.

Belongs here: the commands. Does not belong here: how the copy is made.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from blotout_orchestration.commands.common import current_settings, echo


def backup(
    archive: Annotated[
        Path | None,
        typer.Argument(help="File to write; default blotout-MOMENT.tar.gz in the working directory."),
    ] = None,
) -> None:
    """Write all of BLOTOUT_HOME (lake, catalog, warehouse, registries, Dagster) to one file, also while it runs."""
    from blotout_orchestration.platform.backup import back_up, default_archive

    now = datetime.now(UTC)
    made = back_up(current_settings(), archive or default_archive(now), now, echo)
    echo(f"{made.path}: {made.files} files, {made.bytes / 1e6:,.1f} MB; it holds personal data, keep it safe")


def restore(archive: Annotated[Path, typer.Argument(help="File that `blotout backup` wrote.")]) -> None:
    """Put a backup in the place of BLOTOUT_HOME, which must be empty; stop `blotout ui` and `web` first."""
    from blotout_orchestration.platform.backup import restore as put_back

    settings = current_settings()
    made = put_back(settings, archive, echo)
    echo(f"{settings.blotout_home.absolute()}: {made.files} files, {made.bytes / 1e6:,.1f} MB")
