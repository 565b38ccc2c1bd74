"""From a source's batch to the bus: normalise, publish, and set aside what is no mention. The same for every source."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from datetime import datetime

from services.ingest.backoff import until_it_works
from services.ingest.fields import Finding
from services.ingest.normalising import Normaliser, RejectedMention
from services.ingest.publisher import InFlight, Publisher, SetAside
from services.ingest.sources.port import Batch, RawMention, RawRemoval
from tocsin.clock import Clock
from tocsin.contracts.events import Mention, Removal, RemovalReason, mention_id
from tocsin.observability import metrics
from tocsin.observability.logs import logger

_log = logger(__name__)
_INDEX = re.compile(r"\[\d+\]")


class Delivery:
    """Delivers the batches of one source, on one thread."""

    def __init__(
        self, source: str, publisher: Publisher, normaliser: Normaliser, in_flight: InFlight, clock: Clock
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._normaliser = normaliser
        self._in_flight = in_flight
        self._clock = clock

    def deliver(self, batch: Batch, stop: threading.Event) -> None:
        """Return when all of the batch is on the bus; what the bus refuses for now is tried again. Raises GivenUp at `stop`."""
        with self._in_flight.begun() as received_at:
            mentions, removals, aside = self._sorted_out(batch, received_at)

            def publish() -> None:
                routed = self._publisher.publish(mentions)
                self._publisher.remove(removals)
                self._publisher.set_aside(aside)
                for item in routed:
                    metrics.MENTIONS_RECEIVED.labels(self._source, str(item.outcome)).inc()

            until_it_works(publish, clock=self._clock, stop=stop, what=f"source {self._source}")
        metrics.MENTIONS_RECEIVED.labels(self._source, "removed").inc(len(removals))
        if mentions:
            newest = max(mention.published_at for mention in mentions)
            metrics.SOURCE_LAG.labels(self._source).set((received_at - newest).total_seconds())

    def close(self) -> None:
        """Let the producer go; nothing can be delivered any more."""
        self._publisher.close()

    def _sorted_out(self, batch: Batch, received_at: datetime) -> tuple[list[Mention], list[Removal], list[SetAside]]:
        mentions: list[Mention] = []
        removals: list[Removal] = []
        aside: list[SetAside] = []
        for item in batch.items:
            if isinstance(item, RawRemoval):
                identifier = mention_id(item.source, item.native_id)
                removals.append(Removal(id=identifier, revision=item.revision, why=RemovalReason.DELETED))
            elif isinstance(item, RawMention):
                try:
                    mentions.append(
                        self._normaliser.normalise(
                            item.fields, now=received_at, received_at=received_at, markup=item.markup
                        )
                    )
                except RejectedMention as rejected:
                    count_rejected(self._source, rejected.findings)
                    aside.append(SetAside(f"{self._source}:{item.place}", str(rejected), _as_json(item.fields)))
            else:
                count_rejected(self._source, [Finding("", item.reason)])
                aside.append(SetAside(f"{self._source}:{item.place}", item.reason, item.raw))
        for refused in aside:
            _log.warning("set aside", place=refused.place, reason=refused.reason)
        return mentions, removals, aside


def count_rejected(source: str, findings: Sequence[Finding]) -> None:
    """Count what is no mention, by its first wrong field; `brands[3]` counts as `brands`."""
    metrics.MENTIONS_RECEIVED.labels(source, "rejected").inc()
    metrics.MENTIONS_REJECTED.labels(source, _INDEX.sub("", findings[0].field) or "whole").inc()


def _as_json(value: object) -> bytes:
    # ASCII, because a lone surrogate has no UTF-8; what JSON does not know (a feed's own objects) is told by its name.
    return json.dumps(value, ensure_ascii=True, default=lambda other: type(other).__name__).encode()
