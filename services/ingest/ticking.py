"""Ticks: every 15 s one on each partition of `mentions`, behind what came in before it: watermark, proof of life, heartbeat."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from services.ingest.publisher import EVENT_SOURCE, InFlight
from tocsin.bus.failures import Retryable
from tocsin.bus.port import Bus, Outgoing, Producer
from tocsin.clock import Clock
from tocsin.contracts import topics
from tocsin.contracts.codec import encode_tick
from tocsin.contracts.events import Tick
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger

EVERY_SECONDS = 15.0
MARGIN = timedelta(seconds=1)
"""How far a tick stays behind the clock: what another process (`run all`: the API) has just taken in is on the bus by then."""

_SENTENCES = (
    "The parcel came on time and everything was in it",
    "Le colis est arrivé à l'heure et tout y était",
    "El paquete llegó a tiempo y no faltaba nada",
    "Das Paket kam pünktlich und war vollständig",
)

_log = logger(__name__)


class Ticking:
    """The component that ticks. Without ticks the stream counts as incomplete, and says so; so a failed tick is only logged."""

    name = "ingest-ticks"

    def __init__(self, bus: Bus, in_flight: InFlight, clock: Clock, health: Health) -> None:
        self._bus = bus
        self._in_flight = in_flight
        self._clock = clock
        self._health = health

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set."""
        producer: Producer | None = None
        try:
            while True:
                at = self._in_flight.complete_up_to() - MARGIN
                try:
                    producer = producer or self._bus.producer()
                    partitions = range(self._bus.partitions(topics.MENTIONS))
                    for partition in partitions:
                        producer.send(self._tick(at, partition))
                    producer.flush()
                except Retryable as error:
                    _log.warning("no tick this time", reason=str(error))
                else:
                    metrics.TICKS.inc(len(partitions))
                self._health.beat(self.name)
                if self._clock.wait(stop, EVERY_SECONDS):
                    return
        finally:
            if producer is not None:
                producer.close()

    def _tick(self, at: datetime, partition: int) -> Outgoing:
        tick = Tick(at=at, partition=partition, text=sentence(at, partition))
        encoded = encode_tick(tick, source=EVENT_SOURCE, at=self._clock.now())
        return Outgoing(topics.MENTIONS, encoded.key, encoded.value, encoded.headers, partition=partition)


def sentence(at: datetime, partition: int) -> str:
    """A sentence to classify; the time in it makes each another, so that no memory of copies answers for the network."""
    words = _SENTENCES[(int(at.timestamp()) // int(EVERY_SECONDS) + partition) % len(_SENTENCES)]
    return f"{words} ({at:%H:%M:%S}, {partition})."
