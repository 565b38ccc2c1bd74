"""What has outlived its use goes; what people rely on stays."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from services.alert import upkeep
from services.alert.handler import AlertHandler
from services.alert.upkeep import Upkeep
from tests.contents import Contents
from tests.records import NOON, classified_record, identifier, removal_record
from tocsin.clock import ManualClock
from tocsin.contracts.events import RemovalReason
from tocsin.contracts.settings.services import RetentionSettings
from tocsin.observability.health import Health
from tocsin.storage.database import Database

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
    old = [classified_record(f"old {number}", at=NOON - 31 * DAY, author=str(number)) for number in range(5)]
    handler.handle([*old, classified_record("new"), removal_record("tombstone")])
    handler.handle([removal_record("erased", why=RemovalReason.ERASED)])
    counted = contents.hour_counts()
    Upkeep(database, clock, "me", retention=RETENTION, complete_up_to=complete, health=Health()).clean_up(
        threading.Event()
    )
    assert left(contents) == {identifier("new"), identifier("erased")}
    assert contents.hour_counts() == counted


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
