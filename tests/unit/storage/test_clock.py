"""One time for all machines: the database's."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from tests.records import NOON
from tocsin.storage.clock import MEASURED_EVERY, DatabaseClock
from tocsin.storage.failures import DatabaseUnavailable


class Server:
    """A database's clock, and this machine's steady one beside it."""

    def __init__(self) -> None:
        self.at = NOON
        self.steady = 1000.0
        self.away = False
        self.asked = 0

    def pass_by(self, seconds: float) -> None:
        self.steady += seconds
        self.at += timedelta(seconds=seconds)

    def ask(self) -> datetime:
        self.asked += 1
        if self.away:
            raise DatabaseUnavailable("away")
        return self.at


def test_it_tells_the_time_of_the_database_and_asks_only_now_and_then() -> None:
    server = Server()
    clock = DatabaseClock(server.ask, lambda: server.steady)
    assert clock.now() == NOON
    server.pass_by(30)
    assert clock.now() == NOON + timedelta(seconds=30)
    assert server.asked == 1


def test_it_follows_a_database_whose_clock_was_set() -> None:
    server = Server()
    clock = DatabaseClock(server.ask, lambda: server.steady)
    clock.now()
    server.at += timedelta(minutes=10)
    server.pass_by(MEASURED_EVERY + 1)
    assert clock.now() == server.at


def test_it_goes_on_while_the_database_is_away() -> None:
    server = Server()
    clock = DatabaseClock(server.ask, lambda: server.steady)
    clock.now()
    server.away = True
    server.pass_by(MEASURED_EVERY + 1)
    assert clock.now() == server.at
    server.pass_by(1)
    assert clock.now() == server.at
    assert server.asked == 2


def test_before_the_first_answer_it_goes_by_this_machine() -> None:
    server = Server()
    server.away = True
    assert abs(DatabaseClock(server.ask).now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_waiting_ends_when_the_event_is_set() -> None:
    event = threading.Event()
    event.set()
    assert DatabaseClock(Server().ask).wait(event, 60)
