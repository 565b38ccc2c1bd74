"""The part of the demo that people would play: they write mentions, at the story's own time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from tocsin.clock import Clock
from tocsin.contracts.events import Mention

BATCH = 200


class Story:
    """Publishes the evening's mentions when their time has come; a component like any source."""

    name = "story"

    def __init__(
        self, mentions: Sequence[Mention], publish: Callable[[Sequence[Mention]], object], clock: Clock
    ) -> None:
        self._mentions = mentions
        self._publish = publish
        self._clock = clock
        self.told = 0
        """How many have been published."""

    def run(self, stop: threading.Event) -> None:
        """Tell the story to its end, or until `stop` is set."""
        while self.told < len(self._mentions) and not stop.is_set():
            wait = (self._mentions[self.told].published_at - self._clock.now()).total_seconds()
            if wait > 0:
                self._clock.wait(stop, wait)
                continue
            due = self._due(self._clock.now())
            self._publish(due)
            self.told += len(due)

    def _due(self, now: datetime) -> list[Mention]:
        rest = self._mentions[self.told : self.told + BATCH]
        return [mention for mention in rest if mention.published_at <= now]
