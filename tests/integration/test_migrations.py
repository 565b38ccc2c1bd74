"""Migrations, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from tests.contents import Contents
from tests.records import NOON, classified, identifier
from tocsin.clock import ManualClock
from tocsin.contracts.events import RemovalReason
from tocsin.storage import mentions, migrating, partitions, searches, stories
from tocsin.storage.database import Database, DatabaseOutdated
from tocsin.storage.merging import Received, Removed
from tocsin.storage.tables import all_tables
from tocsin.storage.text_queries import parse

FTS5 = "mention_tokens"
"""The full-text index of SQLite: a virtual table and those that FTS5 makes for it, which are nobody's class."""


PARTITIONS = tuple(f"{table}_{end}" for table in partitions.TABLES for end in ("before_2006", "from_2100", "20"))
"""What PostgreSQL keeps rows of the partitioned tables in."""


def is_inside(name: str) -> bool:
    return name.startswith((FTS5, *PARTITIONS))


def tables(database: Database) -> set[str]:
    with database.read() as session:
        found = set(inspect(session.connection()).get_table_names()) - {"alembic_version"}
    return {name for name in found if not is_inside(name)}


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
        return not (kind in ("table", "index") and name and is_inside(name)) and (
            only is None or only.dialect == dialect
        )

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


def test_mentions_are_what_they_were_after_the_way_from_months_to_whole_tables_and_back(database: Database) -> None:
    said = [
        classified(name, at=NOON - days * timedelta(days=1), text=words)
        for name, days, words in (
            ("one", 0, "Broken glass https://a.example/?utm_campaign=may"),
            ("two", 40, "Glass again"),
            ("hidden", 80, "Gone glass"),
            ("erased", 1, "Never said"),
            ("ancient", 20_000, "Old glass"),
        )
    ]
    why = RemovalReason
    gone = [("hidden", why.DELETED), ("erased", why.ERASED), ("never seen", why.DELETED), ("kept out", why.ERASED)]
    with database.unit_of_work() as session:
        mentions.write(
            session,
            [Received(item, NOON, wakes=True) for item in said],
            [Removed(identifier(name), 9, reason, NOON) for name, reason in gone],
        )
        stories.write(session, "acme", {str(identifier("one")): "0123456789abcdef"})
    contents = Contents(database, ManualClock(NOON))
    before = contents.rows()
    assert len(before) == 11
    database.downgrade("0016_run_time_settings")
    with database.read() as session:
        assert session.scalar(text("select count(*) from mentions")) == 7
        assert session.scalar(text("select count(*) from mention_campaigns")) == 1
    database.upgrade()
    assert contents.rows() == before
    with database.read() as session:
        wanted = searches.MentionFilter("acme", text=parse("glass"), campaigns=["may"])
        found = searches.find_mentions(session, wanted, limit=10)
    assert [(mention.id, mention.story) for mention in found] == [(identifier("one"), "0123456789abcdef")]
    with database.unit_of_work() as session:
        mentions.write(session, removed=[Removed(identifier("one"), 9, why.ERASED, NOON)])
    with database.read() as session:
        assert searches.find_mentions(session, wanted, limit=10) == []
        assert session.scalar(text("select count(*) from mention_campaigns")) == 0
