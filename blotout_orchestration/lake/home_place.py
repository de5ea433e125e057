"""Whether the embedded catalog stands where its tables believe it does.

Belongs here: telling a home that was copied or moved. Iceberg's metadata names every file by its absolute place,
so such a home would read, and write, under the old one. Does not belong here: moving one; nothing can.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blotout_orchestration.errors import BlotoutError

if TYPE_CHECKING:
    from blotout_orchestration.settings import Settings

_PROCESSED: Final = "/lake/processed/"
"""Where a home has its tables; what lies below LAKE_LOCATION does not move with the home."""


class MovedHomeError(BlotoutError):
    """The home was made at another path than BLOTOUT_HOME, and only works there."""


def check_home_place(settings: Settings) -> None:
    """One SELECT on the embedded catalog; makes nothing, and leaves a catalog that does not open to its opener.

    Raises MovedHomeError when a table lies in another home, or in a LAKE_LOCATION that is not set any more. A path
    that leads to the same folder is no other.
    """
    home = settings.blotout_home.absolute()
    catalog = home / "catalog.db"
    if settings.catalog_uri is not None or settings.lake_location is not None or not catalog.is_file():
        return
    own = f"{home}{_PROCESSED}"
    query = (
        "select metadata_location from iceberg_tables where instr(metadata_location, ?) not in (1, 8) limit 1"
    )
    try:
        with closing(sqlite3.connect(f"{catalog.as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute(query, [own]).fetchone()
    except sqlite3.Error:
        return
    place, _, _ = (row[0] if row else "").removeprefix("file://").rpartition(_PROCESSED)
    if place and not _is_same(Path(place), home):
        if Path(f"{place}{_PROCESSED}").is_dir() and not (Path(place) / "catalog.db").is_file():
            raise MovedHomeError(
                f"the tables of {home} lie in {place}/lake, which is no home: set LAKE_LOCATION as it was when they"
                " were made"
            )
        raise MovedHomeError(
            f"{home} was made at {place}, and its tables name their files by that path: a home cannot be copied or moved."
            f" Put it back or mount it there; for another machine, `blotout backup` there and `blotout restore` with"
            f" BLOTOUT_HOME={place}"
        )


def _is_same(place: Path, home: Path) -> bool:
    try:
        return place.samefile(home)
    except OSError:
        return False
