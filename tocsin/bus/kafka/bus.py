"""Kafka as one process sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from tocsin.bus.failures import BusError, BusUnavailable, CannotErase
from tocsin.bus.kafka.connection import ANSWER_MS, ANSWER_SECONDS, Connection
from tocsin.bus.kafka.consumer import MEMBERSHIP_LOST, KafkaGroupConsumer, positions_to_commit, to_record
from tocsin.bus.kafka.producer import Allowance, KafkaTopicProducer
from tocsin.bus.port import PartitionsChanged, Record, TopicPartition
from tocsin.contracts.settings.bus import SaslSettings
from tocsin.contracts.topics import DEFAULT_PREFIX

DELIVERY_SECONDS = 30.0
LINGER_MS = 10


class KafkaBus:
    """Kafka as one process sees it; see `tocsin.bus.port.Bus`.

    `retention` is set on the topics that this bus creates. `buffer_bytes` bounds what all producers of this process
    have sent and the brokers have not acknowledged; beyond it `send` raises BusFull. Connects only when first used.
    """

    erases_in_place = False

    def __init__(
        self,
        servers: Sequence[str],
        *,
        prefix: str = DEFAULT_PREFIX,
        partitions: int = 4,
        retention: timedelta = timedelta(days=7),
        session_timeout: timedelta = timedelta(seconds=15),
        tls: bool = False,
        ca_file: str | None = None,
        sasl: SaslSettings | None = None,
        buffer_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        self._connection = Connection(servers, prefix=prefix, tls=tls, ca_file=ca_file, sasl=sasl)
        self._partitions = partitions
        self._retention = retention
        self._session_timeout = session_timeout
        self._allowance = Allowance(buffer_bytes)
        self._producer_lock = threading.Lock()
        self._producer: Any = None
        self._admin_lock = threading.Lock()
        self._admin: Any = None
        self._checks = ThreadPoolExecutor(1, thread_name_prefix="kafka-check")
        self._check: Future[Any] | None = None

    def ensure_topics(self, names: Collection[str], partitions: int | None = None) -> None:
        wanted = {
            self._connection.prefix + name: {
                "num_partitions": partitions or self._partitions,
                "configs": {"retention.ms": str(int(self._retention.total_seconds() * 1000))},
            }
            for name in names
        }
        answer = self._administer(lambda admin: admin.create_topics(wanted, raise_errors=False))
        for topic in answer["topics"]:
            error = kafka_errors.for_code(topic["error_code"])
            if error not in (kafka_errors.NoError, kafka_errors.TopicAlreadyExistsError):
                raise BusError(
                    f"Kafka does not create topic {topic['name']}: {topic['error_message'] or error.__name__}"
                )
        self._administer(lambda admin: admin.wait_for_topics(list(wanted)))

    def partitions(self, topic: str) -> int:
        (found,) = self._administer(lambda admin: admin.describe_topics([self._connection.prefix + topic]))
        if not found["partitions"]:
            raise BusError(f"there is no topic {topic}: create it with ensure_topics")
        return len(found["partitions"])

    def producer(self) -> KafkaTopicProducer:
        with self._producer_lock:
            if self._producer is None:
                self._producer = self._connection.open(
                    KafkaProducer,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=LINGER_MS,
                    max_block_ms=ANSWER_MS,
                    request_timeout_ms=int(DELIVERY_SECONDS * 500),
                    delivery_timeout_ms=int(DELIVERY_SECONDS * 1000),
                )
        return KafkaTopicProducer(self._connection, self._producer, self._allowance, self.partitions)

    def consumer(
        self,
        group: str,
        topics: Collection[str],
        *,
        member_id: str | None = None,
        on_assigned: PartitionsChanged | None = None,
        on_revoked: PartitionsChanged | None = None,
        max_records: int = 500,
    ) -> KafkaGroupConsumer:
        for topic in topics:
            self.partitions(topic)
        session_ms = int(self._session_timeout.total_seconds() * 1000)
        client = self._connection.open(
            KafkaConsumer,
            group_id=self._connection.prefix + group,
            client_id=member_id or "tocsin",
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            max_poll_records=max_records,
            session_timeout_ms=session_ms,
            # How long others wait for us in a rebalance; the worker polls many times a second, even when it is busy.
            max_poll_interval_ms=60_000,
            heartbeat_interval_ms=min(3000, session_ms // 4),
            metadata_max_age_ms=60_000,
            partition_assignment_strategy=(CooperativeStickyAssignor,),
        )
        return KafkaGroupConsumer(
            self._connection, client, group, topics, on_assigned=on_assigned, on_revoked=on_revoked
        )

    def read(self, topic: str, positions: Mapping[int, int] | None = None, limit: int = 1000) -> Sequence[Record]:
        wanted = [self._connection.theirs(TopicPartition(topic, number)) for number in range(self.partitions(topic))]
        client = self._connection.open(
            KafkaConsumer, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        records: list[Record] = []
        try:
            client.assign(wanted)
            first = client.beginning_offsets(wanted)
            for partition in wanted:
                client.seek(partition, max((positions or {}).get(partition.partition, 0), first[partition]))
            unfinished = set(wanted)
            deadline = time.monotonic() + ANSWER_SECONDS
            while unfinished and len(records) < limit:
                if time.monotonic() > deadline:
                    raise kafka_errors.KafkaTimeoutError(f"{topic} was not read to its end in {ANSWER_SECONDS:g} s")
                found = client.poll(timeout_ms=100, max_records=limit - len(records))
                records += [to_record(self._connection, item) for items in found.values() for item in items]
                # The end as the answers to our own reading tell it: what a broker says when asked for it may be less.
                unfinished = {
                    partition
                    for partition in unfinished
                    if (end := client.highwater(partition)) is None or client.position(partition) < end
                }
        except kafka_errors.KafkaError as error:
            raise self._connection.failure(error) from error
        finally:
            client.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def positions(self, group: str, topic: str) -> dict[int, int]:
        partitions = [TopicPartition(topic, number) for number in range(self.partitions(topic))]
        client = self._group_client(group)
        try:
            found = {item: client.committed(self._connection.theirs(item), timeout_ms=ANSWER_MS) for item in partitions}
        except kafka_errors.KafkaError as error:
            raise self._connection.failure(error) from error
        finally:
            client.close()
        return {item.partition: position for item, position in found.items() if position is not None}

    def move_group(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        client = self._group_client(group)
        try:
            client.assign([self._connection.theirs(partition) for partition in offsets])
            client.commit(positions_to_commit(self._connection, offsets), timeout_ms=ANSWER_MS)
        except MEMBERSHIP_LOST as error:
            raise BusError(f"group {group} has running members: stop them before its position is moved") from error
        except kafka_errors.KafkaError as error:
            raise self._connection.failure(error) from error
        finally:
            client.close()

    def erase(self, topic: str, key: bytes, containing: bytes = b"") -> int:  # noqa: ARG002 - it never can
        raise CannotErase(
            f"Kafka does not blank records: what {topic} holds of a person goes with the topic's retention. "
            "Keep retention.bus as short as the erasure was promised for"
        )

    def check(self, timeout: float = 2.0) -> None:
        if self._check is None or self._check.done():
            self._check = self._checks.submit(self._administer, lambda admin: admin.describe_cluster())
        try:
            self._check.result(timeout)
        except TimeoutError:
            raise BusUnavailable(
                f"Kafka at {', '.join(self._connection.servers)} has not answered for {timeout:g} s: check whether a broker hangs"
            ) from None

    def close(self) -> None:
        self._checks.shutdown(wait=False, cancel_futures=True)
        with self._producer_lock, self._admin_lock:
            if self._producer is not None:
                self._producer.close(timeout=ANSWER_SECONDS)
            if self._admin is not None:
                self._admin.close()
            self._producer = self._admin = None

    def _group_client(self, group: str) -> Any:
        return self._connection.open(
            KafkaConsumer, group_id=self._connection.prefix + group, enable_auto_commit=False, auto_offset_reset="none"
        )

    def _administer(self, action: Callable[[Any], Any]) -> Any:
        with self._admin_lock:
            try:
                if self._admin is None:
                    self._admin = self._connection.open(KafkaAdminClient, request_timeout_ms=ANSWER_MS)
                return action(self._admin)
            except kafka_errors.KafkaError as error:
                raise self._connection.failure(error) from error
