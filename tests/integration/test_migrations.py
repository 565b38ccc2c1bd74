"""Migrations, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from tocsin.storage import migrating
from tocsin.storage.database import Database, DatabaseOutdated
from tocsin.storage.tables import all_tables

FTS5 = "mention_tokens"
"""The full-text index of SQLite: a virtual table and those that FTS5 makes for it, which are nobody's class."""


def tables(database: Database) -> set[str]:
    with database.read() as session:
        found = set(inspect(session.connection()).get_table_names()) - {"alembic_version"}
    return {name for name in found if not name.startswith(FTS5)}


def test_migrations_go_up_and_down_and_up_again(empty_database: Database) -> None:
    empty_database.upgrade()
    first = tables(empty_database)
    empty_database.downgrade()
    assert tables(empty_database) == set()
    empty_database.upgrade()
    assert tables(empty_database) == first
    assert {"mentions", "mention_brands", "outbox"} <= first


def test_the_migrations_make_just_the_tables_that_the_code_has(database: Database) -> None:
    dialect = "postgresql" if database.is_postgresql else "sqlite"

    def belongs_here(item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        only = getattr(item, "_ddl_if", None)
        return not (kind == "table" and name and name.startswith(FTS5)) and (only is None or only.dialect == dialect)

    with database.read() as session:
        options = {"compare_type": True, "include_object": belongs_here}
        context = MigrationContext.configure(session.connection(), opts=options)
        assert compare_metadata(context, all_tables()) == []
    assert tables(database) == set(all_tables().tables)


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    database.upgrade()
    database.check()


def test_a_database_without_tables_is_not_ready_and_says_what_to_do(empty_database: Database) -> None:
    with pytest.raises(DatabaseOutdated, match="tocsin db upgrade"):
        empty_database.check()


def test_every_step_down_can_be_taken_and_taken_back(empty_database: Database) -> None:
    empty_database.upgrade()
    for _ in range(len(list(migrating.FOLDER.glob("versions/*.py"))) - 1):
        empty_database.downgrade("-1")
        empty_database.upgrade("+1")
        empty_database.downgrade("-1")
    empty_database.upgrade()
    empty_database.check()
