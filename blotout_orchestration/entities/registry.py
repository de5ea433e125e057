"""The versions of segments and funnels in the platform's database (`entity_definition`).

Belongs here: reading and appending versions. A row is never changed: an edit, a removal and an accepted upgrade
are each a new version. The highest version that is no offer holds. Which definitions come with the platform is
in predefined.py.

`origin` is `user`, `predefined/N` (release N of a predefined definition, as it came or as it was accepted) or
`offered/N` (a newer release, which holds only after somebody accepts it).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from blotout_orchestration.entities.definitions import Definition, as_payload, parse_definition
from blotout_orchestration.entities.fields import DefinitionError
from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.database import DatabaseUnavailableError, platform_database, writing
from blotout_orchestration.platform.database.audit import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from blotout_orchestration.settings import Settings

Key = tuple[str, str]
"""Kind and name."""
Result = TypeVar("Result")
USER = "user"
TRIES = 6


@dataclass(frozen=True)
class Version:
    """One row: a version of a definition, whether it holds or not."""

    kind: str
    name: str
    number: int
    origin: str
    payload: Mapping[str, Any]
    author: str
    created_at: datetime
    is_deleted: bool

    @property
    def is_offer(self) -> bool:
        """Whether it waits for somebody to accept it."""
        return self.origin.startswith("offered/")

    @property
    def release(self) -> int | None:
        """Release of the predefined definition that it is or offers; None for what a user wrote."""
        return None if self.origin == USER else int(self.origin.partition("/")[2])

    def definition(self) -> Definition:
        """The definition, with its version. Raises DefinitionError when it cannot be read any more."""
        label = f"{self.kind} {self.name} version {self.number}"
        return parse_definition({**self.payload, "version": self.number}, label)

    def says_the_same(self, definition: Definition) -> bool:
        """Whether the content equals, whatever the version."""
        return dict(self.payload) == as_payload(definition)


@dataclass(frozen=True)
class Change:
    """What a command did to a definition, and the version that holds now."""

    kind: str
    name: str
    version: int
    what: Literal["added", "changed", "unchanged", "removed", "accepted"]


def history(settings: Settings) -> dict[Key, list[Version]]:
    """All versions by kind and name, oldest first. Raises DatabaseUnavailableError."""
    with platform_database(settings).connect() as connection:
        return _history(connection)


def holding(versions: Sequence[Version]) -> Version | None:
    """The version that holds, a removal included; None when there are offers only."""
    return next((version for version in reversed(versions) if not version.is_offer), None)


def offer(versions: Sequence[Version]) -> Version | None:
    """The newest offered release that was not taken yet; None when there is none or the name was removed."""
    held = holding(versions)
    if held is None or held.is_deleted:
        return None
    taken = {version.release for version in versions if not version.is_offer}
    waiting = [version for version in versions if version.is_offer and version.release not in taken]
    return waiting[-1] if waiting else None


def live(settings: Settings, kind: str) -> list[Version]:
    """The versions of a kind that hold now, by name. Raises DatabaseUnavailableError."""
    return [version for version in held_versions(settings, kind) if not version.is_deleted]


def held_versions(settings: Settings, kind: str) -> list[Version]:
    """As `live`, with the removals: every name of a kind that ever held. Raises DatabaseUnavailableError."""
    held = [holding(versions) for (which, _), versions in sorted(history(settings).items()) if which == kind]
    return [version for version in held if version is not None]


def add(settings: Settings, definitions: Sequence[Definition], author: str) -> list[Change]:
    """Add or change definitions, all of them or none. A definition that says the same makes no new version.

    Raises DefinitionError when a file's `version` is not the next one: somebody else changed it meanwhile.
    """

    def write(connection: Connection) -> list[Change]:
        known = _history(connection)
        changes, problems = [], []
        for definition in definitions:
            versions = known.get((definition.kind, definition.name), [])
            try:
                changes.append(_change(versions, definition))
            except DefinitionError as error:
                problems.append(str(error))
        if problems:
            raise DefinitionError("\n".join(problems))
        for change, definition in zip(changes, definitions, strict=True):
            if change.what != "unchanged":
                insert(connection, definition, change.version, USER, author)
        return changes

    return _recorded(settings, author, _written(settings, write))


def remove(settings: Settings, kind: str, name: str, author: str) -> Change:
    """Take a definition out by a last version that says so. Raises UsageError for an unknown name."""

    def write(connection: Connection) -> list[Change]:
        versions = _history(connection).get((kind, name), [])
        held = _held(versions, kind, name)
        number = versions[-1].number + 1
        insert(connection, held.payload, number, USER, author, kind=kind, name=name, is_deleted=True)
        return [Change(kind, name, number, "removed")]

    return _recorded(settings, author, _written(settings, write))[0]


def accept(settings: Settings, kind: str, name: str, author: str) -> Change:
    """Let the offered release hold from now on. Raises UsageError when nothing is offered."""

    def write(connection: Connection) -> list[Change]:
        versions = _history(connection).get((kind, name), [])
        _held(versions, kind, name)
        offered = offer(versions)
        if offered is None:
            raise UsageError(f"no newer release of {kind} {name} is offered")
        number = versions[-1].number + 1
        origin = f"predefined/{offered.release}"
        insert(connection, offered.payload, number, origin, author, kind=kind, name=name)
        return [Change(kind, name, number, "accepted")]

    return _recorded(settings, author, _written(settings, write))[0]


def insert(
    connection: Connection,
    content: Definition | Mapping[str, Any],
    number: int,
    origin: str,
    author: str,
    *,
    kind: str | None = None,
    name: str | None = None,
    is_deleted: bool = False,
) -> None:
    """Append a version in the caller's transaction."""
    from blotout_orchestration.platform.database.tables import entity_definition

    payload = dict(content) if isinstance(content, Mapping) else as_payload(content)
    connection.execute(
        entity_definition.insert().values(
            name=name or payload["name"],
            kind=kind or payload["kind"],
            version=number,
            origin=origin,
            payload=payload,
            created_at=datetime.now(UTC),
            author=author[:128],
            is_deleted=int(is_deleted),
        )
    )


def write_versions(
    settings: Settings, write: Callable[[Connection, dict[Key, list[Version]]], Result]
) -> Result:
    """Run `write` with the history in one transaction, again when another writer was faster."""
    return _written(settings, lambda connection: write(connection, _history(connection)))


def _written(settings: Settings, write: Callable[[Connection], Result]) -> Result:
    from sqlalchemy.exc import IntegrityError, OperationalError

    for attempt in range(1, TRIES + 1):
        try:
            with writing(settings) as connection:
                return write(connection)
        except (IntegrityError, OperationalError) as error:
            # Another writer took the version's number, or the server went away: read again and number anew.
            if attempt == TRIES:
                reason = f"the definitions could not be written: {type(error).__name__}, {TRIES} times"
                raise DatabaseUnavailableError(reason) from None
            time.sleep(0.05 * attempt)
    raise AssertionError("unreachable")


def _history(connection: Connection) -> dict[Key, list[Version]]:
    from sqlalchemy import select

    from blotout_orchestration.platform.database.tables import entity_definition

    found: dict[Key, list[Version]] = {}
    query = select(entity_definition).order_by("kind", "name", "version")
    for row in connection.execute(query).mappings():
        version = Version(
            row["kind"],
            row["name"],
            row["version"],
            row["origin"],
            row["payload"],
            row["author"],
            row["created_at"],
            bool(row["is_deleted"]),
        )
        found.setdefault((version.kind, version.name), []).append(version)
    return found


def _held(versions: Sequence[Version], kind: str, name: str) -> Version:
    held = holding(versions)
    if held is None or held.is_deleted:
        raise UsageError(f"there is no {kind} {name}; `blotout {kind}s list` shows what there is")
    return held


def _change(versions: Sequence[Version], definition: Definition) -> Change:
    held = holding(versions)
    number = versions[-1].number + 1 if versions else 1
    lives = held is not None and not held.is_deleted
    label = f"{definition.kind} {definition.name}"
    if held is not None and lives and held.says_the_same(definition):
        if definition.version not in (None, held.number):
            raise DefinitionError(
                f"{label}: version {definition.version} says what version {held.number} says, which holds"
            )
        return Change(definition.kind, definition.name, held.number, "unchanged")
    if definition.version not in (None, number):
        raise DefinitionError(
            f"{label}: version {definition.version} is not the next one, {number};"
            " look at the newest with `show`, and write the next version or none"
        )
    return Change(definition.kind, definition.name, number, "changed" if lives else "added")


def _recorded(settings: Settings, author: str, changes: list[Change]) -> list[Change]:
    for change in changes:
        if change.what != "unchanged":
            record(
                settings,
                actor=author,
                action=f"{change.kind}_{change.what}",
                target=change.name,
                outcome="done",
                details={"version": change.version},
            )
    return changes
