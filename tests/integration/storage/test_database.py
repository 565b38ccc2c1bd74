"""Units of work: whole or not at all, and what is worth repeating is told apart from bugs."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from tests.records import NOON
from tocsin.bus.failures import Retryable
from tocsin.config import Environment
from tocsin.contracts.settings.services import StorageSettings
from tocsin.storage import leases
from tocsin.storage.database import Database, DatabaseUnavailable, database_url
from tocsin.storage.tables.flow import LeaseTable

MINUTE = timedelta(minutes=1)


def lease(name: str, expires_at: datetime = NOON) -> LeaseTable:
    return LeaseTable(name=name, owner="me", expires_at=expires_at)


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(LeaseTable.name).order_by(LeaseTable.name)))


def test_a_unit_of_work_that_fails_leaves_nothing_behind(database: Database) -> None:
    def fail_half_way() -> None:
        with database.unit_of_work() as session:
            session.add(lease("a"))
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert names(database) == []


def test_a_session_for_reading_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"), database.read() as session:
        session.execute(delete(LeaseTable))
    with database.unit_of_work() as session:
        session.add(lease("b"))
    assert names(database) == ["b"]


def test_a_broken_constraint_is_a_bug_and_not_retried(database: Database) -> None:
    with pytest.raises(IntegrityError), database.unit_of_work() as session:
        session.add_all([lease("a"), lease("a")])


def test_instants_come_back_in_utc_whatever_their_offset(database: Database) -> None:
    given = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with database.unit_of_work() as session:
        session.add(lease("a", given))
    with database.read() as session:
        found = session.scalars(select(LeaseTable.expires_at)).one()
    assert found == given
    assert found.tzinfo is UTC


def test_an_instant_without_offset_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="has no offset"), database.unit_of_work() as session:
        session.add(lease("a", datetime(2026, 3, 29)))  # noqa: DTZ001 - the point of the test


def test_a_server_that_is_not_there_is_worth_waiting_for() -> None:
    database = Database("postgresql://tocsin@127.0.0.1:1/tocsin")
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL") as caught, database.unit_of_work() as session:
        session.execute(text("select 1"))
    assert isinstance(caught.value, Retryable)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'tocsin.sqlite'}")
    with pytest.raises(DatabaseUnavailable, match="unable to open"):
        database.check()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_lost_connection_is_retryable_and_the_next_one_works(database: Database) -> None:
    def lose_the_connection_half_way() -> None:
        with database.unit_of_work() as session:
            session.add(lease("a"))
            session.flush()
            victim = session.execute(text("select pg_backend_pid()")).scalar_one()
            with database.unit_of_work() as other:
                other.execute(text("select pg_terminate_backend(:victim)"), {"victim": victim})
            session.execute(text("select 1"))

    with pytest.raises(DatabaseUnavailable):
        lose_the_connection_half_way()
    assert names(database) == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_deadlock_is_retryable(database: Database) -> None:
    with database.unit_of_work() as session:
        session.add_all([lease("a"), lease("b")])
    both_hold_one = threading.Barrier(2)
    outcomes: list[str] = []

    def touch(first: str, second: str) -> None:
        try:
            with database.unit_of_work() as session:
                session.execute(text("update leases set owner = 'x' where name = :name"), {"name": first})
                both_hold_one.wait(10)
                session.execute(text("update leases set owner = 'x' where name = :name"), {"name": second})
            outcomes.append("done")
        except DatabaseUnavailable as error:
            outcomes.append("deadlock" if "deadlock" in str(error) else str(error))

    threads = [threading.Thread(target=touch, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["deadlock", "done"]


def test_writers_on_many_threads_wait_for_each_other(database: Database) -> None:
    def write(owner: str) -> None:
        for number in range(10):
            with database.unit_of_work() as session:
                leases.acquire(session, f"{owner}-{number}", owner, now=NOON, length=MINUTE)

    threads = [threading.Thread(target=write, args=(f"thread-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(names(database)) == 60


def test_the_clock_of_the_database_is_near_ours_and_in_utc(database: Database) -> None:
    assert abs(database.now() - datetime.now(UTC)) < timedelta(minutes=5)


def test_the_url_of_the_environment_wins_over_the_file_and_both_over_the_data_folder(tmp_path: Path) -> None:
    file = StorageSettings.model_validate({"url": "postgresql://file/tocsin"})
    bare = Environment.read({"TOCSIN_HOME": str(tmp_path)})
    assert (
        database_url(Environment.read({"DATABASE_URL": "postgresql://env/tocsin"}), file) == "postgresql://env/tocsin"
    )
    assert database_url(bare, file) == "postgresql://file/tocsin"
    assert database_url(bare, StorageSettings()) == f"sqlite:///{tmp_path}/tocsin.sqlite"


@pytest.mark.parametrize("url", ["postgres://host/db", "postgresql://host/db", "postgresql+psycopg://host/db"])
def test_every_spelling_of_postgresql_is_understood(url: str) -> None:
    assert Database(url).url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "tocsin.sqlite", ""])
def test_what_cannot_be_a_memory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"DATABASE_URL|sqlite:////"):
        Database(url)
