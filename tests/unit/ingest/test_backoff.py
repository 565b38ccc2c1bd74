"""What fails for now is tried again, ever later, until it works or the process is asked to stop."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from services.ingest.backoff import Backoff, GivenUp, until_it_works
from tocsin.bus.failures import BusUnavailable
from tocsin.clock import ManualClock


class PatientClock(ManualClock):
    """A clock on which waiting takes no time, and that may be told to stop after some waits."""

    def __init__(self, stop_after: int = 1000) -> None:
        super().__init__(datetime(2026, 3, 1, tzinfo=UTC))
        self.waits: list[float] = []
        self._stop_after = stop_after

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        if len(self.waits) >= self._stop_after:
            event.set()
        return event.is_set()


def test_waits_double_up_to_the_longest_and_begin_again_after_success() -> None:
    backoff = Backoff(first=1, longest=10, chance=lambda: 1.0)
    assert [backoff.next() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.next() == 1


def test_chance_shortens_each_wait_to_half_at_most() -> None:
    assert Backoff(first=8, longest=10, chance=lambda: 0.0).next() == 4


def test_a_thousand_failures_are_no_overflow() -> None:
    backoff = Backoff(first=1, longest=10, chance=lambda: 1.0)
    assert [backoff.next() for _ in range(2000)][-1] == 10


def test_it_is_done_again_until_it_works() -> None:
    failures = iter([BusUnavailable("away"), BusUnavailable("away"), None])
    clock = PatientClock()

    def action() -> str:
        failure = next(failures)
        if failure is not None:
            raise failure
        return "done"

    assert until_it_works(action, clock=clock, stop=threading.Event(), what="test") == "done"
    assert len(clock.waits) == 2


def test_asked_to_stop_it_gives_up() -> None:
    def action() -> None:
        raise BusUnavailable("away")

    with pytest.raises(GivenUp, match="cursor of paper"):
        until_it_works(action, clock=PatientClock(stop_after=3), stop=threading.Event(), what="cursor of paper")


def test_a_bug_is_not_tried_again() -> None:
    clock = PatientClock()

    def action() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        until_it_works(action, clock=clock, stop=threading.Event(), what="test")
    assert clock.waits == []
