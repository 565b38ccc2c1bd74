"""How things fail on the bus: retryable, an invalid record, or anything else, which is a bug. There is no fourth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.bus.port import Record, TopicPartition


class Retryable(Exception):
    """Something outside is away for a while (a database, a broker, a full topic): wait and do the same again.

    A handler raises it (or a class of its own below it) to have its whole batch handled once more, after a pause.
    """


class InvalidRecord(Exception):
    """A record that no repetition will mend: it goes to its topic's dead letters, and the rest of the batch goes on.

    `reason` says what is wrong with it, `place` where that was found (such as `classify.decode`). A handler that
    raises it must have left nothing behind: the worker calls it again with the rest of the batch.
    """

    def __init__(self, record: Record, reason: str, place: str) -> None:
        super().__init__(f"{record.topic}[{record.partition}]@{record.offset}: {reason} ({place})")
        self.record = record
        self.reason = reason
        self.place = place


class InvalidRecords(Exception):
    """Several invalid records of one batch, found in one go."""

    def __init__(self, failures: Sequence[InvalidRecord]) -> None:
        super().__init__("; ".join(str(failure) for failure in failures))
        self.failures = tuple(failures)


class BusError(Exception):
    """The bus refuses or cannot go on; the message says how to mend it."""


class BusUnavailable(BusError, Retryable):
    """The bus does not answer (broker away, wrong password, locked or full disk)."""


class BusFull(BusError, Retryable):
    """A topic holds as much as it may and its slowest group has not read it: the producer must wait (HTTP: 429)."""


class PositionGone(BusError):
    """A group's next record is no longer there; going on would silently skip records. The worker stops."""

    def __init__(self, group: str, partition: TopicPartition, position: int, first: int, end: int) -> None:
        lost = f"records {position} to {first - 1} were trimmed" if position < first else "the topic was made anew"
        super().__init__(
            f"group {group} stands at offset {position} of {partition.topic}[{partition.partition}], which now holds "
            f"{first} to {end}: {lost}. Nothing was skipped silently. Find out what was lost (a reader that was away "
            f"longer than retention.bus, a topic deleted by hand), put it back with `tocsin replay` if it is "
            f"needed, then move the group to offset {first if position < first else end} (Bus.move_group, or Kafka's own "
            f"kafka-consumer-groups.sh --reset-offsets) and start again"
        )
        self.group = group
        self.partition = partition
        self.position = position
        self.first = first
        self.end = end


class RecordTooLarge(BusError):
    """A record that no bus takes: cut it at the edge, where its sender can still be told."""

    def __init__(self, topic: str, size: int, limit: int) -> None:
        super().__init__(
            f"a record for {topic} holds {size:,} bytes, but {limit:,} is the most: shorten it before sending"
        )


class NotOwner(BusError):
    """A commit for a partition that this member no longer owns: another has it and handles the records again.

    The worker answers by dropping what it had in hand; nothing is lost, because nothing was committed.
    """


class CannotErase(BusError):
    """This bus cannot take a record back; its message says what does erase it."""


class TooManyDeadLetters(BusError):
    """More records go to the dead letters than `bus.dead_letter_limit` allows: a broken release, not broken records."""
