"""How alembic runs our migrations: on the connection that `migrate` hands over, within its transaction."""

from __future__ import annotations

from alembic import context

from blotout_orchestration.platform.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
