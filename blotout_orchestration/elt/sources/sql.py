"""SQL databases through dlt's sql_database: Arrow batches, read only, one table a stream.

Belongs here: the address, reflection, the resource. `postgres` is the same with its driver named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blotout_orchestration.elt.definition import Stream
from blotout_orchestration.elt.sources import Window, incremental_of, wrong_connection
from blotout_orchestration.platform.secrets import resolve

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from blotout_orchestration.platform.registry import Pipeline
    from blotout_orchestration.settings import Settings

POSTGRES = "postgresql+psycopg2"
CHUNK_ROWS = 50_000


class SqlConnection(BaseModel):
    """How to reach a database."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    driver: str | None = Field(None, description="SQLAlchemy's dialect and driver, e.g. `mysql+pymysql`.")
    host: str | None = Field(None, description="Host, or the folder of a Unix socket.")
    port: int | None = Field(None, ge=1, le=65_535)
    database: str
    user: str | None = None
    password: str | None = Field(None, description="Reference to a secret.")
    schema_name: str | None = Field(None, alias="schema")
    sslmode: str | None = None
    chunk_rows: int = Field(CHUNK_ROWS, ge=1, description="Rows read at a time.")


@dataclass
class SqlSource:
    """A database as a source."""

    connection: SqlConnection
    driver: str
    password: str | None
    secrets: Sequence[str]

    @classmethod
    def of(cls, settings: Settings, pipeline: Pipeline, *, secrets_too: bool = True) -> SqlSource:
        """From a pipeline's connection. Raises PipelineError, and SecretError unless secrets are left alone."""
        try:
            connection = SqlConnection.model_validate(pipeline.connection)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            raise wrong_connection(
                pipeline, [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
            ) from None
        driver = POSTGRES if pipeline.source_type == "postgres" else connection.driver
        if driver is None:
            raise wrong_connection(pipeline, ["driver: is required, e.g. mysql+pymysql"])
        password = None
        if connection.password and secrets_too:
            password = resolve(connection.password, settings).get_secret_value()
        return cls(connection, driver, password, (password,) if password else ())

    def engine(self) -> Engine:
        """An engine that keeps no connection open between two uses."""
        from sqlalchemy import URL, create_engine
        from sqlalchemy.pool import NullPool

        given = self.connection
        query: dict[str, str] = {}
        arguments: dict[str, Any] = {}
        host = given.host
        if self.driver.startswith("postgresql"):
            # Read only, and in UTC, so that moments without an offset mean the same everywhere.
            arguments = {
                "options": "-c timezone=UTC -c default_transaction_read_only=on",
                "connect_timeout": 15,
                "application_name": "blotout_elt",
            }
            if given.sslmode:
                arguments["sslmode"] = given.sslmode
            if host and host.startswith("/"):
                query, host = {"host": host}, None
        url = URL.create(
            self.driver, given.user, self.password, host, given.port, given.database, query=query
        )
        return create_engine(url, connect_args=arguments, poolclass=NullPool)

    def check(self) -> str:
        """Connect and say to what."""
        from sqlalchemy import text

        engine = self.engine()
        try:
            with engine.connect() as connection:
                connection.execute(text("select 1"))
            return f"connected to database {self.connection.database} with {engine.dialect.name}"
        finally:
            engine.dispose()

    def offered(self, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The tables of the schema and their primary keys, as the database knows them."""
        from sqlalchemy import inspect
        from sqlalchemy.exc import NoSuchTableError

        engine = self.engine()
        try:
            inspector = inspect(engine)
            schema = self.connection.schema_name
            found: dict[str, Mapping[str, Any]] = {}
            for name in names or inspector.get_table_names(schema=schema):
                try:
                    key = inspector.get_pk_constraint(name, schema=schema).get("constrained_columns") or ()
                except NoSuchTableError:
                    continue
                found[name] = {"primary_key": tuple(key)} if key else {}
            return found
        finally:
            engine.dispose()

    def resource(self, stream: Stream, window: Window) -> Any:
        """The table as Arrow batches."""
        from dlt.sources.sql_database import sql_table

        limit = window.maximum_rows

        def limited(query: Any, table: Any, incremental: Any = None, engine: Any = None) -> Any:
            return query.limit(limit) if limit is not None else query

        made = sql_table(
            credentials=cast(Any, self.engine()),
            table=stream.name,
            schema=stream.options.get("namespace") or self.connection.schema_name,
            backend="pyarrow",
            chunk_size=min(self.connection.chunk_rows, limit or self.connection.chunk_rows),
            reflection_level="full_with_precision",
            defer_table_reflect=True,
            incremental=incremental_of(window),
            query_adapter_callback=limited,
        )
        return made.with_name(stream.table)
