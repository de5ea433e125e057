"""Which demo store a home holds: one, because two would mix without a word.

Belongs here: the note of it in BLOTOUT_HOME, and refusing another. Does not belong here: landing (landing.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from blotout_orchestration.demo.landing import DemoFolderError, require_store
from blotout_orchestration.demo.options import DemoOptions
from blotout_orchestration.demo.store import STORE_VERSION
from blotout_orchestration.errors import UsageError
from blotout_orchestration.settings import Settings

NOTE: Final = "demo_store.json"
"""The options of the landed store, in BLOTOUT_HOME. A home that was made before there were notes has none."""

Values = dict[str, Any]


def values_of(options: DemoOptions) -> Values:
    """Options as a store's truth names them."""
    return {**asdict(options), "last_day": options.last_day.isoformat(), "version": STORE_VERSION}


def values_in(folder: Path) -> Values:
    """The options of a written store. Raises DemoFolderError where there is none."""
    require_store(folder)
    try:
        return dict(json.loads((folder / "truth.json").read_text(encoding="utf-8"))["options"])
    except (ValueError, KeyError, TypeError):
        raise DemoFolderError(f"{folder / 'truth.json'} names no options; write the store again") from None


def check_store(settings: Settings, wanted: Values) -> None:
    """Raises UsageError when the home holds another store; one without a note may hold any."""
    note = settings.blotout_home / NOTE
    if not note.is_file():
        return
    try:
        held = json.loads(note.read_text(encoding="utf-8"))
    except ValueError:
        raise UsageError(f"{note} cannot be read; remove it if this home holds the wanted store") from None
    if held != wanted:
        raise UsageError(
            f"{settings.blotout_home.absolute()} holds the demo store of {_told(held)}; that of {_told(wanted)} would mix"
            " with it: give the same options, or set BLOTOUT_HOME to a folder of its own"
        )


def note_store(settings: Settings, wanted: Values) -> None:
    """Note what is about to be landed, so that a landing that is killed counts as well. Raises UsageError."""
    check_store(settings, wanted)
    home = settings.blotout_home
    home.mkdir(parents=True, exist_ok=True)
    unfinished = home / f".{NOTE}.tmp"
    unfinished.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(home / NOTE)


def _told(values: Any) -> str:
    return " ".join(f"{name} {value}" for name, value in sorted(dict(values).items()))
