"""Consumer groups of the embedded bus: who owns which partition is a lease row, and a commit counts only under the lease.

Members meet in the file alone. Each renews its leases about four times in their length, and shares out anew whenever
members came or went: who has too many partitions gives some up, who has too few takes what is free or expired. Every
taking raises the lease's epoch, so that a member which slept through losing and regaining a partition notices it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tocsin.bus.embedded_log import Log, PartitionRow
from tocsin.bus.failures import BusError, NotOwner, PositionGone
from tocsin.bus.members import was_killed
from tocsin.bus.port import PartitionsChanged, Record, TopicPartition
from tocsin.clock import Clock

SHORTEST_WAIT_SECONDS = 0.01
LONGEST_WAIT_SECONDS = 0.1


@dataclass(slots=True)
class _Owned:
    """A partition under this member's lease, and where it reads on."""

    row_id: int
    epoch: int
    position: int


def fair_share(partitions: int, members: Sequence[str], member: str) -> int:
    """How many of a topic's partitions `member` may hold; over all members the shares add up to all of them."""
    each, rest = divmod(partitions, len(members))
    return each + (1 if sorted(members).index(member) < rest else 0)


class EmbeddedConsumer:
    """A member of a group on the embedded bus; see `tocsin.bus.port.Consumer`.

    Leases run on the machine's time, whatever clock the records are stamped with: they tell whether a process lives.
    A paused partition is in someone's hand, so it is given up only once it is resumed (or its lease runs out).
    """

    def __init__(
        self,
        log: Log,
        group: str,
        topics: Collection[str],
        member: str,
        *,
        on_assigned: PartitionsChanged | None,
        on_revoked: PartitionsChanged | None,
        max_records: int,
        lease_seconds: float,
        lease_clock: Clock,
    ) -> None:
        self._log = log
        self._group = group
        self._topics = tuple(dict.fromkeys(topics))
        self._member = member
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._max_records = max_records
        self._lease_seconds = lease_seconds
        self._lease_clock = lease_clock
        self._connection = log.connect()
        self._owned: dict[TopicPartition, _Owned] = {}
        self._paused: set[TopicPartition] = set()
        self._renewed_at = float("-inf")
        self._first = 0
        self._closed = False

    def poll(self, timeout: float) -> list[Record]:
        deadline = time.monotonic() + timeout
        wait = SHORTEST_WAIT_SECONDS
        while True:
            if time.monotonic() - self._renewed_at >= self._lease_seconds / 4:
                self._renew()
            records = self._read()
            remaining = deadline - time.monotonic()
            if records or remaining <= 0:
                return records
            # Producers of this process wake us at once; those of others are noticed at the next look.
            with self._log.appended:
                if self._log.appended.wait(min(wait, remaining)):
                    wait = SHORTEST_WAIT_SECONDS
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self._paused |= self._owned.keys() & set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self._paused -= set(partitions)

    def rewind(self, positions: Mapping[TopicPartition, int]) -> None:
        for partition, position in positions.items():
            if partition in self._owned:
                self._owned[partition].position = position

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        def operation(connection: sqlite3.Connection) -> None:
            for partition, offset in offsets.items():
                owned = self._owned.get(partition)
                changed = owned and connection.execute(
                    "UPDATE positions SET next_offset = ? WHERE consumer_group = ? AND partition_id = ? AND EXISTS "
                    "(SELECT 1 FROM leases WHERE leases.consumer_group = positions.consumer_group "
                    "AND leases.partition_id = positions.partition_id AND owner = ? AND epoch = ?)",
                    (offset, self._group, owned.row_id, self._member, owned.epoch),
                )
                if not changed or changed.rowcount != 1:
                    raise NotOwner(
                        f"{self._member} no longer owns {partition.topic}[{partition.partition}] in group {self._group}: "
                        "another member has it and handles its records again; nothing was committed"
                    )

        self._log.write(operation)

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._owned)

    def lag(self) -> dict[TopicPartition, int]:
        lags = {}
        for partition, owned in self._owned.items():
            (lags[partition],) = self._connection.execute(
                "SELECT p.next_offset - g.next_offset FROM partitions AS p JOIN positions AS g ON g.partition_id = p.id "
                "WHERE p.id = ? AND g.consumer_group = ?",
                (owned.row_id, self._group),
            ).fetchone()
        return lags

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._log.write(lambda connection: self._strike_out(connection, self._member))
        finally:
            self._connection.close()
            self._owned.clear()

    def _read(self) -> list[Record]:
        records: list[Record] = []
        partitions = sorted(self._owned.keys() - self._paused)
        if not partitions:
            return records
        # Begin with another partition each time, so that a busy one does not starve the others.
        self._first = (self._first + 1) % len(partitions)
        try:
            self._connection.execute("BEGIN")
            for partition in partitions[self._first :] + partitions[: self._first]:
                owned = self._owned[partition]
                row = PartitionRow(
                    *self._connection.execute(
                        "SELECT id, partition, first_offset, next_offset, bytes FROM partitions WHERE id = ?",
                        (owned.row_id,),
                    ).fetchone()
                )
                if not row.first_offset <= owned.position <= row.next_offset:
                    raise PositionGone(self._group, partition, owned.position, row.first_offset, row.next_offset)
                if owned.position < row.next_offset and len(records) < self._max_records:
                    found, owned.position = self._log.read(
                        self._connection, partition.topic, row, owned.position, self._max_records - len(records)
                    )
                    records += found
        except sqlite3.Error as error:
            raise self._log.explained(error) from error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return records

    def _renew(self) -> None:
        before = self._owned
        now_owned = self._log.write(self._share_out)
        self._renewed_at = time.monotonic()
        same = {
            partition
            for partition, owned in now_owned.items()
            if partition in before and before[partition].epoch == owned.epoch
        }
        self._owned = {
            partition: before[partition] if partition in same else now_owned[partition] for partition in now_owned
        }
        self._paused &= same
        if self._on_revoked and (gone := before.keys() - same):
            self._on_revoked(sorted(gone))
        if self._on_assigned and (new := now_owned.keys() - same):
            self._on_assigned(sorted(new))

    def _share_out(self, connection: sqlite3.Connection) -> dict[TopicPartition, _Owned]:
        """Renew the leases, give up what is too much, take what is free; returns what is owned now."""
        now = self._lease_clock.now().timestamp()
        expires_at = now + self._lease_seconds
        self._dismiss(connection, now)
        connection.executemany(
            "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)",
            [(self._group, self._member, topic, expires_at) for topic in self._topics],
        )
        connection.execute(
            "UPDATE leases SET expires_at = ? WHERE consumer_group = ? AND owner = ?",
            (expires_at, self._group, self._member),
        )
        for topic in self._topics:
            self._share_topic(connection, topic, now, expires_at)
        self._log.trim_now_and_then(connection)
        rows = connection.execute(
            "SELECT p.topic, p.partition, p.id, l.epoch, g.next_offset FROM leases AS l "
            "JOIN partitions AS p ON p.id = l.partition_id "
            "JOIN positions AS g ON g.partition_id = p.id AND g.consumer_group = l.consumer_group "
            "WHERE l.consumer_group = ? AND l.owner = ?",
            (self._group, self._member),
        )
        return {TopicPartition(topic, number): _Owned(*rest) for topic, number, *rest in rows}

    def _dismiss(self, connection: sqlite3.Connection, now: float) -> None:
        """Strike out the members that went silent; of those that were killed on this machine, free the leases at once."""
        connection.execute("DELETE FROM members WHERE consumer_group = ? AND expires_at < ?", (self._group, now))
        owners = connection.execute(
            "SELECT member FROM members WHERE consumer_group = ?1 UNION SELECT owner FROM leases WHERE consumer_group = ?1",
            (self._group,),
        ).fetchall()
        for (member,) in owners:
            if member != self._member and was_killed(member):
                self._strike_out(connection, member)

    def _share_topic(self, connection: sqlite3.Connection, topic: str, now: float, expires_at: float) -> None:
        rows = self._log.partition_rows(connection, topic)
        if not rows:
            raise BusError(f"there is no topic {topic}: create it with ensure_topics before it is read")
        # A group stands at the beginning of a partition from the moment it first knows it, so nothing unread is trimmed.
        connection.executemany(
            "INSERT OR IGNORE INTO positions VALUES (?, ?, ?)",
            [(self._group, row.id, row.first_offset) for row in rows],
        )
        connection.executemany(
            "INSERT OR IGNORE INTO leases (consumer_group, partition_id) VALUES (?, ?)",
            [(self._group, row.id) for row in rows],
        )
        members = [
            member
            for (member,) in connection.execute(
                "SELECT member FROM members WHERE consumer_group = ? AND topic = ?", (self._group, topic)
            )
        ]
        leases = connection.execute(
            "SELECT l.partition_id, l.owner, l.expires_at, p.partition FROM leases AS l "
            "JOIN partitions AS p ON p.id = l.partition_id "
            "WHERE l.consumer_group = ? AND p.topic = ? ORDER BY p.partition",
            (self._group, topic),
        ).fetchall()
        mine = [(row_id, number) for row_id, owner, _, number in leases if owner == self._member]
        free = [row_id for row_id, owner, until, _ in leases if owner != self._member and (not owner or until < now)]
        share = fair_share(len(rows), members, self._member)
        in_hand = {partition.partition for partition in self._paused if partition.topic == topic}
        idle = [row_id for row_id, number in mine if number not in in_hand]
        for row_id in idle[: max(0, len(mine) - share)]:
            connection.execute(
                "UPDATE leases SET owner = '', expires_at = 0 WHERE consumer_group = ? AND partition_id = ?",
                (self._group, row_id),
            )
        for row_id in free[: max(0, share - len(mine))]:
            connection.execute(
                "UPDATE leases SET owner = ?, epoch = epoch + 1, expires_at = ? "
                "WHERE consumer_group = ? AND partition_id = ?",
                (self._member, expires_at, self._group, row_id),
            )

    def _strike_out(self, connection: sqlite3.Connection, member: str) -> None:
        who = (self._group, member)
        connection.execute("UPDATE leases SET owner = '', expires_at = 0 WHERE consumer_group = ? AND owner = ?", who)
        connection.execute("DELETE FROM members WHERE consumer_group = ? AND member = ?", who)
