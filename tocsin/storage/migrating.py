"""Migrations, run by Alembic on a connection that is given; no alembic.ini is needed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from tocsin.storage.failures import DatabaseOutdated

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x746F6373
"""Any number will do, as long as all processes take the same for PostgreSQL's advisory lock."""


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run what is missing up to `revision`; on PostgreSQL one process at a time, on SQLite the transaction sees to that."""
    _wait_for_turn(connection)
    command.upgrade(_configuration(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take back down to `revision` (`base`: everything)."""
    _wait_for_turn(connection)
    command.downgrade(_configuration(connection), revision)


def head() -> str | None:
    """The revision that this program's tables have."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def check(connection: Connection) -> None:
    """Return if the tables are at this program's revision; else raise DatabaseOutdated."""
    found, wanted = MigrationContext.configure(connection).get_current_revision(), head()
    if found != wanted:
        raise DatabaseOutdated(
            f"the database is at revision {found or 'none'}, this program needs {wanted}: run `tocsin db upgrade` "
            "(or the newer program, if the database is ahead)"
        )


def _configuration(connection: Connection) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def _wait_for_turn(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
