"""The heartbeat to the outside: a service elsewhere is pinged only while everything keeps up, and rings when it hears nothing.

What watches over Tocsin must not stand in the same house: a power cut takes both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.alert.notify.posting import Poster
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.contracts.settings.services import HeartbeatSettings
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import timers
from tocsin.storage.database import Database
from tocsin.storage.notifications import AttemptOutcome

_log = logger(__name__)

Ping = Callable[[], bool]
"""Pings once; false where nobody answered."""


class Heartbeat:
    """Pings while the stream is complete enough and no timer is overdue."""

    name = "heartbeat"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: HeartbeatSettings,
        *,
        complete_up_to: Callable[[Session], datetime | None],
        ping: Ping,
        health: Health | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._complete_up_to = complete_up_to
        self._ping = ping
        self._health = health

    def run(self, stop: threading.Event) -> None:
        """Ping as often as the configuration says, in real time, until `stop` is set."""
        while not stop.is_set():
            if self._health is not None:
                self._health.beat(self.name, limit_seconds=300)
            self.beat()
            stop.wait(self._settings.every.total_seconds())

    def beat(self) -> bool:
        """Ping once, if everything keeps up; whether it did and somebody answered."""
        why = self._why_not()
        if why is not None:
            _log.error("no heartbeat: the outside will ring", why=why)
            metrics.HEARTBEATS.labels("withheld").inc()
            return False
        answered = self._ping()
        metrics.HEARTBEATS.labels("sent" if answered else "unanswered").inc()
        return answered

    def _why_not(self) -> str | None:
        now = self._clock.now()
        try:
            with self._database.read() as session:
                complete = self._complete_up_to(session)
                oldest = timers.oldest(session)
        except Retryable as error:
            return f"the database or the bus is away: {error}"
        if complete is None or now - complete > self._settings.behind:
            return f"the stream is complete only up to {complete.isoformat() if complete else 'nowhere'}"
        late = now - oldest if oldest is not None else timedelta(0)
        if late > self._settings.timers_late:
            return f"a timer has been due for {late.total_seconds():.0f} s"
        return None


def pinger(settings: HeartbeatSettings, clock: Clock) -> Ping:
    """Posts nothing to the address of the heartbeat; addresses inside are refused unless the configuration allows them."""
    poster = Poster(timeout=timedelta(seconds=5), allow_private=settings.allow_private_address, clock=clock)

    def ping() -> bool:
        outcome = poster.post(settings.url.get_secret_value(), b"", {}, wanted=lambda: True)
        if outcome.kind is not AttemptOutcome.ACCEPTED:
            _log.warning("the heartbeat was not heard", outcome=outcome.kind.value, detail=outcome.detail)
        return outcome.kind is AttemptOutcome.ACCEPTED

    return ping
