"""The bus on Kafka, through kafka-python 3: the only place that imports it.

What kafka-python does that this adapter counters: auto-commit is on by default; a position that is gone is skipped by
default; `commit()` without offsets commits what was polled; rebalance callbacks run on its own loop's thread; nothing
bounds the producer's memory; a wrong password shows as a timeout.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.net.compat import KafkaNetClient
from kafka.structs import OffsetAndMetadata

from tocsin.bus.failures import BusError, BusFull, BusUnavailable, CannotErase, NotOwner, PositionGone, RecordTooLarge
from tocsin.bus.port import MAX_RECORD_BYTES, Outgoing, PartitionsChanged, Record, TopicPartition
from tocsin.bus.reachability import what_to_check
from tocsin.contracts.settings.bus import SaslSettings

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 10.0
DELIVERY_SECONDS = 30.0
LINGER_MS = 10

_MEMBERSHIP_LOST = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
    kafka_errors.FencedInstanceIdError,
)
_REFUSED = (
    kafka_errors.AuthorizationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.KafkaConfigurationError,
    kafka_errors.InvalidTopicError,
)


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
        partitions: int = 4,
        retention: timedelta = timedelta(days=7),
        session_timeout: timedelta = timedelta(seconds=15),
        tls: bool = False,
        ca_file: str | None = None,
        sasl: SaslSettings | None = None,
        buffer_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        if not servers:
            raise BusError("no Kafka broker is named: set bus.bootstrap_servers or KAFKA_BOOTSTRAP_SERVERS")
        self._servers = tuple(servers)
        self._partitions = partitions
        self._retention = retention
        self.session_timeout = session_timeout
        self._tls = tls
        self._ca_file = ca_file
        self._sasl = sasl
        self.unacknowledged = _Allowance(buffer_bytes)
        self._producer_lock = threading.Lock()
        self._producer: Any = None
        self._admin_lock = threading.Lock()
        self._admin: Any = None
        self._checks = ThreadPoolExecutor(1, thread_name_prefix="kafka-check")
        self._check: Future[Any] | None = None

    def ensure_topics(self, names: Collection[str], partitions: int | None = None) -> None:
        wanted = {
            name: {
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
        self._administer(lambda admin: admin.wait_for_topics(list(names)))

    def partitions(self, topic: str) -> int:
        (found,) = self._administer(lambda admin: admin.describe_topics([topic]))
        if not found["partitions"]:
            raise BusError(f"there is no topic {topic}: create it with ensure_topics")
        return len(found["partitions"])

    def producer(self) -> KafkaTopicProducer:
        with self._producer_lock:
            if self._producer is None:
                self._producer = self.open(
                    KafkaProducer,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=LINGER_MS,
                    max_block_ms=int(ANSWER_SECONDS * 1000),
                    request_timeout_ms=int(DELIVERY_SECONDS * 500),
                    delivery_timeout_ms=int(DELIVERY_SECONDS * 1000),
                )
        return KafkaTopicProducer(self, self._producer)

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
        session_ms = int(self.session_timeout.total_seconds() * 1000)
        client = self.open(
            KafkaConsumer,
            group_id=group,
            client_id=member_id or "tocsin",
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            max_poll_records=max_records,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(3000, session_ms // 4),
            metadata_max_age_ms=60_000,
            partition_assignment_strategy=(CooperativeStickyAssignor,),
        )
        return KafkaGroupConsumer(self, client, group, topics, on_assigned=on_assigned, on_revoked=on_revoked)

    def read(self, topic: str, positions: Mapping[int, int] | None = None, limit: int = 1000) -> Sequence[Record]:
        wanted = [KafkaPartition(topic, number) for number in range(self.partitions(topic))]
        client = self.open(KafkaConsumer, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
        records: list[Record] = []
        try:
            client.assign(wanted)
            first = client.beginning_offsets(wanted)
            ends = client.end_offsets(wanted)
            for partition in wanted:
                client.seek(partition, max((positions or {}).get(partition.partition, 0), first[partition]))
            open_ends = {partition for partition in wanted if client.position(partition) < ends[partition]}
            deadline = time.monotonic() + ANSWER_SECONDS
            while open_ends and len(records) < limit and time.monotonic() < deadline:
                found = client.poll(timeout_ms=500, max_records=limit - len(records))
                records += [_record(item) for items in found.values() for item in items]
                open_ends = {partition for partition in open_ends if client.position(partition) < ends[partition]}
        except kafka_errors.KafkaError as error:
            raise self.failure(error) from error
        finally:
            client.close()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def move_group(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        client = self.open(KafkaConsumer, group_id=group, enable_auto_commit=False)
        try:
            client.assign([KafkaPartition(*partition) for partition in offsets])
            client.commit(_to_commit(offsets), timeout_ms=int(ANSWER_SECONDS * 1000))
        except _MEMBERSHIP_LOST as error:
            raise BusError(f"group {group} has running members: stop them before its position is moved") from error
        except kafka_errors.KafkaError as error:
            raise self.failure(error) from error
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
                f"Kafka at {', '.join(self._servers)} has not answered for {timeout:g} s: check whether a broker hangs"
            ) from None

    def close(self) -> None:
        self._checks.shutdown(wait=False, cancel_futures=True)
        with self._producer_lock, self._admin_lock:
            if self._producer is not None:
                self._producer.close(timeout=ANSWER_SECONDS)
            if self._admin is not None:
                self._admin.close()
            self._producer = self._admin = None

    def open(self, make: Callable[..., Any], **settings: Any) -> Any:
        """A kafka-python client with this bus's connection settings, or BusUnavailable saying what to check."""
        opened: list[Any] = []

        def remembered(**client_settings: Any) -> Any:
            # A constructor that fails leaves its connections and thread running: keep a hand on them.
            opened.append(KafkaNetClient(**client_settings))
            return opened[-1]

        settings |= {"bootstrap_servers": list(self._servers), "bootstrap_timeout_ms": int(CONNECT_SECONDS * 1000)}
        settings |= {"security_protocol": ("SASL_" if self._sasl else "") + ("SSL" if self._tls else "PLAINTEXT")}
        settings |= {"ssl_cafile": self._ca_file}
        if self._sasl:
            settings |= {"sasl_mechanism": self._sasl.mechanism, "sasl_plain_username": self._sasl.username}
            settings |= {"sasl_plain_password": self._sasl.password.get_secret_value()}
        try:
            return make(kafka_client=remembered, **settings)
        except (kafka_errors.KafkaError, OSError) as error:
            refusals = [str(refusal) for client in opened for refusal in client._manager._auth_failures.values()]
            for client in opened:
                client.close()
            raise self.failure(error, refusals[0] if refusals else None) from error

    def failure(self, error: Exception, refusal: str | None = None) -> BusError:
        """What kafka-python raised, as the port has it."""
        if isinstance(error, _REFUSED) and not isinstance(error, kafka_errors.SaslAuthenticationFailedError):
            return BusError(f"Kafka refuses: {error}. Check the rights of bus.sasl.username, and the topic's name")
        if isinstance(error, kafka_errors.SaslAuthenticationFailedError):
            refusal = str(error)
        return BusUnavailable(
            f"{what_to_check(self._servers, tls=self._tls, sasl=self._sasl, refusal=refusal)} ({type(error).__name__})"
        )

    def _administer(self, action: Callable[[Any], Any]) -> Any:
        with self._admin_lock:
            try:
                if self._admin is None:
                    self._admin = self.open(KafkaAdminClient, request_timeout_ms=int(ANSWER_SECONDS * 1000))
                return action(self._admin)
            except kafka_errors.KafkaError as error:
                raise self.failure(error) from error


class KafkaTopicProducer:
    """Writes to Kafka over the process's one connection; see `tocsin.bus.port.Producer`."""

    def __init__(self, bus: KafkaBus, client: Any) -> None:
        self._bus = bus
        self._client = client
        self._known: set[str] = set()
        self._pending: list[Any] = []

    def send(self, record: Outgoing) -> None:
        size = len(record.value) + len(record.key or b"")
        if size > MAX_RECORD_BYTES:
            raise RecordTooLarge(record.topic, size, MAX_RECORD_BYTES)
        if record.topic not in self._known:
            # Asked first, because a broker may create an unknown topic by itself, with a number of partitions of its own.
            self._bus.partitions(record.topic)
            self._known.add(record.topic)
        self._bus.unacknowledged.take(size, record.topic)
        try:
            future = self._client.send(
                record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
            )
        except AssertionError as error:
            self._bus.unacknowledged.give_back(size)
            raise BusError(f"{record.topic} has no partition {record.partition}") from error
        except (kafka_errors.KafkaError, ValueError) as error:
            self._bus.unacknowledged.give_back(size)
            raise self._bus.failure(error) from error
        future.add_both(lambda _: self._bus.unacknowledged.give_back(size))
        self._pending.append(future)

    def flush(self, timeout: float = 30.0) -> None:
        pending, self._pending = self._pending, []
        deadline = time.monotonic() + timeout
        for future in pending:
            try:
                future.get(timeout=max(0.0, deadline - time.monotonic()))
            except kafka_errors.KafkaError as error:
                raise self._bus.failure(error) from error

    def close(self) -> None:
        self._pending.clear()


class KafkaGroupConsumer:
    """A member of a Kafka consumer group; see `tocsin.bus.port.Consumer`. Partitions move one by one, not all at once."""

    def __init__(
        self,
        bus: KafkaBus,
        client: Any,
        group: str,
        topics: Collection[str],
        *,
        on_assigned: PartitionsChanged | None,
        on_revoked: PartitionsChanged | None,
    ) -> None:
        self._bus = bus
        self._client = client
        self._group = group
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._ownership = _Ownership()
        client.subscribe(list(topics), listener=self._ownership)

    def poll(self, timeout: float) -> list[Record]:
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = self._client.poll(timeout_ms=max(0, int((deadline - time.monotonic()) * 1000)))
            except kafka_errors.NoOffsetForPartitionError as error:
                # No position yet: a new group, or a partition added later. Both begin at the beginning.
                self._client.seek_to_beginning(*error.args[0])
                continue
            except (kafka_errors.OffsetOutOfRangeError, kafka_errors.LogTruncationError) as error:
                raise self._position_gone(error) from error
            except kafka_errors.KafkaError as error:
                raise self._bus.failure(error) from error
            self._tell_of_changes()
            if found or time.monotonic() >= deadline:
                owned = self._ownership.owned
                return [
                    _record(item) for partition, items in found.items() if _ours(partition) in owned for item in items
                ]

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._client.pause(*(self._client.assignment() & {KafkaPartition(*item) for item in partitions}))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._client.resume(*(self._client.assignment() & {KafkaPartition(*item) for item in partitions}))

    def rewind(self, positions: Mapping[TopicPartition, int]) -> None:
        for partition in self._client.assignment() & {KafkaPartition(*item) for item in positions}:
            self._client.seek(partition, positions[_ours(partition)])

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        lost = offsets.keys() - self._ownership.owned
        if lost:
            raise NotOwner(self._no_longer_owned(lost))
        try:
            self._client.commit(_to_commit(offsets), timeout_ms=int(ANSWER_SECONDS * 1000))
        except _MEMBERSHIP_LOST as error:
            raise NotOwner(self._no_longer_owned(offsets.keys())) from error
        except kafka_errors.RebalanceInProgressError as error:
            raise BusUnavailable(
                f"group {self._group} is sharing out its partitions: poll on, then commit again"
            ) from error
        except kafka_errors.KafkaError as error:
            raise self._bus.failure(error) from error

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._ownership.owned)

    def lag(self) -> dict[TopicPartition, int]:
        wanted = [KafkaPartition(*partition) for partition in self._ownership.owned]
        timeout_ms = int(ANSWER_SECONDS * 1000)
        try:
            ends = self._client.end_offsets(wanted, timeout_ms=timeout_ms)
            first = self._client.beginning_offsets(wanted, timeout_ms=timeout_ms)
            positions = {item: self._client.committed(item, timeout_ms=timeout_ms) for item in wanted}
        except kafka_errors.KafkaError as error:
            raise self._bus.failure(error) from error
        # A group without a position stands at the beginning.
        return {
            _ours(item): ends[item] - (first[item] if positions[item] is None else positions[item]) for item in wanted
        }

    def close(self) -> None:
        with suppress(kafka_errors.KafkaError):
            self._client.close(autocommit=False, timeout_ms=int(ANSWER_SECONDS * 1000))

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
        timeout_ms = int(ANSWER_SECONDS * 1000)
        try:
            first = self._client.beginning_offsets([partition], timeout_ms=timeout_ms)[partition]
            end = self._client.end_offsets([partition], timeout_ms=timeout_ms)[partition]
        except kafka_errors.KafkaError as failure:
            return self._bus.failure(failure)
        return PositionGone(self._group, _ours(partition), at, first, end)


class _Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Keeps what is owned, and the changes until the polling thread tells of them.

    kafka-python calls it on its own loop's thread, where heartbeats wait for it: it only takes notes.
    """

    def __init__(self) -> None:
        self.owned: frozenset[TopicPartition] = frozenset()
        self.changes: deque[tuple[bool, list[TopicPartition]]] = deque()

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        partitions = sorted(_ours(partition) for partition in assigned)
        self.owned |= set(partitions)
        self.changes.append((True, partitions))

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        partitions = sorted(_ours(partition) for partition in revoked)
        self.owned -= set(partitions)
        self.changes.append((False, partitions))

    def on_partitions_lost(self, lost: Collection[Any]) -> None:
        # The same for us, because nothing is committed in either: others may have these already.
        self.on_partitions_revoked(lost)


class _Allowance:
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


def _record(item: Any) -> Record:
    at = datetime.fromtimestamp(item.timestamp / 1000, UTC)
    headers = tuple((name, value or b"") for name, value in item.headers)
    return Record(item.topic, item.partition, item.offset, item.key, item.value or b"", headers, at)


def _ours(partition: Any) -> TopicPartition:
    return TopicPartition(partition.topic, partition.partition)


def _to_commit(offsets: Mapping[TopicPartition, int]) -> dict[Any, Any]:
    return {KafkaPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
