"""The embedded bus: a durable log in one SQLite file, for one machine, with nothing to install beside Python."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tocsin.bus.embedded_group import EmbeddedConsumer
from tocsin.bus.embedded_log import Bounds, Log
from tocsin.bus.failures import BusError, RecordTooLarge
from tocsin.bus.members import member_name
from tocsin.bus.port import MAX_RECORD_BYTES, Outgoing, PartitionsChanged, Record, TopicPartition
from tocsin.clock import Clock, SystemClock

BUFFERED_RECORDS = 1_000
BUFFERED_BYTES = 4 * 1024 * 1024


class EmbeddedBus:
    """The embedded bus as one process sees it; see `tocsin.bus.port.Bus`.

    `clock` stamps the records and decides what is past the retention; leases run on the machine's time
    (`lease_clock`), because they tell whether a process lives. Raises BusError on a network file system.
    """

    erases_in_place = True

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        partitions: int = 4,
        bounds: Bounds | None = None,
        lease_seconds: float = 15.0,
        lease_clock: Clock | None = None,
    ) -> None:
        self._log = Log(path, clock, bounds or Bounds())
        self._partitions = partitions
        self._lease_seconds = lease_seconds
        self._lease_clock = lease_clock or SystemClock()

    def ensure_topics(self, names: Collection[str], partitions: int | None = None) -> None:
        def create(connection: sqlite3.Connection) -> None:
            for name in names:
                self._log.create(connection, name, partitions or self._partitions)

        self._log.write(create)

    def partitions(self, topic: str) -> int:
        with closing(self._log.connect()) as connection:
            count = len(self._log.partition_rows(connection, topic))
        if not count:
            raise BusError(f"there is no topic {topic}: create it with ensure_topics")
        return count

    def producer(self) -> EmbeddedProducer:
        return EmbeddedProducer(self._log)

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        *,
        member_id: str | None = None,
        on_assigned: PartitionsChanged | None = None,
        on_revoked: PartitionsChanged | None = None,
        max_records: int = 500,
    ) -> EmbeddedConsumer:
        return EmbeddedConsumer(
            self._log,
            group,
            topics,
            member_name(member_id),
            on_assigned=on_assigned,
            on_revoked=on_revoked,
            max_records=max_records,
            lease_seconds=self._lease_seconds,
            lease_clock=self._lease_clock,
        )

    def read(self, topic: str, positions: Mapping[int, int] | None = None, limit: int = 1000) -> Sequence[Record]:
        records: list[Record] = []
        with closing(self._log.connect()) as connection:
            for row in self._log.partition_rows(connection, topic):
                offset = max((positions or {}).get(row.partition, 0), row.first_offset)
                while len(records) < limit and offset < row.next_offset:
                    found, offset = self._log.read(connection, topic, row, offset, limit - len(records))
                    records += found
        return records

    def positions(self, group: str, topic: str) -> dict[int, int]:
        with closing(self._log.connect()) as connection:
            return dict(
                connection.execute(
                    "SELECT p.partition, g.next_offset FROM positions AS g JOIN partitions AS p ON p.id = g.partition_id "
                    "WHERE g.consumer_group = ? AND p.topic = ?",
                    (group, topic),
                ).fetchall()
            )

    def move_group(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        with closing(self._log.connect()) as connection:
            rows = {
                TopicPartition(topic, row.partition): row.id
                for topic in {partition.topic for partition in offsets}
                for row in self._log.partition_rows(connection, topic)
            }
        unknown = offsets.keys() - rows.keys()
        if unknown:
            raise BusError(
                f"there is no partition {', '.join(f'{name}[{number}]' for name, number in sorted(unknown))}"
            )
        moved = [(group, rows[partition], offset) for partition, offset in offsets.items()]
        self._log.write(
            lambda connection: connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", moved)
        )

    def erase(self, topic: str, key: bytes, containing: bytes = b"") -> int:
        return self._log.erase(topic, key, containing)

    def trim(self) -> int:
        """Delete what is past the retention, now; consumers do it about once a minute. Returns how many records went."""
        return self._log.write(self._log.trim)

    def check(self, timeout: float = 2.0) -> None:  # noqa: ARG002 - SQLite's own busy timeout bounds it
        self._log.check()

    def close(self) -> None:
        self._log.close()


class EmbeddedProducer:
    """Writes to the embedded bus; see `tocsin.bus.port.Producer`. What one flush writes is there as a whole or not at all.

    A producer that sends some thousand records without a flush writes them in parts, so that memory stays bounded.
    """

    _turns = itertools.count()

    def __init__(self, log: Log) -> None:
        self._log = log
        self._buffer: list[tuple[Outgoing, int]] = []
        self._bytes = 0

    def send(self, record: Outgoing) -> None:
        size = len(record.value) + len(record.key or b"")
        if size > MAX_RECORD_BYTES:
            self.close()
            raise RecordTooLarge(record.topic, size, MAX_RECORD_BYTES)
        self._buffer.append((record, next(self._turns) if record.key is None else 0))
        self._bytes += size
        if len(self._buffer) >= BUFFERED_RECORDS or self._bytes >= BUFFERED_BYTES:
            self.flush()

    def flush(self, timeout: float = 30.0) -> None:  # noqa: ARG002 - SQLite's own busy timeout bounds it
        buffer, self._buffer, self._bytes = self._buffer, [], 0
        if not buffer:
            return
        self._log.write(lambda connection: self._log.append(connection, buffer))
        with self._log.appended:
            self._log.appended.notify_all()

    def close(self) -> None:
        self._buffer, self._bytes = [], 0
