"""The database's clock, which all processes share: leases and what is due are judged by it, whatever a machine thinks of the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tocsin.bus.failures import Retryable
from tocsin.observability.logs import logger

_log = logger(__name__)

MEASURED_EVERY = 60.0
"""Seconds between two looks at the database's clock; in between this machine's steady clock goes on from there."""


class DatabaseClock:
    """A `tocsin.clock.Clock` that is set by `ask` (a `Database.now`) now and then; safe to share between threads.

    While the database is away it goes on from its last setting, or, before the first, by this machine's clock.
    """

    def __init__(self, ask: Callable[[], datetime], steady: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._steady = steady
        self._measuring = threading.Lock()
        self._looked: float | None = None
        # The instant that the steady clock's zero would have been; replaced as a whole, so that readers need no lock.
        self._zero = datetime.now(UTC) - timedelta(seconds=steady())

    def now(self) -> datetime:
        """The present instant by the database's clock, in UTC."""
        looked = self._looked
        if (looked is None or self._steady() - looked > MEASURED_EVERY) and self._measuring.acquire(blocking=False):
            try:
                self._measure()
            finally:
                self._measuring.release()
        return self._zero + timedelta(seconds=self._steady())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set or `seconds` have passed; true when the event is set."""
        return event.wait(max(0.0, seconds))

    def _measure(self) -> None:
        before = self._steady()
        self._looked = before
        try:
            asked = self._ask()
        except Retryable as error:
            _log.warning("the database's clock cannot be read; going on by our own", error=str(error))
            return
        # The answer was true about half way between asking and hearing it.
        zero = asked - timedelta(seconds=(before + self._steady()) / 2)
        drift = abs((zero - self._zero).total_seconds())
        if drift > 1.0:
            _log.warning("this machine's clock differs from the database's", seconds=round(drift, 1))
        self._zero = zero
