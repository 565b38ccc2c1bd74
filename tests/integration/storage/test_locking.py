"""Two processes in one row's way, step by step. SQLite has one writer at a time; this is PostgreSQL's affair."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.alert.handler import AlertHandler
from tests.contents import Contents
from tests.records import NOON, classified, classified_record, identifier, removal_record
from tocsin.contracts.events import RemovalReason
from tocsin.storage import brands, counts, mentions
from tocsin.storage.counts import ObservedRow
from tocsin.storage.database import Database
from tocsin.storage.merging import Received

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

NAMES = [str(number) for number in range(8)]


def received(name: str = "1", **fields: Any) -> Received:
    return Received(classified(name, **fields), NOON, True)


def wait_until_blocked(database: Database) -> None:
    """Return when a statement on this database waits for a lock."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with database.read() as session:
            waiting = session.scalar(
                text(
                    "select count(*) from pg_stat_activity"
                    " where datname = current_database() and wait_event_type = 'Lock'"
                )
            )
        if waiting:
            return
    pytest.fail("nobody waits for a lock")


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Run `work` on another thread; at the end it must have come to its own end without an error."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told below, on the test's own thread
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()
    assert failures == []


@contextmanager
def meanwhile_blocked(database: Database, work: Callable[[], object]) -> Iterator[None]:
    with meanwhile(work):
        wait_until_blocked(database)
        yield


@pytest.mark.parametrize("known", [False, True])
def test_rows_are_locked_in_the_order_of_ids_so_that_nobody_waits_crosswise(
    database: Database, handler: AlertHandler, known: bool
) -> None:
    ids = sorted(identifier(name) for name in NAMES)
    if known:
        handler.handle([classified_record(name) for name in NAMES])
    records = [classified_record(name, revision=2) for name in NAMES]
    backwards = sorted(records, key=lambda item: item.value, reverse=True)

    with database.unit_of_work() as session:
        session.execute(text("set local lock_timeout = '5s'"))
        mentions.lock(session, ids[:1])
        with meanwhile_blocked(database, lambda: handler.handle(backwards)):
            # Whoever waits for the first holds none of the others.
            mentions.write(session, [received(name, revision=3) for name in NAMES])
            session.commit()


def test_what_another_is_just_writing_is_waited_for_and_seen(
    database: Database, handler: AlertHandler, contents: Contents
) -> None:
    handler.handle([classified_record("1", revision=1)])
    with database.unit_of_work() as session:
        mentions.write(session, [received(revision=3, text="third")])
        with meanwhile_blocked(database, lambda: handler.handle([classified_record("1", revision=2, text="second")])):
            session.commit()
    assert contents.rows()[0]["text"] == "third"


@pytest.mark.parametrize("why", list(RemovalReason))
def test_a_removal_waits_for_its_mention_that_is_just_being_written_for_the_first_time(
    database: Database, handler: AlertHandler, contents: Contents, why: RemovalReason
) -> None:
    with database.unit_of_work() as session:
        mentions.write(session, [received()])
        with meanwhile_blocked(database, lambda: handler.handle([removal_record("1", revision=2, why=why)])):
            session.commit()
    assert contents.rows()[0]["state"] == why
    assert contents.rows()[0]["text"] is None


def test_a_mark_that_is_not_committed_yet_survives_the_counting(
    database: Database, handler: AlertHandler, contents: Contents
) -> None:
    handler.handle([classified_record("1")])
    with database.unit_of_work() as session:
        mentions.write(session, [received("2", author="ben")])
        assert contents.recount("acme") == 1
    assert contents.recount("acme") == 1
    assert contents.hour_counts()[("acme", NOON)]["mentions"] == 2


def test_a_mark_that_is_committed_between_the_counting_and_its_end_survives(
    database: Database, handler: AlertHandler, contents: Contents
) -> None:
    handler.handle([classified_record("1")])

    def count_and_be_overtaken(rows: Sequence[ObservedRow]) -> dict[datetime, dict[str, Any]]:
        handler.handle([classified_record("2", author="ben")])
        return {NOON: {"mentions": len(rows)}}

    with database.unit_of_work() as session:
        counts.recount(session, "acme", count_and_be_overtaken, now=NOON)
    assert contents.hour_counts()[("acme", NOON)]["mentions"] == 2


def test_two_evaluators_that_count_one_brand_do_it_one_after_the_other(
    database: Database, handler: AlertHandler, contents: Contents
) -> None:
    handler.handle([classified_record("1")])
    second = threading.Thread(target=contents.recount, args=("acme",))

    def count_slowly(rows: Sequence[ObservedRow]) -> dict[datetime, dict[str, Any]]:
        handler.handle([classified_record("2", author="ben")])
        second.start()
        # Were it not for the lock, the second would be through by now, and be overwritten.
        second.join(0.3)
        return {NOON: {"mentions": len(rows)}}

    with database.unit_of_work() as session:
        counts.recount(session, "acme", count_slowly, now=NOON)
    second.join(30)
    assert contents.hour_counts()[("acme", NOON)]["mentions"] == 2


def test_a_brand_that_is_just_being_claimed_is_passed_over(database: Database) -> None:
    with database.unit_of_work() as session:
        brands.ensure(session, ["acme", "zenith"], due_at=NOON)

    def claim(session: Any) -> list[str]:
        session.execute(text("set local lock_timeout = '5s'"))
        return brands.claim_due(session, "me", now=NOON, length=timedelta(minutes=1), limit=1)

    with database.unit_of_work() as first, database.unit_of_work() as second:
        assert [claim(first), claim(second)] == [["acme"], ["zenith"]]
