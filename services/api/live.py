"""What the live stream watches: one look at the database a second for all who listen, however many they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tocsin.contracts.incidents import Level
from tocsin.observability import metrics
from tocsin.storage import brands, outbox
from tocsin.storage.database import Database

LOOKED_AT_EVERY = 1.0
"""Seconds of the machine's time."""


@dataclass(frozen=True, slots=True)
class BrandLevel:
    """How a brand stands at its latest evaluation."""

    level: Level
    score: float
    evaluated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Head:
    """Up to where events are numbered, and how each brand stands."""

    position: int
    levels: Mapping[str, BrandLevel]


class LiveHead:
    """One for a process, safe to use from any thread. `monotonic` counts seconds."""

    def __init__(self, database: Database, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: tuple[float, Head] | None = None

    def look(self) -> Head:
        """The head, at most a second old. Raises DatabaseUnavailable."""
        with self._lock:
            if self._seen is not None and self._monotonic() - self._seen[0] < LOOKED_AT_EVERY:
                return self._seen[1]
            with self._database.read() as session:
                head = Head(
                    outbox.last_position(session),
                    {brand: BrandLevel(*status) for brand, status in brands.levels(session).items()},
                )
            self._seen = (self._monotonic(), head)
            return head


class OpenStreams:
    """How many streams are open in this process; `with open_streams:` counts one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def __enter__(self) -> None:
        self._add(1)

    def __exit__(self, *_: object) -> None:
        self._add(-1)

    def _add(self, change: int) -> None:
        with self._lock:
            self.count += change
            metrics.LIVE_STREAMS.set(self.count)
