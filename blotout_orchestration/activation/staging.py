"""The audience laid beside the ledger: what to send, what to remove, what to leave.

Belongs here: the comparison, in a DuckDB file that spills to disk, so that memory does not follow the size of
an audience. The file has rows as they will be sent: it lies in BLOTOUT_HOME, is for its owner only, and is
deleted at the end or by the channel's next sync.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import pyarrow as pa

from blotout_orchestration.activation.channel import Operation, Row
from blotout_orchestration.activation.definition import Definition
from blotout_orchestration.activation.plan import Counts, Planned, plan_sql
from blotout_orchestration.activation.source import Judged
from blotout_orchestration.lake.reads import quote

_ROWS = pa.schema(
    [
        ("state", pa.string()),
        ("key_hash", pa.string()),
        ("payload_hash", pa.string()),
        ("payload", pa.string()),
        ("size", pa.int64()),
        ("removal_key", pa.string()),
        ("suppression", pa.string()),
        ("reason", pa.string()),
    ]
)
_MEMORY = "128MB"
_PAGE = 2_000


class Staging:
    """One sync's staging file."""

    def __init__(self, path: Path) -> None:
        """Opens an empty file; whatever lies at `path` is deleted."""
        import duckdb

        self._path, self._spill = path, path.with_suffix(".spill")
        self._delete()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.connection = duckdb.connect(str(path))
        path.chmod(0o600)
        for statement in (
            f"set memory_limit = '{_MEMORY}'",
            f"set temp_directory = {quote(str(self._spill))}",
            "set threads = 2",
            "set TimeZone = 'UTC'",
            "create table audience (row_number bigint, state varchar, key_hash varchar, payload_hash varchar,"
            " payload varchar, size bigint, removal_key varchar, suppression varchar, reason varchar)",
            "create table suppressed (hash varchar)",
        ):
            self.connection.execute(statement)
        self._next_row = 0

    def add(self, rows: list[Judged]) -> None:
        """Rows of the audience."""
        table = pa.Table.from_pylist([vars(row) for row in rows], schema=_ROWS)
        numbers = pa.array(range(self._next_row, self._next_row + len(rows)), pa.int64())
        self._next_row += len(rows)
        self._insert("audience", table.add_column(0, "row_number", numbers))

    def suppress(self, hashes: Iterable[str]) -> None:
        """Hashes of the suppression list."""
        self._insert("suppressed", pa.table({"hash": pa.array(list(hashes), pa.string())}))

    def _insert(self, name: str, table: pa.Table) -> None:
        self.connection.register("arriving", table)
        self.connection.execute(f"insert into {name} from arriving")
        self.connection.unregister("arriving")

    def compare(self, definition: Definition, *, replay: bool, maximum_attempts: int) -> Counts:
        """Make the plan from the audience and the table `ledger`, and count it."""
        for statement in plan_sql(definition, replay=replay, maximum_attempts=maximum_attempts):
            self.connection.execute(statement)
        (counts,) = self.connection.execute("from counts").fetchall()
        return Counts(*(int(one or 0) for one in counts))

    def planned(self, operation: Operation | None = None) -> Iterator[Planned]:
        """The plan in its order, read in pages."""
        last = 0
        while True:
            rows = self.connection.execute(
                "select place, kind, operation, key_hash, payload_hash, payload, size, removal_key, earlier_batch"
                " from plan where place > ? order by place limit ?",
                [last, _PAGE],
            ).fetchall()
            if not rows:
                return
            for place, kind, name, key_hash, payload_hash, payload, size, removal_key, earlier in rows:
                last = place
                values = json.loads(payload) if payload else {}
                row = Row(key_hash, payload_hash, values, removal_key)
                yield Planned(row, name, kind, int(size or 0), earlier)

    def invalid(self) -> Iterator[list[tuple[str | None, str]]]:
        """Rows that are not sent, as (key hash, reason), in pages."""
        last = -1
        while True:
            rows: list[tuple[Any, ...]] = self.connection.execute(
                "select row_number, key_hash, reason from audience where state = 'invalid' and row_number > ?"
                " order by row_number limit ?",
                [last, _PAGE],
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [(key_hash, reason) for _, key_hash, reason in rows]

    def invalid_reasons(self) -> dict[str, int]:
        """How many rows are not sent for which reason, the most frequent ones; no reason has a value."""
        rows = self.connection.execute(
            "select reason, count(*) from audience where state = 'invalid' group by 1 order by 2 desc, 1 limit 20"
        ).fetchall()
        return {str(reason): int(count) for reason, count in rows}

    def close(self) -> None:
        """Close and delete the file."""
        self.connection.close()
        self._delete()

    def _delete(self) -> None:
        delete_staging(self._path)


def delete_staging(path: Path) -> None:
    """Delete a staging file with what DuckDB laid beside it."""
    for name in (path.name, f"{path.name}.wal"):
        (path.parent / name).unlink(missing_ok=True)
    rmtree(path.with_suffix(".spill"), ignore_errors=True)
