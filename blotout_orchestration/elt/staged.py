"""A load's rows beside the table's rows: which are new, which are changed, which go. DuckDB over files.

Belongs here: the SQL of it. Neither load nor table has to fit into memory. The commit is commit.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from blotout_orchestration.elt.conform import Conformed
from blotout_orchestration.elt.definition import Stream
from blotout_orchestration.lake.merge_on_read import Plan
from blotout_orchestration.lake.reads import quote

FILE_ROWS = 500_000
_LOCATED = "union_by_name = true, filename = true, file_row_number = true"


def column(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


class Staged:
    """The rows of one load; of each primary key the newest."""

    def __init__(self, connection: Any, stream: Stream, conformed: Conformed) -> None:
        """Makes the view `staged`, whose `is_gone` marks rows that the source says are deleted."""
        self.connection, self.stream, self.empty = connection, stream, conformed.parts == 0
        connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false; set threads = 2")
        if self.empty:
            return
        source = f"read_parquet({quote(str(conformed.folder / '*.parquet'))}, {_LOCATED})"
        self.columns = [
            name
            for name in self._names(f"select * from {source}")
            if name not in ("filename", "file_row_number")
        ]
        gone = "false"
        if stream.deleted in self.columns:
            gone = _is_set(stream.deleted, conformed.columns[stream.deleted])
        order = ["filename desc", "file_row_number desc"]
        if stream.cursor_column in self.columns:
            order.insert(0, f"{column(stream.cursor_column)} desc nulls last")
        newest = ""
        if stream.keys:
            keys = ", ".join(column(key) for key in stream.keys)
            newest = f"qualify row_number() over (partition by {keys} order by {', '.join(order)}) = 1"
        connection.execute(
            f"create view staged as select * exclude (filename, file_row_number), {gone} as is_gone"
            f" from {source} {newest}"
        )

    def _names(self, query: str) -> list[str]:
        return [row[0] for row in self.connection.execute(f"describe {query}").fetchall()]

    def compare(self, plan: Plan) -> None:
        """Leave out rows that a merge would write as they already are; they keep the time of their load."""
        if self.empty:
            return
        kind, source = "view", "select * from staged"
        if plan.files and self.stream.disposition == "merge":
            self.connection.execute(f"create or replace view held as {held_sql(plan)}")
            held = set(self._names("select * from held"))
            shared = [name for name in self.columns if name in held and name not in self.stream.keys]
            new = [f"staged.{column(name)} is not null" for name in self.columns if name not in held]
            differs = [f"staged.{column(name)} is distinct from held.{column(name)}" for name in shared]
            kind = "temporary table"
            source = f"""select staged.* from staged left join held on {self._same()}
                where (held.pos is null and not staged.is_gone)
                   or (held.pos is not null and ({" or ".join(["staged.is_gone", *differs, *new])}))"""
        self.connection.execute(f"create or replace {kind} changed as {source}")

    def _same(self, other: str = "staged") -> str:
        return " and ".join(f"held.{column(key)} = {other}.{column(key)}" for key in self.stream.keys)

    def rows(self) -> Iterator[pa.Table]:
        """The rows to write, in tables as big as a data file should be."""
        if self.empty:
            return
        found = self.connection.sql("select * exclude (is_gone) from changed where not is_gone")
        for batch in found.to_arrow_reader(FILE_ROWS):
            if batch.num_rows:
                yield pa.Table.from_batches([batch])

    def unchanged(self) -> int:
        """How many rows are in the table already, just so."""
        if self.empty:
            return 0
        return int(
            self._number("select count(*) from staged where not is_gone")
            - self._number("select count(*) from changed where not is_gone")
        )

    def positions(self, plan: Plan, since: Any = None) -> tuple[pa.Table, int]:
        """Where the rows lie that a merge or a backfill removes, and how many of them the source deleted."""
        none = pa.table({"file_path": pa.array([], pa.string()), "pos": pa.array([], pa.int64())})
        if not plan.files or self.empty:
            return none, 0
        self.connection.execute(f"create or replace view held as {held_sql(plan)}")
        if self.stream.disposition == "merge":
            joined = f"from held join changed on {self._same('changed')}"
            found = self.connection.sql(f"select held.file_path, held.pos {joined}").to_arrow_table()
            return found, self._number(f"select count(*) {joined} where changed.is_gone")
        held = self._names("select * from held")
        if self.stream.replace_by in held:
            name = column(self.stream.replace_by)
            query = f"select file_path, pos from held where {name} in (select distinct {name} from staged)"
            return self.connection.sql(query).to_arrow_table(), 0
        if since is not None and self.stream.cursor_column in held:
            query = f"select file_path, pos from held where {column(self.stream.cursor_column)} >= ?"
            return self.connection.sql(query, params=[since]).to_arrow_table(), 0
        return none, 0

    def rows_held(self, plan: Plan) -> int:
        """How many rows the table has."""
        return self._number(f"select count(*) from ({held_sql(plan)})") if plan.files else 0

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchone()[0])


def _is_set(name: str, kind: pa.DataType) -> str:
    """Whether a row is flagged as deleted: true, a number but 0, a moment, a text that says so."""
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return f"coalesce({column(name)}::boolean, false)"
    if pa.types.is_string(kind):
        return f"coalesce(lower({column(name)}) not in ('', 'false', 'f', '0', 'no', 'n'), false)"
    return f"({column(name)} is not null)"


def held_sql(plan: Plan) -> str:
    """The rows of a table's files with where each lies, those that are deleted by position left out."""
    listing = ", ".join(quote(path) for path in plan.files)
    sql = (
        "select data.* exclude (filename, file_row_number), data.filename as file_path,"
        f" data.file_row_number as pos from read_parquet([{listing}], {_LOCATED}) as data"
    )
    if plan.delete_files:
        gone = ", ".join(quote(path) for path in plan.delete_files)
        sql += (
            " anti join (select replace(file_path, 'file://', '') as file_path, pos"
            f" from read_parquet([{gone}])) as gone"
            " on data.filename = gone.file_path and data.file_row_number = gone.pos"
        )
    return sql
