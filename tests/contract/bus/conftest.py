"""The implementations of the bus that the suite runs on, each behind the same bench."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaPartition

from tests.brokers import Broker, await_condition
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.embedded_log import Bounds
from tocsin.bus.failures import BusUnavailable
from tocsin.bus.kafka import KafkaBus
from tocsin.bus.port import Bus, Consumer, Outgoing, Record
from tocsin.clock import ManualClock

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROOM = 1_000
"""Records (embedded) that the bench's small bus takes before it pushes back; on Kafka as many kB under way."""


class Bench(ABC):
    """One implementation, and what a test may do to it from outside."""

    name: str

    def __init__(self) -> None:
        self._opened = ExitStack()

    @abstractmethod
    def make(self) -> Bus:
        """A bus as a process of its own would open it."""

    @abstractmethod
    def small(self) -> Bus:
        """A bus that pushes back early."""

    @abstractmethod
    def stuck(self) -> AbstractContextManager[None]:
        """While this lasts, what `small` is sent goes nowhere."""

    @abstractmethod
    def lose_all(self, topic: str) -> None:
        """Take away what the topic holds so far, as a retention that is too short does."""

    @abstractmethod
    def address(self) -> Sequence[str]:
        """What another process needs to open the same bus."""

    def open(self) -> Bus:
        """`make`, closed after the test."""
        bus = self.make()
        self._opened.callback(bus.close)
        return bus

    def join(self, bus: Bus, group: str, topic: str, **options: object) -> Consumer:
        """A member of a group, closed after the test."""
        consumer = bus.consumer(group, [topic], **options)  # type: ignore[arg-type]
        self._opened.callback(consumer.close)
        return consumer

    def close(self) -> None:
        """Close what the test opened, last first."""
        self._opened.close()


class EmbeddedBench(Bench):
    name = "embedded"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "bus.sqlite"
        self.clock = ManualClock(MONDAY)

    def make(self, bounds: Bounds | None = None) -> EmbeddedBus:
        return EmbeddedBus(self.path, self.clock, bounds=bounds, lease_seconds=1.5)

    def small(self) -> Bus:
        bus = self.make(Bounds(max_records=ROOM))
        self._opened.callback(bus.close)
        return bus

    def stuck(self) -> AbstractContextManager[None]:
        return nullcontext()  # Nobody reads: that is enough.

    def lose_all(self, topic: str) -> None:
        self.clock.move(timedelta(days=8).total_seconds())
        bus = self.open()
        assert isinstance(bus, EmbeddedBus)
        assert bus.trim() > 0

    def address(self) -> Sequence[str]:
        return ("embedded", str(self.path), self.clock.now().isoformat())


class KafkaBench(Bench):
    name = "kafka"

    def __init__(self, broker: Broker, prefix: str) -> None:
        super().__init__()
        self.broker = broker
        self.prefix = prefix

    def make(self) -> KafkaBus:
        return KafkaBus([self.broker.servers], prefix=self.prefix, session_timeout=timedelta(seconds=6))

    def small(self) -> Bus:
        bus = KafkaBus([self.broker.servers], prefix=self.prefix, buffer_bytes=ROOM * 1_000)
        self._opened.callback(bus.close)
        return bus

    def stuck(self) -> AbstractContextManager[None]:
        return self.broker.hanging()

    def lose_all(self, topic: str) -> None:
        if "Tansu" in self.broker.name:
            pytest.skip("Tansu cannot delete records, nor does it tell that a position is out of range")
        bus = self.open()
        admin = KafkaAdminClient(bootstrap_servers=self.broker.servers)
        try:
            ends = {KafkaPartition(self.prefix + topic, n): -1 for n in range(bus.partitions(topic))}
            admin.delete_records(ends)
        finally:
            admin.close()

    def address(self) -> Sequence[str]:
        return ("kafka", self.broker.servers, self.prefix)


@pytest.fixture(params=["embedded", "kafka"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each implementation in turn."""
    found: Bench
    if request.param == "embedded":
        found = EmbeddedBench(tmp_path)
    else:
        found = KafkaBench(request.getfixturevalue("kafka_broker"), request.getfixturevalue("kafka_prefix"))
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def bus(bench: Bench) -> Bus:
    """One bus with the topic `mentions` of four partitions and its dead letters."""
    opened = bench.open()
    opened.ensure_topics(["mentions"], partitions=4)
    opened.ensure_topics(["mentions.dlq"], partitions=1)
    return opened


def publish(bus: Bus, records: Iterable[Outgoing]) -> None:
    """Send and flush."""
    producer = bus.producer()
    for record in records:
        producer.send(record)
    producer.flush()
    producer.close()


def mentions(values: Iterable[str], key: str | None = None) -> list[Outgoing]:
    """Records for `mentions`, each under its own text as key unless one is given."""
    return [Outgoing("mentions", (key or value).encode(), value.encode()) for value in values]


def texts(records: Iterable[Record]) -> list[str]:
    """What the records say, in their order."""
    return [record.value.decode() for record in records]


def poll_until(
    consumers: Consumer | Sequence[Consumer],
    enough: Callable[[list[list[Record]]], bool],
    what: str,
    seconds: float = 40.0,
) -> list[list[Record]]:
    """Poll each in turn until what they read, a list for each, is enough; fails the test when it never is."""
    members = [consumers] if not isinstance(consumers, Sequence) else consumers
    read: list[list[Record]] = [[] for _ in members]
    deadline = time.monotonic() + seconds
    while not enough(read):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain until {what}; read so far: {[texts(part) for part in read]}")
        for index, member in enumerate(members):
            read[index] += member.poll(0.1)
    return read


def read_all(consumer: Consumer, count: int) -> list[Record]:
    """The next `count` records of one member, exactly."""
    (records,) = poll_until(consumer, lambda read: len(read[0]) >= count, f"{count} records are read")
    assert len(records) == count
    return records


def commit(consumer: Consumer, records: Iterable[Record], others: Sequence[Consumer] = ()) -> None:
    """Commit behind these records; while the group shares out anew, poll on with all its members and commit again."""
    offsets = {record.topic_partition: record.next_offset for record in records}

    def committed() -> bool:
        try:
            consumer.commit(offsets)
        except BusUnavailable:
            for member in (consumer, *others):
                member.poll(0.1)
            return False
        return True

    await_condition(committed, "the commit is taken")
