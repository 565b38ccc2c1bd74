"""The port of channels: what the sender sees of each way to reach people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from services.alert.protocol.messages import Message
from tocsin.contracts.decisions import Notification
from tocsin.storage.notifications import AttemptOutcome


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to bring a message through. Everything but `attempt` and `possible_duplicate` is the same each time."""

    notification: Notification
    message: Message
    attempt: int
    possible_duplicate: bool = False
    """An earlier attempt may have come through, and this channel cannot tell its receiver that it is the same one."""

    @property
    def id(self) -> UUID:
        """What a receiver deduplicates on."""
        return self.notification.id


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt: accepted, retry, rejected, gone or unknown. `detail` is shown to people; no secrets."""

    kind: AttemptOutcome
    detail: str
    retry_after: timedelta | None = None
    """When the other side asked for it: how long to wait."""


class Channel(Protocol):
    """One configured way to reach people. Used from several threads at once."""

    @property
    def kind(self) -> str:
        """`terminal`, `webhook`, …; for metrics."""
        ...

    @property
    def deduplicates(self) -> bool:
        """Whether a receiver can tell a repeated delivery by its id."""
        ...

    @property
    def address_hash(self) -> str:
        """Changes with the address, and says nothing of it."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The longest that `send` takes, roughly."""
        ...

    def send(self, delivery: Delivery) -> Outcome:
        """Try once. Whatever the other side does is an outcome; an exception is a bug."""
        ...
