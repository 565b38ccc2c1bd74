"""Timers: rows that go off when their time has come, in one transaction with everything that they cause.

Any number of these loops may run, in any number of processes. After a restart a due row is simply due; where the clock jumps
back, rows wait for as long, and none is skipped or goes off twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from services.alert.protocol.commands import AcknowledgementDue, Command, SilenceDue, StepDue
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock, SystemClock
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import Incident, TimerKind
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import incidents, oncall, timers
from tocsin.storage.database import Database

_log = logger(__name__)

BATCH = 200
"""Timers a transaction, which takes about 0.1 s: people's commands on the same incidents hardly wait."""
POLL_SECONDS = 0.2
"""How often the rows are looked at, in real seconds, whatever the clock."""
PAUSE_SECONDS = 2.0
"""How long to wait when the database is away."""

_COMMANDS: Mapping[TimerKind, Command] = {
    TimerKind.STEP: StepDue(),
    TimerKind.ACKNOWLEDGEMENT: AcknowledgementDue(),
    TimerKind.SILENCE: SilenceDue(),
}


def shared_clock(clock: Clock, database: Database) -> Callable[[], datetime]:
    """What judges whether something is due: the clock that was injected, in production the database's, which all share."""
    if database.is_postgresql and isinstance(clock, SystemClock):
        return database.now
    return clock.now


class Timers:
    """Rings the steps and ends the acknowledgements that are due."""

    name = "timers"

    def __init__(self, database: Database, clock: Clock, directory: Directory, health: Health | None = None) -> None:
        self._database = database
        self._now = shared_clock(clock, database)
        self._directory = directory
        self._health = health

    def run(self, stop: threading.Event) -> None:
        """Look every `POLL_SECONDS` until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            if self._health is not None:
                self._health.beat(self.name)
            try:
                fired = self.ring_due()
            except Retryable as error:
                _log.warning("timers wait for the database", error=str(error))
                stop.wait(PAUSE_SECONDS)
                continue
            if not fired:
                stop.wait(POLL_SECONDS)

    def ring_due(self) -> int:
        """Ring one batch of what is due, in one transaction; returns how many there were."""
        now = self._now()
        # Looking costs no write lock; nearly always there is nothing.
        with self._database.read() as session:
            oldest = timers.oldest(session)
        late = (now - oldest).total_seconds() if oldest is not None else 0.0
        metrics.TIMER_OLDEST_DUE_SECONDS.set(max(0.0, late))
        if oldest is None or oldest > now:
            return 0
        with self._database.unit_of_work() as session:
            due = timers.lock_due(session, now, BATCH)
            directory = self._directory.with_overrides(oncall.overrides(session, now)) if due else self._directory
            changes: dict[UUID, tuple[Incident, Decision]] = {}
            for found, kind in due:
                # Two timers of one incident may be due at once; the second meets what the first made of it.
                before, so_far = changes.get(found.id, (found, Decision(found)))
                decision = decide(so_far.incident, _COMMANDS[kind], now, directory)
                changes[found.id] = before, _one_after_the_other(so_far, decision)
            incidents.save_all(session, list(changes.values()))
        for incident, kind in due:
            metrics.TIMERS_FIRED.labels(kind.value).inc()
            _log.info(
                "timer", kind=kind.value, incident=str(incident.id), brand=incident.brand, late_seconds=round(late, 3)
            )
        return len(due)


def _one_after_the_other(first: Decision, second: Decision) -> Decision:
    return Decision(second.incident, (*first.events, *second.events), (*first.notifications, *second.notifications))
