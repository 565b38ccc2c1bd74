"""Alembic's entry: runs the migrations on the connection that `tocsin.storage.migrating` hands over."""

from __future__ import annotations

from alembic import context

from tocsin.storage.tables import all_tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=all_tables(),
    # Both databases roll a failed migration back whole; Alembic does not expect that of SQLite.
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
context.run_migrations()
