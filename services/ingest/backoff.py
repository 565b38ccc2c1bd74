"""Trying again, ever later, and never all at the same moment."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.observability.logs import logger

Result = TypeVar("Result")

_log = logger(__name__)


class GivenUp(Exception):
    """Asked to stop before what was tried again and again has worked."""


class Backoff:
    """Waits that double from `first` to `longest` seconds, each shortened by chance to between half of it and all of it."""

    def __init__(self, first: float, longest: float, chance: Callable[[], float] = random.random) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        # The exponent is bounded: after a night of failures a float would overflow.
        wait = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return wait * (0.5 + self._chance() / 2)

    def reset(self) -> None:
        """It worked: begin with the shortest wait again."""
        self._failures = 0


def until_it_works(action: Callable[[], Result], *, clock: Clock, stop: threading.Event, what: str) -> Result:
    """Do `action`, and again after each Retryable, until it returns. Raises GivenUp when `stop` is set meanwhile."""
    backoff = Backoff(first=0.2, longest=15.0)
    while True:
        try:
            return action()
        except Retryable as error:
            wait = backoff.next()
            _log.warning("trying again later", what=what, reason=str(error), seconds=round(wait, 1))
            if clock.wait(stop, wait):
                raise GivenUp(f"{what} was not done yet when the process was asked to stop") from error
