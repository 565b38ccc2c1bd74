"""What the core lives through: the database away for a minute, and an outside heartbeat that tells the truth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from services.alert.heartbeat import Heartbeat
from services.alert.protocol.decide import decide
from services.alert.timers import Timers
from tests.team import DIRECTORY, INCIDENT, START, opening
from tocsin.clock import ManualClock
from tocsin.contracts.incidents import IncidentEventType
from tocsin.contracts.settings.services import HeartbeatSettings
from tocsin.storage import incidents
from tocsin.storage.database import Database
from tocsin.storage.failures import DatabaseUnavailable

MINUTE = timedelta(minutes=1)


class Cable:
    """The way to a database, which can be cut: also in the middle of a transaction, right before its commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.cut = False
        self.cut_before_commit = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def read(self) -> Iterator[Session]:
        self._check()
        with self._database.read() as session:
            yield session

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        self._check()
        with self._database.unit_of_work() as session:
            yield session
            if self.cut_before_commit:
                self.cut = True
                self._check()

    def _check(self) -> None:
        if self.cut:
            raise DatabaseUnavailable("the cable is cut")


@pytest.fixture
def cable(database: Database) -> Cable:
    with database.unit_of_work() as session:
        assert incidents.insert_opened(session, decide(None, opening(), START, DIRECTORY))
    return Cable(database)


def rung(database: Database) -> list[datetime]:
    with database.read() as session:
        return [event.at for event in incidents.events(session, INCIDENT) if event.type is IncidentEventType.ESCALATED]


def test_a_step_that_came_due_while_the_database_was_away_is_rung_once_when_it_is_back(
    database: Database, cable: Cable
) -> None:
    clock = ManualClock(START)
    timers = Timers(cable, clock, DIRECTORY)  # type: ignore[arg-type]  # it is one, but for the cable
    clock.move(5 * 60 - 10)
    cable.cut_before_commit = True
    clock.move(10)
    for _ in range(60):
        with pytest.raises(DatabaseUnavailable):
            timers.ring_due()
        clock.move(1)
    assert rung(database) == [START]
    cable.cut = cable.cut_before_commit = False
    assert timers.ring_due() == 1
    assert timers.ring_due() == 0
    assert rung(database) == [START, START + 6 * MINUTE]
    # Waits count from when a step was really rung: nobody's time is cut short by the outage.
    clock.move(10 * 60 - 1)
    assert timers.ring_due() == 0
    clock.move(1)
    assert timers.ring_due() == 1


class Outside:
    """The heartbeat, and what the outside hears of it."""

    def __init__(self, cable: Cable) -> None:
        self.clock = ManualClock(START)
        self.complete: datetime | None = START
        self.heard = 0
        settings = HeartbeatSettings.model_validate({"url": "https://heartbeat.example/x"})
        self.heart = Heartbeat(
            cable,  # type: ignore[arg-type]  # it is one, but for the cable
            self.clock,
            settings,
            complete_up_to=lambda _: self.complete,
            ping=self.hear,
        )

    def hear(self) -> bool:
        self.heard += 1
        return True


def test_the_outside_is_pinged_only_while_stream_and_timers_keep_up(cable: Cable) -> None:
    outside = Outside(cable)
    assert outside.heart.beat()
    outside.clock.move(5 * 60 + 29)  # the step is due since 29 s
    outside.complete = outside.clock.now()
    assert outside.heart.beat()
    outside.clock.move(2)
    assert not outside.heart.beat()
    Timers(cable, outside.clock, DIRECTORY).ring_due()  # type: ignore[arg-type]
    assert outside.heart.beat()
    outside.clock.move(11 * 60)
    Timers(cable, outside.clock, DIRECTORY).ring_due()  # type: ignore[arg-type]
    assert not outside.heart.beat(), "the stream is eleven minutes behind"
    outside.complete = None
    assert not outside.heart.beat()
    outside.complete = outside.clock.now()
    assert outside.heart.beat()
    cable.cut = True
    assert not outside.heart.beat()
    assert outside.heard == 4
