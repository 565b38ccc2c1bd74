"""Puts mentions, removals and what was set aside on the bus; and knows which of them are not there yet."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import NamedTuple

from services.ingest.routing import Routed, Router
from tocsin.bus.dead_letters import LONGEST_ERROR
from tocsin.bus.port import Headers, Outgoing, Producer
from tocsin.clock import Clock
from tocsin.contracts import topics
from tocsin.contracts.codec import TEACHES_ONLY_HEADER, Encoded, encode_mention, encode_removal
from tocsin.contracts.events import Mention, Removal
from tocsin.contracts.topics import dead_letter_topic

EVENT_SOURCE = "ingest"
"""The `ce_source` of what ingest publishes."""
LARGEST_ASIDE = 500_000
"""Bytes kept of what is no mention; a Kafka broker takes a million by default."""


class InFlight:
    """What has come in and is not on the bus yet, so that no tick claims to stand behind it. Safe between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = count()
        self._begun: dict[int, datetime] = {}

    @contextmanager
    def begun(self) -> Iterator[datetime]:
        """Something comes in now: gives the time of receipt; the block ends when it is on the bus, or given up."""
        number = next(self._numbers)
        # The clock is read under the lock: a tick must not slip between reading it and telling it.
        with self._lock:
            received_at = self._begun[number] = self._clock.now()
        try:
            yield received_at
        finally:
            with self._lock:
                del self._begun[number]

    def complete_up_to(self) -> datetime:
        """Everything that came in before this instant (UTC) is on the bus, as far as this process goes."""
        with self._lock:
            return min(self._begun.values(), default=self._clock.now())


class SetAside(NamedTuple):
    """A piece of a source that is no mention: where it stands there, why, and its bytes."""

    place: str
    reason: str
    raw: bytes


class Publisher:
    """One thread's or one request's way to the bus.

    All of a call is durable when it returns. Else it raises BusFull or BusUnavailable, and all of it is to be given again:
    doubles are harmless.
    """

    def __init__(self, producer: Producer, router: Router, clock: Clock) -> None:
        self._producer = producer
        self._router = router
        self._clock = clock

    def publish(
        self,
        mentions: Sequence[Mention],
        *,
        only: frozenset[str] | None = None,
        teaches_only: bool = False,
        traceparent: str | None = None,
    ) -> list[Routed]:
        """Route, send, flush; what became of each mention, in order.

        `only`: the brands that their sender may speak of; None: all. `teaches_only`: these are history, they teach the
        baseline and wake nobody.
        """
        now = self._clock.now()
        headers = ((TEACHES_ONLY_HEADER, b"1"),) if teaches_only else ()
        routed = self._router.route(mentions, only)
        for item in routed:
            if isinstance(item.event, Mention):
                encoded = encode_mention(
                    item.event, updated=item.updated, source=EVENT_SOURCE, at=now, traceparent=traceparent
                )
                self._send(topics.MENTIONS, encoded, headers)
            elif item.event is not None:
                encoded = encode_removal(item.event, source=EVENT_SOURCE, at=now, traceparent=traceparent)
                self._send(topics.REMOVALS, encoded)
        self._producer.flush()
        self._router.remember(routed)
        return routed

    def remove(self, removals: Sequence[Removal]) -> None:
        """Tell that their sources took them back."""
        now = self._clock.now()
        for removal in removals:
            self._send(topics.REMOVALS, encode_removal(removal, source=EVENT_SOURCE, at=now))
        self._producer.flush()

    def set_aside(self, refused: Sequence[SetAside]) -> None:
        """Keep what is no mention among the dead letters, with the reason, for people who look (`tocsin dlq list`)."""
        now = self._clock.now().isoformat()
        for item in refused:
            headers = (
                ("error", item.reason[:LONGEST_ERROR].encode("utf-8", "replace")),
                ("place", EVENT_SOURCE.encode()),
                ("attempts", b"1"),
                ("time", now.encode()),
                ("origin", item.place.encode("utf-8", "replace")),
            )
            self._producer.send(Outgoing(dead_letter_topic(topics.MENTIONS), None, item.raw[:LARGEST_ASIDE], headers))
        self._producer.flush()

    def close(self) -> None:
        """Let the producer go."""
        self._producer.close()

    def _send(self, topic: str, encoded: Encoded, headers: Headers = ()) -> None:
        self._producer.send(Outgoing(topic, encoded.key, encoded.value, encoded.headers + headers))
