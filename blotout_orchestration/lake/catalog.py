"""The lake as one object: its catalog, its tables, its layers.

Belongs here: opening the catalog that the settings name, and the shortest way from a table's name to its
rows. Commits are in commits.py, planned reads in reads.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.table import Table

from blotout_orchestration.lake import commits, merge_on_read, reads
from blotout_orchestration.lake.home_place import check_home_place
from blotout_orchestration.lake.layers import layer_location
from blotout_orchestration.lake.merge_on_read import Plan
from blotout_orchestration.lake.tables import TableSpec, ensure_table
from blotout_orchestration.settings import Settings


@dataclass(frozen=True)
class Lake:
    """The lake of one deployment. Cheap to make: the catalog is opened at first use."""

    settings: Settings

    @cached_property
    def catalog(self) -> Catalog:
        """The Iceberg catalog: SQLite in BLOTOUT_HOME, Postgres by URI, or Glue. Raises MovedHomeError."""
        uri = self.settings.catalog_uri
        warehouse = self.layer("processed")
        if uri == "glue":
            return load_catalog(
                "blotout", type="glue", warehouse=warehouse, **{"client.region": self.settings.aws_region}
            )
        if uri is None:
            home = self.settings.blotout_home.absolute()
            check_home_place(self.settings)
            home.mkdir(parents=True, exist_ok=True)
            uri = f"sqlite:///{home / 'catalog.db'}"
        if "://" not in warehouse:
            Path(warehouse).mkdir(parents=True, exist_ok=True)
        # Two processes may make the catalog's tables at the same moment: the second try finds them.
        address = uri
        return commits.with_retries(
            lambda: load_catalog("blotout", type="sql", uri=address, warehouse=warehouse)
        )

    @property
    def namespace(self) -> str:
        """Schema of click stream, dbt and reports."""
        return self.settings.namespace

    def layer(self, name: str) -> str:
        """Location of a layer (`landing`, `stg`, `processed`, `emr`, `athena-logs`, `outbound`)."""
        settings = self.settings
        return layer_location(settings.lake_root, settings.organisation, settings.environment, name)

    def ensure(self, spec: TableSpec, namespace: str | None = None) -> Table:
        """The table of a spec, made when missing."""
        return commits.with_retries(
            lambda: ensure_table(self.catalog, namespace or self.namespace, spec, self.layer("processed"))
        )

    def exists(self, name: str, namespace: str | None = None) -> bool:
        """Whether the table is in the catalog."""
        return bool(self.catalog.table_exists(f"{namespace or self.namespace}.{name}"))

    def replace(
        self,
        spec: TableSpec,
        rows: pa.Table,
        where: BooleanExpression,
        properties: dict[str, str],
        namespace: str | None = None,
    ) -> None:
        """Delete what matches `where` and append `rows`, in one atomic commit, retried on conflict.

        `properties` go into the snapshot summary (run id, partition): the commit carries its own proof.
        """
        self.ensure(spec, namespace)
        identifier = f"{namespace or self.namespace}.{spec.name}"
        commits.replace_rows(self.catalog, identifier, rows.cast(spec.arrow_schema), where, properties)

    def replace_with_files(
        self,
        spec: TableSpec,
        files: list[str],
        where: BooleanExpression,
        properties: dict[str, str],
        namespace: str | None = None,
    ) -> None:
        """As `replace`, with rows that already lie in Parquet files of the spec's schema in the lake.

        A file must lie in one partition of the table; from the commit on it belongs to the table.
        """
        self.ensure(spec, namespace)
        identifier = f"{namespace or self.namespace}.{spec.name}"
        commits.replace_with_files(self.catalog, identifier, files, where, properties)

    def append(
        self, spec: TableSpec, rows: pa.Table, properties: dict[str, str], namespace: str | None = None
    ) -> None:
        """Append `rows` in one atomic commit, retried on conflict."""
        self.ensure(spec, namespace)
        identifier = f"{namespace or self.namespace}.{spec.name}"
        commits.append_rows(self.catalog, identifier, rows.cast(spec.arrow_schema), properties)

    def read(
        self,
        spec: TableSpec,
        where: BooleanExpression | None = None,
        columns: tuple[str, ...] = ("*",),
        namespace: str | None = None,
    ) -> pa.Table:
        """The rows of the table's newest snapshot as Arrow; an empty table when it is not there yet."""
        if not self.exists(spec.name, namespace):
            schema = spec.arrow_schema
            wanted = schema if columns == ("*",) else pa.schema([schema.field(name) for name in columns])
            return wanted.empty_table()
        table = self.catalog.load_table(f"{namespace or self.namespace}.{spec.name}")
        return table.scan(row_filter=where or AlwaysTrue(), selected_fields=columns).to_arrow()

    def plan(
        self, spec: TableSpec, where: BooleanExpression | None = None, namespace: str | None = None
    ) -> Plan:
        """Data files that may hold rows matching `where`, and the position delete files that apply to them."""
        if not self.exists(spec.name, namespace):
            return Plan((), (), None)
        return merge_on_read.plan(
            self.catalog.load_table(f"{namespace or self.namespace}.{spec.name}"), where
        )

    def files(
        self, spec: TableSpec, where: BooleanExpression | None = None, namespace: str | None = None
    ) -> list[str]:
        """Data files of the newest snapshot that may hold rows matching `where`.

        Raises ValueError when some of their rows are deleted by position: `register` reads those right.
        """
        plan = self.plan(spec, where, namespace)
        if plan.delete_files:
            raise ValueError(f"{spec.name} has rows deleted by position; read it through Lake.register")
        return list(plan.files)

    def replace_positions(
        self,
        spec: TableSpec,
        snapshot_id: int | None,
        positions: pa.Table,
        rows: pa.Table,
        properties: dict[str, str],
    ) -> None:
        """Delete the rows at `positions` (file_path, pos) and add `rows` in one commit, rewriting no file.

        For unpartitioned tables. Raises ConcurrentChangeError when the newest snapshot is no longer
        `snapshot_id`, the one that the positions were read from.
        """
        self.ensure(spec)
        identifier = f"{self.namespace}.{spec.name}"
        merge_on_read.replace_positions(
            self.catalog, identifier, snapshot_id, positions, rows.cast(spec.arrow_schema), properties
        )

    def rewrite_if_fragmented(
        self, spec: TableSpec, properties: dict[str, str], *, maximum_files: int = 64
    ) -> bool:
        """Rewrite a table changed by `replace_positions` when it has become many files; the rows stay.

        Returns whether it was rewritten: when its data and delete files together exceed `maximum_files`.
        """
        plan = self.plan(spec)
        if len(plan.files) + len(plan.delete_files) <= maximum_files:
            return False
        identifier = f"{self.namespace}.{spec.name}"
        merge_on_read.rewrite(self.catalog, identifier, properties)
        return True

    def register(
        self,
        connection: Any,
        name: str,
        spec: TableSpec,
        where: BooleanExpression | None = None,
        namespace: str | None = None,
        temporary: bool = True,
        positions: bool = False,
    ) -> int | None:
        """Make a DuckDB view `name` over the table's planned files (typed and empty without files).

        With `positions` the view also has `file_path` and `pos`, for `replace_positions`. Returns the id of
        the snapshot that the view shows.
        """
        plan = self.plan(spec, where, namespace)
        reads.create_view(
            connection,
            name,
            spec,
            list(plan.files),
            delete_files=plan.delete_files,
            positions=positions,
            temporary=temporary,
        )
        return plan.snapshot_id
