"""The commands that both registries have: list, show, pause, resume, remove, test.

Belongs here: words around the registry's functions. Does not belong here: how one registry is parsed.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from blotout_orchestration.commands.common import ListFormat, columns, current_settings, echo
from blotout_orchestration.errors import UsageError

if TYPE_CHECKING:
    from blotout_orchestration.commands.registry_hooks import Hooks
    from blotout_orchestration.platform.registry import Registry
    from blotout_orchestration.platform.registry.files import DefinitionFile
    from blotout_orchestration.platform.registry.store import Change
    from blotout_orchestration.settings import Settings

FILE_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Commands:
    """What one registry's commands work on. `word` is what people call a definition of it."""

    word: str
    registry: Registry[Any]
    hooks: Hooks
    read: Callable[[Path, Callable[[Any], Sequence[Any]]], DefinitionFile[Any]]
    put: Callable[[Settings, Sequence[Any]], Mapping[str, Change]]
    header: Sequence[str]
    cells: Callable[[Any], Sequence[str]]

    def add(self, path: Path) -> None:
        """Take the definitions of a file, all or none."""
        settings = current_settings()
        found = self._read_file(path)
        changes = self.put(settings, found.definitions)
        for note in [*found.notes, *self._warnings(settings, found.definitions)]:
            typer.secho(f"warning: {note}", fg=typer.colors.YELLOW, err=True)
        for name, change in changes.items():
            if change != "unchanged":
                self._record(settings, "add", name, change=change)
            echo(f"{name}: {change}")

    def show_all(self, format_: ListFormat) -> None:
        """Print every definition that holds, and those that cannot be read."""
        contents = self.registry.contents(current_settings())
        if format_ is ListFormat.JSON:
            listed = [_document(one) for one in contents.live.values()]
            broken = [{"name": name, "error": reason} for name, reason in contents.broken.items()]
            echo(json.dumps([*listed, *broken], indent=2, ensure_ascii=False))
            return
        rows = [
            (one.name, *self.cells(one), one.timing.text, "paused" if one.paused else "active")
            for one in contents.live.values()
        ]
        gap = ("",) * (len(self.header) + 1)
        rows += [(name, *gap, f"cannot be read: {reason}") for name, reason in contents.broken.items()]
        if rows:
            echo(columns(("name", *self.header, "runs (UTC)", "state"), rows))
        else:
            typer.echo(f"no {self.word} yet: `blotout {self.word}s add FILE`", err=True)

    def show(self, name: str) -> None:
        """Print a definition as the registry keeps it."""
        echo(json.dumps(_document(self._one(current_settings(), name)), indent=2, ensure_ascii=False))

    def set_paused(self, name: str, paused: bool) -> None:
        """Pause or resume."""
        from blotout_orchestration.platform.registry import pause, resume

        settings = current_settings()
        change = (pause if paused else resume)(settings, self.registry, name)
        state = "paused" if paused else "active"
        if change == "unchanged":
            echo(f"{name}: was {state} already")
            return
        self._record(settings, "pause" if paused else "resume", name)
        echo(f"{name}: {state} from the sensor's next look on, within half a minute")

    def remove(self, name: str) -> None:
        """Take a definition out."""
        from blotout_orchestration.platform.registry import remove

        settings = current_settings()
        remove(settings, self.registry, name)
        self._record(settings, "remove", name)
        echo(f"{name}: removed; its tables, its runs and its history stay")

    def test(self, name_or_file: str) -> None:
        """Connect and print a sample, without writing."""
        settings = current_settings()
        path = Path(name_or_file)
        if path.suffix.lower() in FILE_ENDINGS:
            definitions: Iterable[Any] = self._read_file(path).definitions
        else:
            definitions = [self._one(settings, name_or_file)]
        for definition in definitions:
            for line in self.hooks.probe(settings, definition):
                echo(line)

    def _read_file(self, path: Path) -> DefinitionFile[Any]:
        return self.read(path, self.hooks.problems)

    def _warnings(self, settings: Settings, definitions: Iterable[Any]) -> list[str]:
        from blotout_orchestration.commands.registry_hooks import missing_secrets

        return [
            line
            for one in definitions
            for line in (*missing_secrets(settings, one), *self.hooks.warn(settings, one))
        ]

    def _one(self, settings: Settings, name: str) -> Any:
        contents = self.registry.contents(settings)
        if name in contents.broken:
            raise UsageError(f"{self.word} {name} cannot be read: {contents.broken[name]}")
        if name not in contents.live:
            raise UsageError(
                f"there is no {self.word} {name!r}; there are: {', '.join(contents.live) or 'none'}"
            )
        return contents.live[name]

    def _record(self, settings: Settings, action: str, name: str, **details: str) -> None:
        from blotout_orchestration.platform.database.audit import record

        record(
            settings,
            actor=getpass.getuser(),
            action=f"{self.word}s.{action}",
            target=name,
            outcome="done",
            details=details,
        )


def _document(definition: Any) -> dict[str, Any]:
    """A definition as JSON, with its times."""
    return {
        **definition.model_dump(mode="json", by_alias=True, exclude_none=True),
        "created_at": definition.created_at.isoformat(),
        "updated_at": definition.updated_at.isoformat(),
    }
