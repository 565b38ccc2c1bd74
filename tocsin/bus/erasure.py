"""What a person wants erased goes from the bus too, where the bus can do that; on Kafka it goes with `retention.bus`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from tocsin.bus.port import Bus
from tocsin.contracts import topics


class BusErasure:
    """Blanks the records of erased mentions where they lie, dead letters too; does nothing on a bus that cannot."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus if bus.erases_in_place else None

    def erase(self, mention: uuid.UUID, brands: Iterable[str]) -> None:
        """Blank what is there of a mention and of its classified records for these brands. May be repeated.

        Raises BusUnavailable (retryable).
        """
        if self._bus is None:
            return
        identifier = str(mention).encode()
        for topic in (topics.MENTIONS, topics.dead_letter_topic(topics.MENTIONS)):
            self._bus.erase(topic, identifier)
        for topic in (topics.CLASSIFIED, topics.dead_letter_topic(topics.CLASSIFIED)):
            for brand in sorted(set(brands)):
                self._bus.erase(topic, brand.encode(), identifier)
