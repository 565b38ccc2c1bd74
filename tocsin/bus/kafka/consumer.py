"""A member of a Kafka consumer group, and records as Kafka gives them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata

from tocsin.bus.failures import BusError, BusUnavailable, NotOwner, PositionGone
from tocsin.bus.kafka.connection import ANSWER_MS, Connection
from tocsin.bus.kafka.joining import UncollectedJoins
from tocsin.bus.port import PartitionsChanged, Record, TopicPartition

MEMBERSHIP_LOST = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
    kafka_errors.FencedInstanceIdError,
)


class KafkaGroupConsumer:
    """A member of a Kafka consumer group; see `tocsin.bus.port.Consumer`. Partitions move one by one, not all at once."""

    def __init__(
        self,
        connection: Connection,
        client: Any,
        group: str,
        topics: Collection[str],
        *,
        on_assigned: PartitionsChanged | None,
        on_revoked: PartitionsChanged | None,
    ) -> None:
        self._connection = connection
        self._client = client
        self._group = group
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._ownership = _Ownership(connection)
        self._joining = UncollectedJoins(client._coordinator)
        client.subscribe([connection.prefix + topic for topic in topics], listener=self._ownership)

    def poll(self, timeout: float) -> list[Record]:
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = self._client.poll(timeout_ms=self._joining.least_ms(deadline - time.monotonic()))
            except kafka_errors.NoOffsetForPartitionError as error:
                # No position yet: a new group, or a partition added later. Both begin at the beginning.
                self._client.seek_to_beginning(*error.args[0])
                continue
            except (kafka_errors.OffsetOutOfRangeError, kafka_errors.LogTruncationError) as error:
                raise self._position_gone(error) from error
            except kafka_errors.KafkaError as error:
                raise self._connection.failure(error) from error
            self._tell_of_changes()
            if found or time.monotonic() >= deadline:
                owned = self._ownership.owned
                return [
                    to_record(self._connection, item)
                    for partition, items in found.items()
                    if self._connection.ours(partition) in owned
                    for item in items
                ]

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._client.pause(*(self._client.assignment() & {self._connection.theirs(item) for item in partitions}))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._client.resume(*(self._client.assignment() & {self._connection.theirs(item) for item in partitions}))

    def rewind(self, positions: Mapping[TopicPartition, int]) -> None:
        for partition in self._client.assignment() & {self._connection.theirs(item) for item in positions}:
            self._client.seek(partition, positions[self._connection.ours(partition)])

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        lost = offsets.keys() - self._ownership.owned
        if lost:
            raise NotOwner(self._no_longer_owned(lost))
        try:
            self._client.commit(positions_to_commit(self._connection, offsets), timeout_ms=ANSWER_MS)
        except MEMBERSHIP_LOST as error:
            raise NotOwner(self._no_longer_owned(offsets.keys())) from error
        except kafka_errors.RebalanceInProgressError as error:
            raise BusUnavailable(
                f"group {self._group} is sharing out its partitions: poll on, then commit again"
            ) from error
        except kafka_errors.KafkaError as error:
            raise self._connection.failure(error) from error

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._ownership.owned)

    def lag(self) -> dict[TopicPartition, int]:
        wanted = [self._connection.theirs(partition) for partition in self._ownership.owned]
        try:
            ends = self._client.end_offsets(wanted, timeout_ms=ANSWER_MS)
            first = self._client.beginning_offsets(wanted, timeout_ms=ANSWER_MS)
            positions = {item: self._client.committed(item, timeout_ms=ANSWER_MS) for item in wanted}
        except kafka_errors.KafkaError as error:
            raise self._connection.failure(error) from error
        # A group without a position stands at the beginning. Some brokers (Tansu) count a last batch as one record.
        return {
            self._connection.ours(item): max(0, ends[item] - (position if position is not None else first[item]))
            for item, position in positions.items()
        }

    def close(self) -> None:
        with suppress(kafka_errors.KafkaError):
            self._client.close(autocommit=False, timeout_ms=ANSWER_MS)

    def _tell_of_changes(self) -> None:
        while self._ownership.changes:
            assigned, partitions = self._ownership.changes.popleft()
            callback = self._on_assigned if assigned else self._on_revoked
            if callback and partitions:
                callback(partitions)

    def _no_longer_owned(self, partitions: Collection[TopicPartition]) -> str:
        named = ", ".join(f"{topic}[{number}]" for topic, number in sorted(partitions))
        return (
            f"this member no longer owns {named} in group {self._group}: another has it and handles its records again; "
            "nothing was committed"
        )

    def _position_gone(self, error: Exception) -> BusError:
        positions: Mapping[Any, Any] = error.args[0] if isinstance(error.args[0], dict) else error.divergent_offsets  # type: ignore[attr-defined]
        partition = min(positions)
        at = positions[partition] if isinstance(positions[partition], int) else self._client.position(partition)
        try:
            first = self._client.beginning_offsets([partition], timeout_ms=ANSWER_MS)[partition]
            end = self._client.end_offsets([partition], timeout_ms=ANSWER_MS)[partition]
        except kafka_errors.KafkaError as failure:
            return self._connection.failure(failure)
        return PositionGone(self._group, self._connection.ours(partition), at, first, end)


class _Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Keeps what is owned, and the changes until the polling thread tells of them.

    kafka-python calls it on its own loop's thread, where heartbeats wait for it: it only takes notes.
    """

    def __init__(self, connection: Connection) -> None:
        self._ours = connection.ours
        self.owned: frozenset[TopicPartition] = frozenset()
        self.changes: deque[tuple[bool, list[TopicPartition]]] = deque()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        partitions = sorted(self._ours(partition) for partition in assigned)
        self.owned |= set(partitions)
        self.changes.append((True, partitions))

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        partitions = sorted(self._ours(partition) for partition in revoked)
        self.owned -= set(partitions)
        self.changes.append((False, partitions))

    def on_partitions_lost(self, lost: Collection[Any]) -> None:
        # The same for us, because nothing is committed in either: others may have these already.
        self.on_partitions_revoked(lost)


def to_record(connection: Connection, item: Any) -> Record:
    at = datetime.fromtimestamp(item.timestamp / 1000, UTC)
    headers = tuple((name, value or b"") for name, value in item.headers)
    return Record(connection.ours(item).topic, item.partition, item.offset, item.key, item.value or b"", headers, at)


def positions_to_commit(connection: Connection, offsets: Mapping[TopicPartition, int]) -> dict[Any, Any]:
    return {connection.theirs(partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
