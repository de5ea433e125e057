"""The registries' rows: append logs, of which the newest row of a name holds.

Belongs here: reading and appending rows, for pipelines and channels alike. Does not belong here: what a
definition means, and who may change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from blotout_orchestration.errors import UsageError
from blotout_orchestration.platform.database import DatabaseUnavailableError, platform_database, writing
from blotout_orchestration.platform.registry.validation import problems_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from blotout_orchestration.settings import Settings

Definition = TypeVar("Definition", bound=BaseModel)
Change = Literal["added", "changed", "unchanged"]
Row = Mapping[str, Any]
_LOCK_KEY = 0x72656769
"""Key of the Postgres advisory lock under which one process writes; the bytes of `regi`."""


class UnknownNameError(UsageError):
    """A pipeline or channel was named that is not there."""


@dataclass(frozen=True)
class Contents(Generic[Definition]):
    """What a registry holds: live definitions, rows that cannot be read (with the reason), removed names."""

    live: Mapping[str, Definition] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Registry(Generic[Definition]):
    """One of the two registries. `to_row` and `to_definition` turn definitions into columns and back."""

    table_name: str
    model: type[Definition]
    to_row: Callable[[Definition], dict[str, Any]]
    to_definition: Callable[[Row], Definition]

    @cached_property
    def table(self) -> Table:
        """The append log."""
        from blotout_orchestration.platform.database import tables

        return tables.metadata.tables[self.table_name]

    def contents(self, settings: Settings) -> Contents[Definition]:
        """Everything that holds now, in one query. Raises DatabaseUnavailableError."""
        with _connection(settings) as connection:
            return self._contents(self._newest(connection))

    def last_id(self, settings: Settings) -> int:
        """The number of the newest row, 0 when there is none. Raises DatabaseUnavailableError."""
        from sqlalchemy import func, select

        with _connection(settings) as connection:
            return int(connection.execute(select(func.max(self.table.c.id))).scalar() or 0)

    def log(self, settings: Settings) -> list[Row]:
        """Every row that was ever appended, in the order of appending. Raises DatabaseUnavailableError."""
        from sqlalchemy import select

        with _connection(settings) as connection:
            rows = connection.execute(select(self.table).order_by(self.table.c.id)).mappings()
            return [dict(row) for row in rows]

    def put(
        self,
        settings: Settings,
        definitions: Sequence[Definition],
        *,
        keep: Callable[[Definition, Row], Definition] = lambda definition, _before: definition,
        check: Callable[[Contents[Definition]], None] = lambda _contents: None,
    ) -> dict[str, Change]:
        """Append these definitions, all or none; one that holds already adds no row. The change by name.

        `keep` carries over what a definition leaves to the live row that it replaces; `check` sees what would hold afterwards, while nobody else can change it, and may raise. Raises
        DatabaseUnavailableError.
        """
        changes: dict[str, Change] = {}
        with self._alone(settings) as connection:
            newest = {row["name"]: row for row in self._newest(connection)}
            for definition in definitions:
                row = self.to_row(definition)
                before = newest.get(row["name"])
                if before is not None and not before["is_deleted"]:
                    row = self.to_row(keep(definition, before))
                changes[row["name"]] = _change(before, row)
                if changes[row["name"]] != "unchanged":
                    newest[row["name"]] = self._append(connection, before, {**row, "is_deleted": 0})
            check(self._contents(newest.values()))
        return changes

    def edit(self, settings: Settings, name: str, edit: Callable[[Definition], Definition]) -> Change:
        """Replace a live definition by an edited one. Raises UnknownNameError, DatabaseUnavailableError."""
        with self._alone(settings) as connection:
            before = self._live_row(connection, name)
            contents = self._contents([before])
            if name in contents.broken:
                raise UnknownNameError(f"{name} cannot be read: {contents.broken[name]}")
            after = self.to_row(edit(contents.live[name]))
            change = _change(before, after)
            if change != "unchanged":
                self._append(connection, before, after)
        return change

    def remove(self, settings: Settings, name: str) -> None:
        """Append the row that removes a name. Raises UnknownNameError, DatabaseUnavailableError."""
        with self._alone(settings) as connection:
            before = self._live_row(connection, name)
            self._append(connection, before, {"is_deleted": 1})

    def _newest(self, connection: Connection) -> Sequence[Row]:
        """The row of each name with the latest updated_at, of equal ones that with the highest id."""
        from sqlalchemy import func, select

        columns = self.table.c
        order = [columns.updated_at.desc(), columns.id.desc()]
        rank = func.row_number().over(partition_by=columns.name, order_by=order).label("rank")
        ranked = select(self.table, rank).subquery()
        rows = connection.execute(select(ranked).where(ranked.c.rank == 1).order_by("name"))
        return [dict(row) for row in rows.mappings()]

    def _contents(self, rows: Iterable[Row]) -> Contents[Definition]:
        live: dict[str, Definition] = {}
        broken: dict[str, str] = {}
        removed = set()
        for row in rows:
            if row["is_deleted"]:
                removed.add(row["name"])
                continue
            try:
                live[row["name"]] = self.to_definition(row)
            except ValidationError as error:
                problems = problems_of(error, self.model)
                broken[row["name"]] = "; ".join(one.line(self.table_name) for one in problems)
            except ValueError as error:
                broken[row["name"]] = f"{self.table_name}: {error}"
        return Contents(live, broken, frozenset(removed))

    def _live_row(self, connection: Connection, name: str) -> Row:
        rows = {row["name"]: row for row in self._newest(connection) if not row["is_deleted"]}
        if name not in rows:
            known = ", ".join(sorted(rows)) or "none"
            raise UnknownNameError(f"{self.table_name} has no {name!r}; it has: {known}")
        return rows[name]

    def _append(self, connection: Connection, before: Row | None, values: Mapping[str, Any]) -> Row:
        """Append a row that follows another one, whatever the clocks of the writers say."""
        now = datetime.now(UTC)
        row = {
            **(
                {column.name: before[column.name] for column in self.table.c if column.name != "id"}
                if before
                else {}
            ),
            **values,
            "updated_at": max(now, before["updated_at"]) if before else now,
        }
        if before is None or before["is_deleted"]:
            row["created_at"] = row["updated_at"]
        connection.execute(self.table.insert().values(**row))
        return row

    @contextmanager
    def _alone(self, settings: Settings) -> Iterator[Connection]:
        """A transaction in which nobody else appends."""
        from sqlalchemy import text

        with _connection(settings, write=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            yield connection


def _change(before: Row | None, after: Row) -> Change:
    if before is None or before["is_deleted"]:
        return "added"
    return "unchanged" if all(before[name] == value for name, value in after.items()) else "changed"


@contextmanager
def _connection(settings: Settings, *, write: bool = False) -> Iterator[Connection]:
    """A connection to the platform's database; its failures are one kind of error."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with writing(settings) if write else platform_database(settings).connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise DatabaseUnavailableError(
            f"the registry in PLATFORM_DATABASE cannot be used: {type(error).__name__}; is the database up?"
        ) from None
