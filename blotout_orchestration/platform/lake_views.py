"""DuckDB views over any Iceberg table of the lake, by its own schema.

Belongs here: reading tables that no contract of this package declares (ELT sources among them). The domains
read theirs by contract, through `Lake.register`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blotout_orchestration.errors import BlotoutError
from blotout_orchestration.platform.query_text import QueryError
from blotout_orchestration.platform.variables import scrubbed
from blotout_orchestration.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table
    from pyiceberg.types import IcebergType

Identifier = tuple[str, str]
_SIMPLE = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}


class CatalogError(BlotoutError):
    """The catalog of the lake cannot be opened."""


def open_catalog(settings: Settings) -> Catalog:
    """The lake's catalog, tried once: a database that does not answer is told at once, not after retries.

    Raises CatalogError.
    """
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import SQLAlchemyError

    from blotout_orchestration.lake import Lake

    uri = settings.catalog_uri or f"sqlite:///{settings.blotout_home.absolute() / 'catalog.db'}"
    try:
        if uri != "glue":
            engine = create_engine(uri)
            inspect(engine).get_table_names()
            engine.dispose()
        return Lake(settings).catalog
    except (SQLAlchemyError, ValueError) as error:
        reason = scrubbed(settings, (str(error).strip().splitlines() or [type(error).__name__])[0])
        raise CatalogError(f"the catalog cannot be opened; check CATALOG_URI: {reason}") from None


def lake_tables(settings: Settings, namespaces: set[str] | None) -> dict[Identifier, Identifier]:
    """Identifiers of tables as written, by (namespace, name) in lower case; all namespaces when None.

    Empty when the embedded catalog has not been made yet; asking does not make it.
    """
    if settings.catalog_uri is None and not (settings.blotout_home / "catalog.db").is_file():
        return {}
    catalog = open_catalog(settings)
    found: dict[Identifier, Identifier] = {}
    for namespace in catalog.list_namespaces():
        written = ".".join(namespace)
        if namespaces is not None and written.lower() not in namespaces:
            continue
        for identifier in catalog.list_tables(namespace):
            found[(written.lower(), identifier[-1].lower())] = (written, identifier[-1])
    return found


def row_count(settings: Settings, identifier: Identifier) -> int:
    """Rows of the newest snapshot: what its files declare; files with deleted rows are read."""
    from blotout_orchestration.lake import Lake

    return Lake(settings).catalog.load_table(identifier).scan().count()


def create_lake_view(connection: Any, settings: Settings, view: str, identifier: Identifier) -> None:
    """A view over the newest snapshot, with the table's columns and types even where a file lacks some.

    Tables that do not lie in local files are read into memory instead.
    """
    from blotout_orchestration.lake import Lake
    from blotout_orchestration.lake.merge_on_read import plan

    table = Lake(settings).catalog.load_table(identifier)
    typed = ", ".join(
        f"cast(null as {duckdb_type(field.field_type)}) as {_name(field.name)}"
        for field in table.schema().fields
    )
    files = plan(table)
    if any("://" in path for path in files.files):
        _create_table_in_memory(connection, view, table)
        return
    body = f"select {typed} where false"
    if files.files:
        names = ", ".join(_name(field.name) for field in table.schema().fields)
        data = _data(files.files, files.delete_files)
        body = f"select {names} from ({body} union all by name {data})"
    connection.execute(f"create view {view} as {body}")


def _data(files: tuple[str, ...], delete_files: tuple[str, ...]) -> str:
    """The rows of data files without those that Iceberg position delete files name."""
    listing = ", ".join(_text(path) for path in files)
    if not delete_files:
        return f"select * from read_parquet([{listing}], union_by_name = true)"
    gone = ", ".join(_text(path) for path in delete_files)
    return (
        "select * exclude (filename, file_row_number)"
        f" from read_parquet([{listing}], union_by_name = true, filename = true, file_row_number = true) as data"
        " anti join (select replace(file_path, 'file://', '') as file_path, pos"
        f" from read_parquet([{gone}])) as gone"
        " on data.filename = gone.file_path and data.file_row_number = gone.pos"
    )


def _create_table_in_memory(connection: Any, view: str, table: Table) -> None:
    connection.register("_rows", table.scan().to_arrow())
    connection.execute(f"create table {view} as from _rows")
    connection.unregister("_rows")


def duckdb_type(kind: IcebergType) -> str:
    """The DuckDB type of an Iceberg type. Raises QueryError for one that DuckDB does not have."""
    from pyiceberg.types import DecimalType, FixedType, ListType, MapType, StructType

    if isinstance(kind, DecimalType):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if isinstance(kind, FixedType):
        return "BLOB"
    if isinstance(kind, ListType):
        return f"{duckdb_type(kind.element_type)}[]"
    if isinstance(kind, MapType):
        return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.value_type)})"
    if isinstance(kind, StructType):
        members = (f"{_name(field.name)} {duckdb_type(field.field_type)}" for field in kind.fields)
        return f"STRUCT({', '.join(members)})"
    if str(kind) not in _SIMPLE:
        raise QueryError(f"columns of the Iceberg type {kind} cannot be queried here")
    return _SIMPLE[str(kind)]


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
