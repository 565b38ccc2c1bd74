"""The relay: one process at a time numbers the events of the outbox and puts them on the bus, in each incident's order.

Number and commit → publish → flush → mark as published. A crash in between publishes some events again with the same `ce_id`;
none is lost, and none overtakes another of its incident. Nobody else publishes to `incidents`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from tocsin.bus.failures import Retryable
from tocsin.bus.port import Bus, Outgoing, Producer
from tocsin.clock import Clock
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import leases, outbox
from tocsin.storage.database import Database
from tocsin.storage.outbox import OutboxEvent

_log = logger(__name__)

LEASE = "relay"
LEASE_LENGTH = timedelta(seconds=30)
FLUSH_SECONDS = 10.0
"""Well below the lease, so that a slow flush ends before another relay may begin."""
POLL_SECONDS = 0.5
"""Of the machine's time, whatever the clock: looking costs the database something."""


class Relay:
    """Publishes what is in the outbox while it holds the lease; any number of processes may run one."""

    name = "relay"

    def __init__(self, database: Database, bus: Bus, clock: Clock, owner: str, health: Health) -> None:
        """`owner` is unique to the process."""
        self._database = database
        self._bus = bus
        self._clock = clock
        self._owner = owner
        self._health = health

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set; a bus or database that is away is waited for."""
        producer = self._bus.producer()
        try:
            while not stop.is_set():
                self._health.beat(self.name)
                try:
                    published = self.publish_waiting(producer)
                except Retryable as error:
                    _log.warning("waiting to publish", error=str(error))
                    published = 0
                if not published:
                    stop.wait(POLL_SECONDS)
        finally:
            producer.close()
            self._give_back()

    def publish_waiting(self, producer: Producer) -> int:
        """Publish what waits, if the lease is ours to have; returns how many events. Raises DatabaseUnavailable, BusError."""
        with self._database.read() as session:
            waiting = outbox.oldest_waiting(session)
        now = self._clock.now()
        metrics.OUTBOX_OLDEST_SECONDS.set(0.0 if waiting is None else max(0.0, (now - waiting).total_seconds()))
        if waiting is None:
            return 0
        with self._database.unit_of_work() as session:
            if not leases.acquire(session, LEASE, self._owner, now=now, length=LEASE_LENGTH):
                return 0
            outbox.number(session)
        with self._database.read() as session:
            events = outbox.to_publish(session)
        self._publish(producer, events)
        with self._database.unit_of_work() as session:
            outbox.mark_published(session, [event.id for event in events], self._clock.now())
        for event in events:
            metrics.EVENTS_PUBLISHED.labels(type=event.type).inc()
        return len(events)

    def _publish(self, producer: Producer, events: Sequence[OutboxEvent]) -> None:
        for event in events:
            producer.send(Outgoing(event.topic, event.event.key, event.event.value, event.event.headers))
        producer.flush(FLUSH_SECONDS)

    def _give_back(self) -> None:
        try:
            with self._database.unit_of_work() as session:
                leases.release(session, LEASE, self._owner)
        except Retryable as error:
            # It then runs out by itself.
            _log.warning("lease not given back", error=str(error))
