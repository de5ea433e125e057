"""Declaring a lake table once: columns with their meaning, partitioning, and its creation.

Belongs here: the declaration and its translation to Iceberg and Arrow. The declarations themselves
(core_events, id_graph ...) belong to the domains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform, Transform
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

ColumnType = Literal[
    "string", "int", "long", "double", "boolean", "timestamp", "date", "money", "money_sum", "strings"
]

_ICEBERG: dict[str, IcebergType] = {
    "string": StringType(),
    "int": IntegerType(),
    "long": LongType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
    "timestamp": TimestamptzType(),
    "date": DateType(),
    "money": DecimalType(18, 4),
    "money_sum": DecimalType(38, 4),
}
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "money": pa.decimal128(18, 4),
    "money_sum": pa.decimal128(38, 4),
    "strings": pa.list_(pa.string()),
}
DUCKDB_TYPES: dict[str, str] = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
    "date": "DATE",
    "money": "DECIMAL(18,4)",
    "money_sum": "DECIMAL(38,4)",
    "strings": "VARCHAR[]",
}


@dataclass(frozen=True)
class Column:
    """One column: name, type, and what it means (shown in the UI, the catalog and the docs)."""

    name: str
    type: ColumnType
    description: str


@dataclass(frozen=True)
class TableSpec:
    """The contract of a lake table.

    `partition` is (column, transform) with transform `day`, `identity` or `bucket[N]`; None for small tables.
    Every column is optional in Iceberg's sense, so that files of all engines are accepted.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    partition: tuple[str, str] | None = None
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema in column order."""
        return pa.schema([pa.field(column.name, _ARROW[column.type]) for column in self.columns])

    @property
    def iceberg_schema(self) -> Schema:
        """The Iceberg schema; field ids are given in column order."""
        next_id = len(self.columns)
        fields: list[NestedField] = []
        for index, column in enumerate(self.columns, start=1):
            kind: IcebergType
            if column.type == "strings":
                next_id += 1
                kind = ListType(next_id, StringType(), element_required=False)
            else:
                kind = _ICEBERG[column.type]
            fields.append(NestedField(index, column.name, kind, required=False, doc=column.description))
        return Schema(*fields)

    @property
    def partition_spec(self) -> PartitionSpec:
        """The Iceberg partition spec."""
        if self.partition is None:
            return PartitionSpec()
        name, transform = self.partition
        source = self.iceberg_schema.find_field(name).field_id
        applied: Transform[Any, Any]
        if transform == "day":
            applied, label = DayTransform[Any](), f"{name}_day"
        elif transform.startswith("bucket["):
            applied, label = BucketTransform[Any](int(transform[7:-1])), f"{name}_bucket"
        else:
            applied, label = IdentityTransform(), name
        return PartitionSpec(PartitionField(source, 1000, applied, label))


def ensure_namespace(catalog: Catalog, namespace: str) -> None:
    """Create the namespace unless it is there."""
    try:
        catalog.create_namespace_if_not_exists(namespace)
    except NamespaceAlreadyExistsError:
        return


def ensure_table(catalog: Catalog, namespace: str, spec: TableSpec, location: str) -> Table:
    """The table of a spec, made when missing, and widened: by columns the spec gained, and decimals it made wider."""
    identifier = f"{namespace}.{spec.name}"
    if not catalog.table_exists(identifier):
        ensure_namespace(catalog, namespace)
        try:
            return catalog.create_table(
                identifier,
                spec.iceberg_schema,
                location=f"{location}/{namespace}/{spec.name}",
                partition_spec=spec.partition_spec,
                properties={
                    "comment": spec.description,
                    "write.parquet.compression-codec": "zstd",
                    "write.metadata.delete-after-commit.enabled": "true",
                    "write.metadata.previous-versions-max": "20",
                    "commit.manifest-merge.enabled": "true",
                    **spec.properties,
                },
            )
        except TableAlreadyExistsError:
            return catalog.load_table(identifier)
    table = catalog.load_table(identifier)
    missing = [column for column in spec.columns if column.name not in table.schema().column_names]
    wider = [column for column in spec.columns if _is_wider(column, table.schema())]
    if missing or wider:
        with table.update_schema() as update:
            for column in missing:
                kind = ListType(1, StringType()) if column.type == "strings" else _ICEBERG[column.type]
                update.add_column(column.name, kind, doc=column.description)
            for column in wider:
                update.update_column(column.name, field_type=_ICEBERG[column.type])
    return table


def _is_wider(column: Column, held: Schema) -> bool:
    """Whether the spec has more digits for a decimal than the table."""
    kind = _ICEBERG.get(column.type)
    if not isinstance(kind, DecimalType) or column.name not in held.column_names:
        return False
    was = held.find_field(column.name).field_type
    return isinstance(was, DecimalType) and was.scale == kind.scale and was.precision < kind.precision
