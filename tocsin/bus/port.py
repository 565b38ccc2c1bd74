"""The port of the bus: what services see of it, whichever implementation is behind.

Topics and groups go by their bare names (`mentions`, `classify`); on a shared Kafka the bus puts the installation's prefix
before them. Within a partition records keep their order; a key always falls on the same partition. Delivery is at
least once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

MAX_RECORD_BYTES = 1_000_000
"""What a key and its value may hold together, on any bus: Kafka's brokers take a little more by default."""

Headers = tuple[tuple[str, bytes], ...]


class TopicPartition(NamedTuple):
    """One partition of a topic, the unit of order and of ownership."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was read. `at` is when it was written to the bus (UTC), not when anything happened.

    Offsets grow within a partition but may leave gaps. `value` is `b""` for a Kafka tombstone.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    at: datetime

    @property
    def topic_partition(self) -> TopicPartition:
        """Where it lies."""
        return TopicPartition(self.topic, self.partition)

    @property
    def next_offset(self) -> int:
        """What to commit once this record, and everything before it in its partition, is done."""
        return self.offset + 1

    def header(self, name: str) -> bytes | None:
        """The last header of that name."""
        return next((value for key, value in reversed(self.headers) if key == name), None)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to write. The key chooses the partition, unless `partition` names it (ticks go to every one).

    Without either, records are spread over the partitions. Key and value together hold at most `MAX_RECORD_BYTES`.
    """

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()
    partition: int | None = None


PartitionsChanged = Callable[[Collection[TopicPartition]], None]


class Producer(Protocol):
    """Writes records. It belongs to one thread at a time and costs little: take one for each thread or request."""

    def send(self, record: Outgoing) -> None:
        """Hand over one record; it is on the bus only once `flush` has returned.

        Raises BusFull when the bus pushes back and BusUnavailable when it does not answer; both are retryable. After
        any failure the producer holds nothing, and everything since the last successful flush is to be sent again:
        doubles are harmless here.
        Raises RecordTooLarge, and BusError when there is no such topic or partition.
        """
        ...

    def flush(self, timeout: float = 30.0) -> None:
        """Return when everything sent is durable; raise BusFull or BusUnavailable if any record of it is not.

        Whatever the outcome, the producer then holds nothing. `timeout` is in seconds.
        """
        ...

    def close(self) -> None:
        """Let go. What was not flushed may or may not have been written."""
        ...


class Consumer(Protocol):
    """One member of a consumer group, for one thread. Every topic's partitions are shared out between its members.

    A group that has no position in a partition starts at its beginning.
    """

    def poll(self, timeout: float) -> list[Record]:
        """The next records of the owned partitions that are not paused, at most `max_records`; waits up to `timeout` s.

        Keeps the membership alive, so it must be called all the time, at least every few seconds, also while
        everything is paused. The callbacks on_assigned and on_revoked run inside it, on the caller's thread.
        Raises PositionGone when the group's position is no longer there, BusUnavailable.
        """
        ...

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Return no records of these from now on, until resumed. A pause ends when the partition changes hands."""
        ...

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Return records of these again. Partitions that are no longer owned are passed over."""
        ...

    def rewind(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets. Partitions that are no longer owned are passed over."""
        ...

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set the group's position: for each partition the offset of the *next* record to read.

        Raises NotOwner when one of them is no longer this member's, and then sets none. Raises BusUnavailable when
        the bus does not answer or the group is just sharing out anew: poll on, and commit again.
        """
        ...

    def assignment(self) -> frozenset[TopicPartition]:
        """What this member owns now."""
        ...

    def lag(self) -> dict[TopicPartition, int]:
        """For each owned partition, how many offsets lie between the group's position and the end of the log."""
        ...

    def close(self) -> None:
        """Leave the group without committing; others take over at once."""
        ...


class Bus(Protocol):
    """The bus as one process sees it. Safe to share between threads; its producers and consumers are not."""

    erases_in_place: bool
    """Whether `erase` works here; where not, records go only with the topic's retention."""

    def ensure_topics(self, names: Collection[str], partitions: int | None = None) -> None:
        """Create the topics that are missing, with so many partitions (default: the configured number).

        One that exists keeps its number: growing it would send a key's later records to another partition.
        """
        ...

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has; raises BusError when there is no such topic."""
        ...

    def producer(self) -> Producer:
        """A new producer."""
        ...

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        *,
        member_id: str | None = None,
        on_assigned: PartitionsChanged | None = None,
        on_revoked: PartitionsChanged | None = None,
        max_records: int = 500,
    ) -> Consumer:
        """A new member of `group`. `member_id` names it in logs and lease rows (default: made up, unique).

        `on_revoked` runs when a partition was given up or lost; what was read from it must not be committed any more.
        """
        ...

    def read(self, topic: str, positions: Mapping[int, int] | None = None, limit: int = 1000) -> Sequence[Record]:
        """Up to `limit` records from these offsets on (partition → offset; default: the beginning), without a group.

        For looking (`tocsin dlq list`), not for working: it commits nothing. Records of a partition come in order.
        """
        ...

    def positions(self, group: str, topic: str) -> dict[int, int]:
        """Where a group stands in each partition of a topic; partitions without a position are left out."""
        ...

    def move_group(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Set a group's position by hand, while none of its members runs: how a PositionGone is mended."""
        ...

    def erase(self, topic: str, key: bytes, containing: bytes = b"") -> int:
        """Blank, where they lie, the records of this key whose value contains these bytes; returns how many.

        Blanked records are never delivered again. Raises CannotErase where `erases_in_place` is false.
        """
        ...

    def check(self, timeout: float = 2.0) -> None:
        """Return if the bus answers, for `/readyz`; raise BusUnavailable, saying what to look at."""
        ...

    def close(self) -> None:
        """Close what is shared; consumers and producers are closed by whoever made them."""
        ...
