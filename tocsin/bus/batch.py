"""One batch on its way through a worker: what was read, what came of it, and what may be committed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from tocsin.bus.dead_letters import dead_letter
from tocsin.bus.failures import InvalidRecord, InvalidRecords, TooManyDeadLetters
from tocsin.bus.port import Outgoing, Record, TopicPartition

Handler = Callable[[Sequence[Record]], Iterable[Outgoing]]
"""Handles a batch and returns what to publish, in order. It may be called again with the same records, whole or in part.

Raises `Retryable` to be called again later, `InvalidRecord` or `InvalidRecords` to have these set aside and be called
with the rest; whatever else it raises is a bug and ends the worker. It must leave nothing behind when it raises.
"""

WINDOW_RECORDS = 1_000
FEWEST_DEAD_LETTERS = 20


class DeadLetterLimit:
    """How many of the last thousand records became dead letters; too many mean that not the records are broken."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._window: deque[bool] = deque(maxlen=WINDOW_RECORDS)

    def count(self, good: int, failures: Sequence[InvalidRecord]) -> None:
        """Take note of a batch; raises TooManyDeadLetters, before anything of it is published or committed."""
        self._window.extend([True] * len(failures) + [False] * good)
        dead = sum(self._window)
        if failures and dead >= FEWEST_DEAD_LETTERS and dead / len(self._window) > self._limit:
            raise TooManyDeadLetters(
                f"{dead} of the last {len(self._window)} records could not be read, more than bus.dead_letter_limit "
                f"({self._limit:.0%}) allows; the last: {failures[-1]}. The worker stops before it sets them aside: look "
                "whether a new release writes or reads wrongly, or raise the limit for a while"
            )


class Batch:
    """Records in hand. `attempts` counts how often their handling was begun."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self.attempts = 0
        self._invalid: list[InvalidRecord] = []
        self._outgoing: list[Outgoing] | None = None
        self._abandoned: set[TopicPartition] = set()

    def abandon(self, partitions: Collection[TopicPartition]) -> None:
        """These went to another member, who handles them again: do not commit them, nor begin them anew."""
        self._abandoned |= set(partitions)

    @property
    def is_abandoned(self) -> bool:
        """Whether nothing of it is ours any more."""
        return all(record.topic_partition in self._abandoned for record in self.records)

    def offsets(self) -> dict[TopicPartition, int]:
        """What to commit: behind the last record of each partition that is still ours."""
        return {
            record.topic_partition: record.next_offset
            for record in self.records
            if record.topic_partition not in self._abandoned
        }

    def handle(self, handler: Handler, limit: DeadLetterLimit, now: datetime) -> tuple[list[Outgoing], int]:
        """What is to be published for it, dead letters last, and how many these are.

        A second call after a successful first one answers the same without handling anything again, so that a failed
        publishing alone is repeated.
        """
        if self._outgoing is None:
            self.attempts += 1
            outgoing = self._handle_the_good(handler)
            limit.count(len(self.records) - len(self._invalid), self._invalid)
            letters = [dead_letter(failure, attempts=self.attempts, at=now) for failure in self._invalid]
            self._outgoing = outgoing + letters
        return self._outgoing, len(self._invalid)

    @property
    def invalid(self) -> Sequence[InvalidRecord]:
        """The records that were set aside."""
        return tuple(self._invalid)

    def _handle_the_good(self, handler: Handler) -> list[Outgoing]:
        # What another member has by now is left to it, if our handling did not begin yet or begins anew.
        self.records = [record for record in self.records if record.topic_partition not in self._abandoned]
        self._invalid = []
        good = list(self.records)
        while good:
            try:
                return list(handler(good))
            except InvalidRecord as failure:
                good = self._set_aside(good, [failure])
            except InvalidRecords as found:
                good = self._set_aside(good, found.failures)
        return []

    def _set_aside(self, good: Sequence[Record], failures: Sequence[InvalidRecord]) -> list[Record]:
        places = {(failure.record.topic_partition, failure.record.offset) for failure in failures}
        rest = [record for record in good if (record.topic_partition, record.offset) not in places]
        if len(rest) != len(good) - len(failures) or not failures:
            raise ValueError("a handler called records invalid that it was not given, or none, or one of them twice")
        self._invalid += failures
        return rest
