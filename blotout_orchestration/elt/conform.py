"""What a source delivered, brought to the columns and types of its table under the pipeline's contract.

Belongs here: names, types, new columns, values that do not fit. Input and output are Parquet files in the
run's own folder, a batch at a time, so that memory does not grow with the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blotout_orchestration.elt.definition import Contract
from blotout_orchestration.elt.inference import infer_types
from blotout_orchestration.elt.stream_tables import RUN_COLUMNS
from blotout_orchestration.elt.types import WIDEST_DECIMAL, fitting, lake_type, to_lake, type_name, widened
from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.naming import snake_case_names

VARIANT = "▶v_"
"""How dlt, with names kept as they are, ends the column for values of another type than the first ones."""
BATCH_ROWS = 100_000


class ContractError(BlotoutError):
    """A source delivered what the contract of its pipeline does not allow; nothing was committed."""


@dataclass
class Conformed:
    """The parts that were written, and what was found on the way."""

    folder: Path
    columns: dict[str, pa.DataType]
    parts: int = 0
    rows_read: int = 0
    rows_discarded: int = 0
    values_discarded: int = 0
    new_columns: list[str] = field(default_factory=list)
    widened_columns: list[str] = field(default_factory=list)
    missing_columns: list[str] = field(default_factory=list)


def conform(
    stream: str,
    paths: Sequence[Path],
    names: Mapping[str, str],
    held: Mapping[str, pa.DataType],
    contract: Contract,
    keys: Sequence[str],
    folder: Path,
    texts: bool = False,
    declared: Mapping[str, pa.DataType] | None = None,
) -> Conformed:
    """Write the rows of Parquet files as parts in `folder`.

    `names` are the lake's names of the delivered columns; `held` are the table's columns, empty before it is.

    `declared` columns are there whether they were delivered or not, unless the contract has closed the table.
    With `texts` the text columns that the table does not have yet get the type that all their values have.
    Raises ContractError with every column that breaks the contract, or when a row lacks its primary key.
    """
    kinds = _inferred(paths, names, held) if texts else {}
    work = _Conforming(stream, contract, bool(held), Conformed(folder, dict(held)), names, tuple(keys), kinds)
    if not held or contract == "evolve":
        for name in (declared or {}).keys() - held.keys():
            work.found.columns[name] = (declared or {})[name]
            work.found.new_columns.append(name)
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
            work.take(pa.Table.from_batches([batch]))
    work.raise_violations()
    seen = set(names.values())
    work.found.new_columns.sort()
    work.found.missing_columns = sorted(
        name
        for name in held
        if name not in seen and name not in (declared or {}) and name.rpartition("_v_")[0] not in held
    )
    return work.found


def column_names(paths: Sequence[Path], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The lake's name of each source column in the files, dlt's own columns left out; `known` ones stay."""
    delivered = {name.split(VARIANT)[0] for path in paths for name in pq.read_schema(path).names}
    found = snake_case_names((name for name in delivered if not name.startswith("_dlt_")), known)
    own = {one.name for one in RUN_COLUMNS}
    return {name: f"source_{lake}" if lake in own else lake for name, lake in found.items()}


def _inferred(
    paths: Sequence[Path], names: Mapping[str, str], held: Mapping[str, pa.DataType]
) -> dict[str, pa.DataType]:
    new = [delivered for delivered, lake in names.items() if lake not in held]
    found = infer_types(paths, new)
    return {names[delivered]: kind for delivered, kind in found.items()}


@dataclass
class _Conforming:
    stream: str
    contract: Contract
    has_table: bool
    found: Conformed
    names: Mapping[str, str]
    keys: tuple[str, ...]
    kinds: Mapping[str, pa.DataType]
    violations: Counter[str] = field(default_factory=Counter)

    def take(self, rows: pa.Table) -> None:
        """One batch: conformed and written, unless it already breaks the contract."""
        self.found.rows_read += rows.num_rows
        columns: dict[str, pa.ChunkedArray] = {}
        keep = pa.chunked_array([pa.repeat(True, rows.num_rows)], pa.bool_())
        for name, column in _merged(rows, self.names):
            for made, values, dropped in self._conform(name, column):
                if values is not None:
                    columns[made] = values
                if dropped is not None:
                    keep = pc.and_(keep, pc.invert(dropped))
        keep = self._check_keys(columns, keep, rows.num_rows)
        if self.violations:
            return
        written = pa.table(columns)
        kept = written.filter(keep) if columns else written
        self.found.rows_discarded += rows.num_rows - kept.num_rows
        if kept.num_rows:
            pq.write_table(kept, self.found.folder / f"part-{self.found.parts:06d}.parquet")
            self.found.parts += 1

    def _conform(
        self, name: str, column: pa.ChunkedArray
    ) -> Iterator[tuple[str, pa.ChunkedArray | None, pa.ChunkedArray | None]]:
        """(column, its values, rows to drop) for each column that one delivered column becomes."""
        came = lake_type(column.type)
        if came is None:
            return
        if name not in self.found.columns:
            if self.has_table and self.contract != "evolve":
                yield from self._refuse(name, column)
                return
            self.found.columns[name] = self.kinds.get(name, came)
            self.found.new_columns.append(name)
        target = self.found.columns[name]
        values, misfits = fitting(column, target)
        count = pc.sum(misfits).as_py() or 0
        if not count:
            yield name, values, None
        elif self.contract == "evolve":
            yield from self._evolve(name, column, values, misfits)
        elif self.contract == "discard_row":
            yield name, values, misfits
        else:
            if self.contract == "freeze":
                self.violations[
                    f"column {name} is {type_name(target)}; {type_name(came)} values that are none came"
                ] += count
            self.found.values_discarded += count
            yield name, values, None

    def _refuse(
        self, name: str, column: pa.ChunkedArray
    ) -> Iterator[tuple[str, pa.ChunkedArray | None, pa.ChunkedArray | None]]:
        count = len(column) - column.null_count
        if self.contract == "freeze":
            self.violations[f"column {name} is new"] += count
        elif self.contract == "discard_row":
            yield name, None, pc.is_valid(column)
        else:
            self.found.values_discarded += count

    def _evolve(
        self, name: str, column: pa.ChunkedArray, values: pa.ChunkedArray, misfits: pa.ChunkedArray
    ) -> Iterator[tuple[str, pa.ChunkedArray | None, pa.ChunkedArray | None]]:
        """A wider decimal, or a second column beside the first for what does not fit."""
        wider = widened(self.found.columns[name], column.type)
        if wider is not None:
            self.found.columns[name] = wider
            self.found.widened_columns.append(name)
            yield name, column.cast(wider), None
            return
        kind = WIDEST_DECIMAL if pa.types.is_decimal(column.type) else column.type
        beside = f"{name}_v_{type_name(kind)}"
        if beside not in self.found.columns:
            self.found.columns[beside] = kind
            self.found.new_columns.append(beside)
        yield name, values, None
        yield beside, pc.if_else(misfits, column, pa.scalar(None, column.type)).cast(kind), None

    def _check_keys(
        self, columns: Mapping[str, pa.ChunkedArray], keep: pa.ChunkedArray, rows: int
    ) -> pa.ChunkedArray:
        for key in self.keys:
            lacking = (
                pc.is_null(columns[key]) if key in columns else pa.chunked_array([pa.repeat(True, rows)])
            )
            count = pc.sum(lacking).as_py() or 0
            if count and self.contract == "discard_row":
                keep = pc.and_(keep, pc.invert(lacking))
            elif count:
                self.violations[f"the primary key {key} is empty"] += count
        return keep

    def raise_violations(self) -> None:
        """Everything at once that this load may not bring."""
        if self.violations:
            lines = [f"{what} ({count} rows)" for what, count in sorted(self.violations.items())]
            raise ContractError(
                "\n  ".join([f"stream {self.stream}: nothing was loaded (contract {self.contract}):", *lines])
                + "\n  mend the source, or choose another contract for the stream"
            )


def _merged(rows: pa.Table, names: Mapping[str, str]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Each delivered column under its lake name, dlt's variants of it put together again."""
    for base, name in names.items():
        found = [to_lake(rows.column(one)) for one in rows.column_names if one.split(VARIANT)[0] == base]
        typed = [one for one in found if lake_type(one.type) is not None]
        if typed:
            yield name, typed[0] if len(typed) == 1 else _together(typed)


def _together(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    numbers = all(pa.types.is_integer(one.type) or pa.types.is_floating(one.type) for one in columns)
    target = pa.float64() if numbers else pa.string()
    return pc.coalesce(*(fitting(one, target)[0] for one in columns))
