"""Rings scheduled drills, and ends exercises that somebody has acknowledged, or that nobody did for a day."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from services.alert.protocol.commands import Resolve
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.drill import ACTOR, begin, chains, exercise_id, latest_due
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.incidents import IncidentState, Level
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import drills, incidents, leases
from tocsin.storage.database import Database

_log = logger(__name__)

LEASE = "drills"
LEASE_LENGTH = timedelta(seconds=30)
POLL_SECONDS = 5.0
UNANSWERED_AFTER = timedelta(days=1)
"""An exercise that nobody acknowledged stays visible for so long, then it is closed."""


class Drills:
    """One process at a time works; any number may run."""

    name = "drills"

    def __init__(
        self, database: Database, clock: Clock, owner: str, configuration: Configuration, health: Health | None = None
    ) -> None:
        """`owner` is unique to the process."""
        self._database = database
        self._clock = clock
        self._owner = owner
        self._configuration = configuration
        self._directory = Directory.of(configuration)
        self._health = health

    def run(self, stop: threading.Event) -> None:
        """Look every few seconds until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            if self._health is not None:
                self._health.beat(self.name)
            try:
                self.look()
            except Retryable as error:
                _log.warning("drills wait for the database", error=str(error))
            stop.wait(POLL_SECONDS)

    def look(self) -> int:
        """Ring what is due and end what is over; returns how many exercises were rung."""
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            if not leases.acquire(session, LEASE, self._owner, now=now, length=LEASE_LENGTH):
                return 0
            rung = sum(self._ring_scheduled(session))
        with self._database.read() as session:
            waiting = drills.open_exercises(session)
        for incident in waiting:
            held = incident.acknowledged
            if incident.state is IncidentState.ACKNOWLEDGED and held is not None:
                self._end(incident.id, held.by)
            elif now - incident.opened_at > UNANSWERED_AFTER:
                self._end(incident.id, ACTOR)
        return rung

    def _ring_scheduled(self, session: Session) -> list[bool]:
        now = self._clock.now()
        rung = []
        for drill in self._configuration.drills:
            due = latest_due(drill, now)
            if due is None:
                continue
            policies = {policy.id: policy for policy in self._configuration.policies}
            for chain in chains(drill.people, policies, drill.policy):
                identifier = exercise_id(drill.id, due, chain.id)
                if incidents.find(session, identifier) is None:
                    brand = drill.brand or self._configuration.brands[0].id
                    decision = begin(
                        identifier, brand, chain, level=Level(drill.level), now=now, directory=self._directory
                    )
                    rung.append(incidents.insert_opened(session, decision))
        return rung

    def _end(self, incident_id: UUID, actor: str) -> None:
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            decision = incidents.execute(
                session, incident_id, lambda incident: decide(incident, Resolve(actor), now, self._directory)
            )
        if decision.refused is not None:
            _log.warning("an exercise stays open", incident=str(incident_id), reason=decision.refused.reason)


def ring_by_hand(
    database: Database,
    clock: Clock,
    configuration: Configuration,
    *,
    people: tuple[str, ...] = (),
    policy: str | None = None,
    brand: str | None = None,
    level: Level = Level.ORANGE,
) -> list[UUID]:
    """Open exercises now; a running alert process rings them. `people`: an exercise each; `policy`: one that walks its steps."""
    now, directory = clock.now(), Directory.of(configuration)
    policies = {known.id: known for known in configuration.policies}
    opened = []
    with database.unit_of_work() as session:
        for chain in chains(people, policies, policy):
            named = brand or configuration.brands[0].id
            decision = begin(uuid4(), named, chain, level=level, now=now, directory=directory)
            incidents.insert_opened(session, decision)
            opened.append(decision.incident.id)
    return opened
