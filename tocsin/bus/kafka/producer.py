"""Writing to Kafka, with a bound on what is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kafka import errors as kafka_errors

from tocsin.bus.failures import BusError, BusFull, RecordTooLarge
from tocsin.bus.kafka.connection import Connection
from tocsin.bus.port import MAX_RECORD_BYTES, Outgoing


class Allowance:
    """Bytes that may be under way to the brokers at once; kafka-python itself has no bound."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int, topic: str) -> None:
        with self._lock:
            # One record passes an empty buffer whatever its size, or it would never pass.
            if self._taken and self._taken + size > self._limit:
                raise BusFull(
                    f"{self._taken:,} bytes wait for Kafka's acknowledgement, so a record for {topic} must wait: "
                    "the brokers are slower than we are, or away"
                )
            self._taken += size

    def give_back(self, size: int) -> None:
        with self._lock:
            self._taken -= size


class KafkaTopicProducer:
    """Writes to Kafka over the process's one connection; see `tocsin.bus.port.Producer`."""

    def __init__(
        self, connection: Connection, client: Any, allowance: Allowance, partitions: Callable[[str], int]
    ) -> None:
        self._connection = connection
        self._client = client
        self._allowance = allowance
        self._partitions = partitions
        self._known: dict[str, int] = {}
        self._pending: list[Any] = []

    def send(self, record: Outgoing) -> None:
        try:
            self._send(record)
        except BusError:
            self._pending.clear()
            raise

    def _send(self, record: Outgoing) -> None:
        size = len(record.value) + len(record.key or b"")
        if size > MAX_RECORD_BYTES:
            raise RecordTooLarge(record.topic, size, MAX_RECORD_BYTES)
        if record.topic not in self._known:
            # Asked first, because a broker may create an unknown topic by itself, with a number of partitions of its own.
            self._known[record.topic] = self._partitions(record.topic)
        if record.partition is not None and not 0 <= record.partition < self._known[record.topic]:
            last = self._known[record.topic] - 1
            raise BusError(f"{record.topic} has partitions 0 to {last}, not {record.partition}")
        self._allowance.take(size, record.topic)
        try:
            future = self._client.send(
                self._connection.prefix + record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
            )
        except kafka_errors.KafkaError as error:
            self._allowance.give_back(size)
            raise self._connection.failure(error) from error
        future.add_both(lambda _: self._allowance.give_back(size))
        self._pending.append(future)

    def flush(self, timeout: float = 30.0) -> None:
        pending, self._pending = self._pending, []
        deadline = time.monotonic() + timeout
        for future in pending:
            try:
                future.get(timeout=max(0.0, deadline - time.monotonic()))
            except kafka_errors.KafkaError as error:
                raise self._connection.failure(error) from error

    def close(self) -> None:
        self._pending.clear()
