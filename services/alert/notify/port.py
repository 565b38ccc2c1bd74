"""The port of channels: what the sender sees of each way to reach people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from services.alert.protocol.answers import ACKNOWLEDGE_PATH
from services.alert.protocol.messages import Message
from tocsin.contracts.decisions import Notification
from tocsin.storage.notifications import AttemptOutcome


@dataclass(frozen=True, slots=True)
class AnswerLink:
    """The secret that lets one receiver acknowledge one incident, and where answers go."""

    token: str
    public_url: str
    """Without a slash at its end."""

    @property
    def acknowledge(self) -> str:
        """Where the recipient acknowledges by hand; short, because it stands in text messages."""
        return f"{self.public_url}{ACKNOWLEDGE_PATH}{self.token}"

    def callback(self, *path: str) -> str:
        """The address that a service calls back: `…/callbacks/twilio/key/<channel>/<token>`."""
        return "/".join((self.public_url, "callbacks", *path, self.token))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to bring a message through. Everything but `attempt` and `possible_duplicate` is the same each time."""

    notification: Notification
    message: Message
    attempt: int
    possible_duplicate: bool = False
    """An earlier attempt may have come through, and this channel cannot tell its receiver that it is the same one; the message
    says so."""
    wanted: Callable[[], bool] = lambda: True
    """Whether it may still go out; asked right before the first byte of it leaves, however long connecting took."""
    answer: AnswerLink | None = None
    """How its receiver may answer: with pages only, and only where `api.public_url` says where we are found."""

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


NOT_WANTED = Outcome(AttemptOutcome.SUPERSEDED, "not wanted any more when it was to be sent")


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


def no_address(delivery: Delivery, field: str) -> Outcome:
    """The outcome where nobody wrote down how the target is reached there; `field` is what is missing."""
    return Outcome(
        AttemptOutcome.REJECTED,
        f"{delivery.notification.target} has no {field!r} in the configuration (a channel that is rung itself: no 'to')",
    )
