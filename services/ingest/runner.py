"""Runs the sources: each where its lease is, on a thread of its own; published, flushed, and then its cursor saved."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from services.ingest.backoff import Backoff, GivenUp, until_it_works
from services.ingest.delivering import Delivery
from services.ingest.leases import SourceLeases
from services.ingest.sources.port import Cursor, Source, SourceUnavailable
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger

RENEW_SECONDS = 5.0
"""Every so often leases are renewed, and those of others tried: a source whose process died runs again after 25 s at most."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0
"""Seconds between the attempts to read a source that cannot be read."""
DRAIN_SECONDS = 15.0

_log = logger(__name__)


class SourceRunner:
    """The component that reads the sources of the configuration, as far as this process holds their leases."""

    name = "ingest-sources"

    def __init__(
        self,
        sources: Sequence[Source],
        leases: SourceLeases,
        delivery: Callable[[str], Delivery],
        *,
        clock: Clock,
        health: Health,
    ) -> None:
        """`delivery` makes the way to the bus for the thread of a source, by its id."""
        self._sources = {source.id: source for source in sources}
        self._leases = leases
        self._delivery = delivery
        self._clock = clock
        self._health = health
        self._readings: dict[str, _Reading] = {}

    def run(self, stop: threading.Event) -> None:
        """Take, renew and lose leases until `stop` is set; raise what a source's thread could not go on from (a bug)."""
        try:
            while True:
                for source in self._sources.values():
                    self._look_after(source)
                self._health.beat(self.name)
                if self._clock.wait(stop, RENEW_SECONDS):
                    return
        finally:
            self._end()

    def _look_after(self, source: Source) -> None:
        reading = self._readings.get(source.id)
        if reading is not None and reading.crash is not None:
            raise reading.crash
        if reading is not None and reading.finished:
            return
        asked_at = self._clock.now()
        try:
            lease = self._leases.acquire(source.id)
        except Retryable as error:
            # The lease may still be ours: the thread goes on until it has run out.
            _log.warning("a lease cannot be renewed", source=source.id, reason=str(error))
            return
        if lease is None:
            if reading is not None:
                _log.warning("another process reads the source now", source=source.id)
                self._stop(source.id)
            return
        held_until = asked_at + self._leases.length
        if reading is not None and reading.alive:
            reading.held_until = held_until
            return
        if reading is not None:
            self._stop(source.id)
        self._begin(source, lease.cursor, held_until)

    def _begin(self, source: Source, cursor: Cursor | None, held_until: datetime) -> None:
        try:
            delivery = self._delivery(source.id)
        except Retryable as error:
            _log.warning("a source waits for the bus", source=source.id, reason=str(error))
            return
        reading = _Reading(source, cursor, held_until, leases=self._leases, delivery=delivery, clock=self._clock)
        self._readings[source.id] = reading
        metrics.SOURCE_HELD.labels(source.id).set(1)
        reading.start()

    def _stop(self, source: str) -> None:
        reading = self._readings.pop(source)
        reading.end()
        metrics.SOURCE_HELD.labels(source).set(0)

    def _end(self) -> None:
        """Let every thread finish its batch, then give the leases back."""
        for reading in self._readings.values():
            reading.ask_to_end()
        for source in list(self._readings):
            self._stop(source)
            try:
                self._leases.release(source)
            except Retryable as error:
                _log.warning("a lease could not be given back; it runs out by itself", source=source, reason=str(error))


class _Reading:
    """One source being read on a thread, for as long as its lease is held."""

    def __init__(
        self,
        source: Source,
        cursor: Cursor | None,
        held_until: datetime,
        *,
        leases: SourceLeases,
        delivery: Delivery,
        clock: Clock,
    ) -> None:
        self.held_until = held_until
        """By this process' clock; renewed from outside."""
        self.finished = False
        self.crash: BaseException | None = None
        self._source = source
        self._cursor = cursor
        self._leases = leases
        self._delivery = delivery
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source-{source.id}", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def ask_to_end(self) -> None:
        self._stop.set()

    def end(self) -> None:
        """Wait until the thread has ended; a batch in hand is published or given up."""
        self._stop.set()
        self._thread.join(DRAIN_SECONDS)
        self._delivery.close()

    def _run(self) -> None:
        try:
            self._read_on()
        except GivenUp as error:
            _log.info(
                "a source was left in the middle; its cursor says where", source=self._source.id, reason=str(error)
            )
        except BaseException as error:  # noqa: BLE001 - raised again by the runner, on the component's own thread
            self.crash = error

    def _read_on(self) -> None:
        backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        while not self._stop.is_set() and self._held():
            try:
                self._read_once()
            except SourceUnavailable as error:
                wait = max(backoff.next(), error.retry_after or 0.0)
                metrics.SOURCE_FAILURES.labels(self._source.id).inc()
                _log.warning("a source cannot be read", source=self._source.id, reason=str(error), seconds=round(wait))
            else:
                backoff.reset()
                metrics.SOURCE_LAST_READ.labels(self._source.id).set(self._clock.now().timestamp())
                if self._source.every is None:
                    self.finished = not self._stop.is_set()
                    return
                wait = self._source.every * random.uniform(0.9, 1.1)
            self._clock.wait(self._stop, wait)

    def _read_once(self) -> None:
        for batch in self._source.read(self._cursor, self._stop):
            if not self._held():
                # Ours no longer, as far as we know: another may have begun from the cursor, so this batch is theirs.
                self._stop.set()
                return
            self._delivery.deliver(batch, self._stop)
            self._save(batch.cursor)
            if self._stop.is_set():
                return

    def _save(self, cursor: Cursor) -> None:
        saved = until_it_works(
            lambda: self._leases.save(self._source.id, cursor),
            clock=self._clock,
            stop=self._stop,
            what=f"cursor of {self._source.id}",
        )
        if saved:
            self._cursor = cursor
        else:
            self._stop.set()

    def _held(self) -> bool:
        return self._clock.now() < self.held_until
