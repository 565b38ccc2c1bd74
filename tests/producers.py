"""A producer that keeps what it was given, and can be full."""

from __future__ import annotations

from tocsin.bus.failures import BusFull
from tocsin.bus.port import Outgoing
from tocsin.contracts.codec import decode
from tocsin.contracts.events import ClassifiedMention, Mention, Removal, Tick
from tocsin.contracts.incidents import IncidentEvent


class RecordingProducer:
    """Records are in `flushed` once flush has returned; `full_for` so many flushes fail before."""

    def __init__(self, full_for: int = 0) -> None:
        self.flushed: list[Outgoing] = []
        self.full_for = full_for
        self.closed = False
        self._sent: list[Outgoing] = []

    def send(self, record: Outgoing) -> None:
        self._sent.append(record)

    def flush(self, timeout: float = 30.0) -> None:
        sent, self._sent = self._sent, []
        if sent and self.full_for:
            self.full_for -= 1
            raise BusFull("mentions holds as much as it may")
        self.flushed.extend(sent)

    def close(self) -> None:
        self.closed = True

    def events(self, topic: str = "mentions") -> list[Mention | Removal | ClassifiedMention | Tick | IncidentEvent]:
        """What was flushed to a topic, read back."""
        return [decode(record.value, record.headers).event for record in self.flushed if record.topic == topic]
