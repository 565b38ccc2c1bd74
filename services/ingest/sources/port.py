"""What ingest sees of a source, whatever it is: batches of raw mentions, each with the cursor to go on from."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tocsin.bus.failures import Retryable

Cursor = Mapping[str, Any]
"""Where a source was read to, as JSON; what is in it is the source's own affair."""


class SourceUnavailable(Retryable):
    """The source cannot be read now; the message says why and what to look at. It is tried again, ever later.

    `retry_after`: the seconds that the source itself asked to wait, where it did.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class RawMention:
    """A mention as its source says it, for the normaliser. `place` is where it stands there, for people who look."""

    fields: object
    """A JSON value, an object if all is well."""
    place: str
    markup: bool = False
    """Whether its text is HTML."""


@dataclass(frozen=True, slots=True)
class RawRemoval:
    """The source took a mention back. `revision` is when, in ms since 1970."""

    source: str
    native_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A piece of a source that cannot even be read as a raw mention: kept aside, and the rest goes on."""

    place: str
    reason: str
    raw: bytes


RawItem = RawMention | RawRemoval | Unreadable


@dataclass(frozen=True, slots=True)
class Batch:
    """What a source delivered in one piece; once all of it is on the bus, `cursor` is saved."""

    items: tuple[RawItem, ...]
    cursor: Cursor


class Source(Protocol):
    """One configured source. It keeps nothing between two calls that is not in the cursor."""

    @property
    def id(self) -> str:
        """As in tocsin.yaml; names its lease."""
        ...

    @property
    def kind(self) -> str:
        """Which adapter it is, as in tocsin.yaml."""
        ...

    @property
    def every(self) -> float | None:
        """Seconds from the end of one reading to the next; None: once read to its end it is done."""
        ...

    def read(self, cursor: Cursor | None, stop: threading.Event) -> Iterator[Batch]:
        """Everything that is new since `cursor` (None: from the beginning), in the source's order.

        Ends when there is nothing new right now, or soon after `stop` is set. Raises SourceUnavailable.
        """
        ...
