"""The worker loop: take a batch, handle it on a thread of its own, publish, flush, and only then commit just that batch.

The polling thread goes on polling with its partitions paused while a batch is in hand, so the group keeps its member however
long the handling takes. What goes wrong goes one of three ways: retryable (wait and do the same again), an invalid record
(dead letter, the rest goes on), a bug (the exception leaves `run`, nothing is committed, the process ends).
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tocsin.bus.batch import Batch, DeadLetterLimit, Handler
from tocsin.bus.failures import NotOwner, Retryable
from tocsin.bus.port import Bus, Consumer, Producer, Record, TopicPartition
from tocsin.clock import Clock
from tocsin.contracts.settings.bus import BusSettings
from tocsin.contracts.topics import dead_letter_topic
from tocsin.observability import metrics
from tocsin.observability.logs import logger

_log = logger(__name__)

IDLE_POLL_SECONDS = 0.5
BUSY_POLL_SECONDS = 0.05
LAG_EVERY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How a worker takes records and how it waits. Seconds are the machine's, whatever clock the records are stamped with."""

    batch_records: int = 256
    batch_wait_seconds: float = 0.2
    drain_seconds: float = 20.0
    dead_letter_limit: float = 0.2
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0

    @classmethod
    def of(cls, settings: BusSettings, batch_records: int = 256) -> WorkerLimits:
        """The limits that the configuration sets."""
        return cls(
            batch_records=batch_records,
            batch_wait_seconds=settings.batch_wait.total_seconds(),
            drain_seconds=settings.drain_timeout.total_seconds(),
            dead_letter_limit=settings.dead_letter_limit,
        )

    def pause(self, failures: int) -> float:
        """How long to wait after so many failures in a row: doubling, bounded, with jitter so that members spread out."""
        longest = min(self.longest_pause_seconds, self.first_pause_seconds * 2 ** min(failures - 1, 16))
        return random.uniform(longest / 2, longest)


class Worker:
    """A member of `group` that handles the records of `topics`; a component of a process (`name`, `run`).

    `beat` is called whenever the loop goes round or a pause passes, but not while a handler is at work: whoever watches
    it must allow for the longest handling of a batch.
    """

    def __init__(
        self,
        bus: Bus,
        group: str,
        topics: Collection[str],
        handler: Handler,
        clock: Clock,
        *,
        limits: WorkerLimits | None = None,
        beat: Callable[[], None] = lambda: None,
        name: str | None = None,
    ) -> None:
        self.name = name or group
        self._bus = bus
        self._group = group
        self._topics = tuple(topics)
        self._handler = handler
        self._clock = clock
        self._limits = limits or WorkerLimits()
        self._beat = beat
        self._quality = DeadLetterLimit(self._limits.dead_letter_limit)
        self._waiting: list[Record] = []
        self._in_hand: Batch | None = None
        self._failures = 0
        self._drain_until: float | None = None
        self._lag_told_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then finish the batch in hand, within the drain limit, and leave the group.

        Raises whatever is a bug, PositionGone, TooManyDeadLetters: then nothing of the batch in hand is committed.
        """
        joined = self._join(stop)
        if joined is None:
            return
        consumer, producer = joined
        hand = _Hand(f"{self.name}-handler")
        try:
            while not stop.is_set():
                records = self._take(consumer, stop)
                if records:
                    self._in_hand = Batch(records)
                    self._work_off(consumer, producer, hand, self._in_hand, stop)
                    self._in_hand = None
                    consumer.resume(consumer.assignment())
        finally:
            hand.close()
            producer.close()
            consumer.close()

    def _join(self, stop: threading.Event) -> tuple[Consumer, Producer] | None:
        while not stop.is_set():
            try:
                self._bus.ensure_topics([dead_letter_topic(topic) for topic in self._topics], partitions=1)
                producer = self._bus.producer()
                consumer = self._bus.consumer(
                    self._group,
                    self._topics,
                    member_id=self.name,
                    on_assigned=self._assigned,
                    on_revoked=self._revoked,
                    max_records=self._limits.batch_records,
                )
            except Retryable as error:
                self._pause(error, stop)
            else:
                self._failures = 0
                return consumer, producer
        return None

    def _take(self, consumer: Consumer, stop: threading.Event) -> list[Record]:
        """Records for one batch: as soon as it is full, or its first record has waited long enough."""
        until: float | None = None
        while not stop.is_set():
            self._beat()
            if self._waiting and until is None:
                until = time.monotonic() + self._limits.batch_wait_seconds
            left = IDLE_POLL_SECONDS if until is None else until - time.monotonic()
            if len(self._waiting) >= self._limits.batch_records or (self._waiting and left <= 0):
                break
            try:
                self._waiting += consumer.poll(min(left, IDLE_POLL_SECONDS))
                if not self._waiting:
                    metrics.BUS_OLDEST_UNREAD_SECONDS.labels(worker=self.name).set(0)
                self._tell_lag(consumer)
                self._failures = 0
            except Retryable as error:
                self._pause(error, stop)
        size = self._limits.batch_records
        records, self._waiting = self._waiting[:size], self._waiting[size:]
        return [] if stop.is_set() else records

    def _work_off(
        self, consumer: Consumer, producer: Producer, hand: _Hand, batch: Batch, stop: threading.Event
    ) -> None:
        """Handle, publish, flush, commit; again and again while what fails is retryable and we are not asked to stop."""
        oldest = min(record.at for record in batch.records)
        metrics.BUS_OLDEST_UNREAD_SECONDS.labels(worker=self.name).set(
            max(0.0, (self._clock.now() - oldest).total_seconds())
        )
        started = time.monotonic()
        while not batch.is_abandoned:
            outcome = hand.give(lambda: self._handle_and_publish(batch, producer))
            while not outcome.done.wait(BUSY_POLL_SECONDS):
                if self._draining_is_over(stop):
                    _log.warning("batch left to the next process", worker=self.name, records=len(batch.records))
                    return
                self._keep_membership(consumer)
            try:
                outcome.result()
                break
            except Retryable as error:
                metrics.BUS_RETRIES.labels(worker=self.name, reason=type(error).__name__).inc()
                self._pause(error, stop, consumer)
                if stop.is_set():
                    return
        self._commit(consumer, batch, stop)
        metrics.BUS_BATCH_SECONDS.labels(worker=self.name).observe(time.monotonic() - started)

    def _handle_and_publish(self, batch: Batch, producer: Producer) -> None:
        outgoing, _ = batch.handle(self._handler, self._quality, self._clock.now())
        for record in outgoing:
            producer.send(record)
        producer.flush()

    def _commit(self, consumer: Consumer, batch: Batch, stop: threading.Event) -> None:
        while True:
            offsets = batch.offsets()
            if not offsets:
                metrics.BUS_BATCHES_LOST.labels(worker=self.name).inc()
                return
            try:
                consumer.commit(offsets)
            except NotOwner as error:
                # What is lost is handled again by whoever has it; the rest is still ours to commit.
                _log.info("partitions lost before the commit", worker=self.name, reason=str(error))
                lost = offsets.keys() - consumer.assignment()
                batch.abandon(lost or offsets.keys())
            except Retryable as error:
                self._pause(error, stop, consumer)
                if self._draining_is_over(stop):
                    return
            else:
                break
        for record in batch.records:
            metrics.BUS_RECORDS_HANDLED.labels(worker=self.name, topic=record.topic).inc()
        for failure in batch.invalid:
            metrics.BUS_DEAD_LETTERS.labels(topic=failure.record.topic, place=failure.place).inc()
            _log.warning("record set aside", worker=self.name, reason=str(failure))
        self._failures = 0
        self._beat()

    def _keep_membership(self, consumer: Consumer) -> None:
        """Poll without taking anything more than what a rebalance may bring by the way."""
        try:
            consumer.pause(consumer.assignment())
            self._waiting += consumer.poll(0.0)
        except Retryable as error:
            # The batch in hand goes on: its publishing or its commit will say whether the bus is really away.
            _log.info("the bus does not answer while a batch is in hand", worker=self.name, reason=str(error))

    def _pause(self, error: Retryable, stop: threading.Event, consumer: Consumer | None = None) -> None:
        self._failures += 1
        pause = self._limits.pause(self._failures)
        _log.warning("waiting before another attempt", worker=self.name, seconds=round(pause, 1), reason=str(error))
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0 and not stop.wait(min(left, IDLE_POLL_SECONDS)):
            self._beat()
            if consumer is not None:
                self._keep_membership(consumer)

    def _draining_is_over(self, stop: threading.Event) -> bool:
        if not stop.is_set():
            return False
        if self._drain_until is None:
            self._drain_until = time.monotonic() + self._limits.drain_seconds
        return time.monotonic() >= self._drain_until

    def _assigned(self, partitions: Collection[TopicPartition]) -> None:
        _log.info("partitions assigned", worker=self.name, partitions=_named(partitions))

    def _revoked(self, partitions: Collection[TopicPartition]) -> None:
        _log.info("partitions given up", worker=self.name, partitions=_named(partitions))
        self._waiting = [record for record in self._waiting if record.topic_partition not in partitions]
        if self._in_hand is not None:
            self._in_hand.abandon(partitions)

    def _tell_lag(self, consumer: Consumer) -> None:
        if time.monotonic() - self._lag_told_at < LAG_EVERY_SECONDS:
            return
        self._lag_told_at = time.monotonic()
        for partition, lag in consumer.lag().items():
            metrics.BUS_LAG.labels(worker=self.name, topic=partition.topic, partition=str(partition.partition)).set(lag)


class _Outcome:
    """What becomes of one piece of work."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: BaseException | None = None

    def result(self) -> None:
        if self.error is not None:
            raise self.error


class _Hand:
    """One thread that does one thing after another. A daemon, so that a handler that hangs cannot keep a process alive."""

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[tuple[Callable[[], None], _Outcome] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def give(self, task: Callable[[], None]) -> _Outcome:
        outcome = _Outcome()
        self._tasks.put((task, outcome))
        return outcome

    def close(self) -> None:
        self._tasks.put(None)

    def _work(self) -> None:
        while (item := self._tasks.get()) is not None:
            task, outcome = item
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - raised again on the polling thread, which decides
                outcome.error = error
            finally:
                outcome.done.set()


def _named(partitions: Collection[TopicPartition]) -> list[str]:
    return [f"{topic}[{partition}]" for topic, partition in sorted(partitions)]
