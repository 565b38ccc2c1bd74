"""What has outlived its use goes; what people rely on stays."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.alert import upkeep
from services.alert.counting import Counting
from services.alert.detection.observations import HarmfulRates
from services.alert.handler import AlertHandler
from services.alert.upkeep import Upkeep
from tests.at_once import at_once
from tests.contents import SETTINGS, Contents
from tests.records import NOON, classified_record, identifier, removal_record
from tocsin.clock import ManualClock
from tocsin.contracts.events import RemovalReason
from tocsin.contracts.settings.services import RetentionSettings
from tocsin.observability.health import Health
from tocsin.storage import counts, partitions
from tocsin.storage.database import Database, DatabaseUnavailable
from tocsin.storage.figures import count_spans
from tocsin.storage.tables.mentions import MentionTable
from tocsin.storage.thresholds import Thresholds

DAY = timedelta(days=1)
RETENTION = RetentionSettings(mentions=30 * DAY)


def complete(_session: Session) -> datetime | None:
    return NOON + timedelta(hours=2)


def left(contents: Contents) -> set[object]:
    return {row["id"] for row in contents.rows() if "state" in row}


def test_old_mentions_and_tombstones_go_and_counts_and_erasures_stay(
    handler: AlertHandler,
    database: Database,
    clock: ManualClock,
    contents: Contents,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "AT_ONCE", 2)
    old = [classified_record(f"old {number}", at=NOON - 62 * DAY, author=str(number)) for number in range(5)]
    handler.handle([*old, classified_record("new"), removal_record("tombstone")])
    handler.handle([removal_record("erased", why=RemovalReason.ERASED)])
    counted = contents.hour_counts()
    Upkeep(database, clock, "me", retention=RETENTION, complete_up_to=complete, health=Health()).clean_up(
        threading.Event()
    )
    assert left(contents) == {identifier("new"), identifier("erased")}
    assert contents.hour_counts() == counted


@pytest.fixture
def upkeep_of(database: Database, clock: ManualClock) -> Upkeep:
    return Upkeep(database, clock, "me", retention=RETENTION, complete_up_to=complete, health=Health())


def months(database: Database) -> list[str]:
    """The partitions that there are of mentions, by month."""
    with database.read() as session:
        made = partitions.past(session, partitions.LAST)
    return [name.removeprefix("mentions_") for name in made if name.startswith("mentions_")]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_month_is_dropped_when_it_is_wholly_past_and_not_before(
    handler: AlertHandler, database: Database, clock: ManualClock, contents: Contents, upkeep_of: Upkeep
) -> None:
    # Thirty days are kept, and it is the 1st of June: all of April may go, May began to be past today.
    clock.move((datetime(2026, 6, 1, 12, tzinfo=UTC) - NOON).total_seconds())
    days = {"late in April": (4, 30), "early in May": (5, 1), "in June": (6, 1)}
    handler.handle([classified_record(name, at=datetime(2026, *day, 1, tzinfo=UTC)) for name, day in days.items()])
    handler.handle([classified_record("long ago", at=datetime(1999, 1, 1, tzinfo=UTC))])
    upkeep_of.clean_up(threading.Event())
    assert months(database) == ["2026_05", "2026_06"]
    assert left(contents) == {identifier("early in May"), identifier("in June")}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_retention_waits_for_a_long_export_and_nobody_for_retention(
    handler: AlertHandler, database: Database, contents: Contents, upkeep_of: Upkeep
) -> None:
    handler.handle([classified_record("old", at=NOON - 90 * DAY), classified_record("new")])
    with database.read() as export:
        export.execute(select(MentionTable.text)).first()
        with pytest.raises(DatabaseUnavailable):
            upkeep_of.clean_up(threading.Event())
        handler.handle([classified_record("another", at=NOON - 90 * DAY)])
        assert left(contents) == {identifier("old"), identifier("new"), identifier("another")}
    upkeep_of.clean_up(threading.Event())
    assert left(contents) == {identifier("new")}


def test_old_mentions_that_come_while_retention_is_at_it_leave_nothing_half(
    handler: AlertHandler, database: Database, contents: Contents, upkeep_of: Upkeep
) -> None:
    old = [classified_record(f"old {number}", at=NOON - 90 * DAY) for number in range(20)]
    handler.handle(old)
    done = threading.Event()

    def write() -> None:
        for revision in range(2, 30):
            handler.handle(
                [classified_record(f"old {number}", revision=revision, at=NOON - 90 * DAY) for number in range(20)]
            )
            handler.handle([removal_record(f"old {revision}", revision=revision, why=RemovalReason.UNMATCHED)])
        done.set()

    def forget() -> None:
        while not done.is_set():
            with suppress(DatabaseUnavailable):
                upkeep_of.clean_up(threading.Event())

    at_once(write, forget)
    contents.rows()
    upkeep_of.clean_up(threading.Event())
    assert not {row["id"] for row in contents.rows() if row.get("published_at")}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_said_again_of_a_mention_whose_month_is_gone_begins_anew(
    handler: AlertHandler, database: Database, contents: Contents
) -> None:
    handler.handle([classified_record("old", at=NOON - 90 * DAY), classified_record("removed", at=NOON - 90 * DAY)])
    with database.read() as session:
        for partition in partitions.past(session, NOON - 30 * DAY):
            with database.unit_of_work() as dropping:
                partitions.drop(dropping, partition)
    handler.handle([removal_record("removed", revision=2), removal_record("old", revision=0)])
    handler.handle([classified_record("old", revision=1, at=NOON - 90 * DAY, text="once more")])
    told = {row["id"]: (row["state"], row["text"]) for row in contents.rows() if "state" in row}
    assert told == {identifier("old"): ("live", "once more"), identifier("removed"): ("deleted", None)}


def test_the_figures_of_an_hour_whose_mentions_are_gone_outlive_what_still_comes(
    handler: AlertHandler, database: Database, clock: ManualClock, contents: Contents, upkeep_of: Upkeep
) -> None:
    at = NOON - 90 * DAY
    counting = Counting(SETTINGS, HarmfulRates(), clock)

    def come(*names: str) -> int:
        handler.handle([classified_record(name, at=at, author=name) for name in names])
        with database.unit_of_work() as session:
            counts.recount(session, "acme", counting.count, now=NOON, kept_since=NOON - 30 * DAY)
        with database.read() as session:
            (figures,) = count_spans(session, "acme", [at, at + timedelta(hours=1)], thresholds=Thresholds())
        assert figures.mentions == contents.hour_counts()[("acme", at)]["mentions"]
        return figures.mentions

    assert come("1", "2", "3") == 3
    upkeep_of.clean_up(threading.Event())
    assert come("late") == 3
    # An import of more than was known is believed.
    assert come("1", "2", "3") == 4


def test_one_process_at_a_time_cleans_up(
    handler: AlertHandler, database: Database, clock: ManualClock, contents: Contents
) -> None:
    Upkeep(database, clock, "first", retention=RETENTION, complete_up_to=complete, health=Health()).clean_up(
        threading.Event()
    )
    handler.handle([removal_record("tombstone")])
    second = Upkeep(database, clock, "second", retention=RETENTION, complete_up_to=complete, health=Health())
    second.clean_up(threading.Event())
    assert left(contents) == {identifier("tombstone")}
    clock.move(600)
    second.clean_up(threading.Event())
    assert left(contents) == set()
