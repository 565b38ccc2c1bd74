"""The keeper of the crisis rooms: lets each take note of what its incident has become, and rings what is due.

Any number may run. Everything that a room does by itself is an instant in its row; a process that is killed between the incident
and its room, or between two rooms, leaves rows that the next one finds out of step or due.
"""

from __future__ import annotations

import threading
from datetime import datetime

from sqlalchemy.orm import Session

from services.alert.protocol.directory import Directory
from services.alert.room.decide import due, observe
from services.alert.room.team import Team
from services.alert.timers import shared_clock
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock, SystemClock
from tocsin.config import Configuration
from tocsin.contracts.room import Facts
from tocsin.holiday_calendars import calendars_of
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import oncall, rooms
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.situation import facts_of

_log = logger(__name__)

BATCH = 20
POLL_SECONDS = 0.5
"""How often the rows are looked at, in real seconds, whatever the clock."""
PAUSE_SECONDS = 2.0
"""How long to wait when the database is away."""


class RoomKeeper:
    """Opens rooms, moves them on with their incidents, and rings what is due in them."""

    name = "rooms"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        configuration: Configuration,
        thresholds: Thresholds,
        *,
        health: Health | None = None,
        people_clock: Clock | None = None,
    ) -> None:
        """`people_clock` (the machine's) is what links expire by, also where a rehearsal's clock runs faster."""
        self._database = database
        self._now = shared_clock(clock, database)
        self._configuration = configuration
        self._directory = Directory.of(configuration, calendars_of(configuration.schedules))
        self._thresholds = thresholds
        self._health = health
        self._people_clock = people_clock or SystemClock()

    def run(self, stop: threading.Event) -> None:
        """Look every `POLL_SECONDS` until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            if self._health is not None:
                self._health.beat(self.name)
            try:
                done = self.keep()
            except Retryable as error:
                _log.warning("rooms wait for the database", error=str(error))
                stop.wait(PAUSE_SECONDS)
                continue
            if not done:
                stop.wait(POLL_SECONDS)

    def keep(self) -> int:
        """Move on what is out of step and ring what is due, a batch of each; returns how many rooms there were."""
        return self.observe() + self.ring_due()

    def observe(self) -> int:
        """Let rooms take note of what their incidents have become, each in a transaction of its own."""
        with self._database.read() as session:
            found = rooms.out_of_step(session, BATCH)
        for incident_id in found:
            with self._database.unit_of_work() as session:
                team = self._team(session)
                rooms.execute(
                    session,
                    incident_id,
                    lambda incident, room, team=team: observe(room, incident, self._now(), team),  # type: ignore[misc]
                    people_now=self._people_clock.now(),
                    public_url=self._configuration.api.public_url,
                )
        return len(found)

    def ring_due(self) -> int:
        """Ring one batch of what is due, in one transaction."""
        now = self._now()
        with self._database.read() as session:
            oldest = rooms.oldest_due(session)
        if oldest is None or oldest > now:
            return 0
        with self._database.unit_of_work() as session:
            found = rooms.lock_due(session, now, BATCH)
            team = self._team(session)
            for incident, room in found:
                facts = self._facts(session, incident.brand, now) if _needs_facts(room.update_due_at, now) else None
                decided = due(room, incident, now, team, facts)
                rooms.save(
                    session,
                    incident,
                    room,
                    decided,
                    people_now=self._people_clock.now(),
                    public_url=self._configuration.api.public_url,
                )
                _log.info("room", incident=str(incident.id), brand=incident.brand, events=len(decided.decision.events))
        return len(found)

    def _team(self, session: Session) -> Team:
        """With the shifts that people have exchanged up to now."""
        exchanged = oncall.overrides(session, self._now())
        return Team.of(self._configuration, self._directory.with_overrides(exchanged))

    def _facts(self, session: Session, brand: str, now: datetime) -> Facts:
        settings = self._configuration.brand(brand)
        return facts_of(
            session, brand, now, thresholds=self._thresholds, zone=settings.time_zone if settings else "UTC"
        )


def _needs_facts(update_due_at: datetime | None, now: datetime) -> bool:
    return update_due_at is not None and update_due_at <= now
