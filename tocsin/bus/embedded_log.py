"""The durable log of the embedded bus: one SQLite file that several processes write and read at once.

A record's row id is its partition's number and its offset in one integer, so that reading a partition is one range
scan. Writes are short `BEGIN IMMEDIATE` transactions with `synchronous=FULL`; those that wait for the same disk are
committed together (group commit). What every group has read may be trimmed when room is needed, and what is older than
the retention is trimmed in any case.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tocsin.bus.failures import BusError, BusFull, BusUnavailable
from tocsin.bus.local_disk import refuse_network_file_system
from tocsin.bus.port import Headers, Outgoing, Record
from tocsin.clock import Clock

T = TypeVar("T")

OFFSET_BITS = 40
TRIM_CHUNK = 5_000
TRIM_EVERY_SECONDS = 60.0
READ_BYTES = 8 * 1024 * 1024
BUSY_TIMEOUT_SECONDS = 10.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
  first_offset INTEGER NOT NULL DEFAULT 0, next_offset INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE (topic, partition));
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, key BLOB, value BLOB, headers TEXT NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS positions (
  consumer_group TEXT NOT NULL, partition_id INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (consumer_group, partition_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
  consumer_group TEXT NOT NULL, member TEXT NOT NULL, topic TEXT NOT NULL, expires_at REAL NOT NULL,
  PRIMARY KEY (consumer_group, member, topic)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (
  consumer_group TEXT NOT NULL, partition_id INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '',
  epoch INTEGER NOT NULL DEFAULT 0, expires_at REAL NOT NULL DEFAULT 0,
  PRIMARY KEY (consumer_group, partition_id)) WITHOUT ROWID;
"""


class PartitionRow(NamedTuple):
    """A partition as the log has it; `first_offset` is the oldest record kept, `next_offset` the end."""

    id: int
    partition: int
    first_offset: int
    next_offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one topic may hold that is not read yet, and how long anything is kept."""

    max_records: int = 500_000
    max_bytes: int = 2048 * 1024 * 1024
    retention: timedelta = timedelta(days=7)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: the same in every process, machine and version of Python."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % partitions


class Log:
    """The file, its one writing connection in this process, and what is done in it. Safe to share between threads."""

    def __init__(self, path: Path, clock: Clock, bounds: Bounds) -> None:
        self.path = path
        self.clock = clock
        self.bounds = bounds
        self.appended = threading.Condition()
        self._queue: list[_Pending] = []
        self._queue_lock = threading.Lock()
        self._turn = threading.Lock()
        self._trimmed_at = 0.0
        refuse_network_file_system(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = self.connect()
        try:
            self._connection.executescript(f"PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        except sqlite3.Error as error:
            self._connection.close()
            raise self.explained(error) from error
        path.chmod(0o600)

    def connect(self) -> sqlite3.Connection:
        """A connection of one's own, for reading; every write goes through `write`."""
        try:
            connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA synchronous=FULL")
            # What was erased or trimmed must not stay readable in free pages.
            connection.execute("PRAGMA secure_delete=ON")
        except sqlite3.Error as error:
            raise self.explained(error) from error
        return connection

    def write(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Run `operation` in a durable transaction and return its result, or raise what it raised, without a trace of it.

        Operations of several threads that wait at the same moment share one commit to the disk.
        Raises BusUnavailable when the file cannot be written.
        """
        pending = _Pending(operation)
        with self._queue_lock:
            self._queue.append(pending)
        with self._turn:
            if not pending.done:
                with self._queue_lock:
                    together, self._queue = self._queue, []
                self._commit_together(together)
        if pending.error is not None:
            raise pending.error
        return pending.result  # type: ignore[no-any-return]

    def _commit_together(self, together: Sequence[_Pending]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for pending in together:
                self._connection.execute("SAVEPOINT operation")
                try:
                    pending.result = pending.operation(self._connection)
                except sqlite3.Error:
                    raise
                except Exception as error:  # noqa: BLE001 - raised again in the thread that asked for this operation
                    pending.error = error
                    self._connection.execute("ROLLBACK TO operation")
                self._connection.execute("RELEASE operation")
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            for pending in together:
                pending.error = pending.error or self.explained(error)
        except BaseException:
            for pending in together:
                pending.error = pending.error or BusUnavailable("the process is being stopped; nothing was written")
            raise
        finally:
            for pending in together:
                pending.done = True
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")

    def create(self, connection: sqlite3.Connection, topic: str, partitions: int) -> None:
        """Make a topic, unless it is there already, whatever its number of partitions."""
        if not self.partition_rows(connection, topic):
            connection.executemany(
                "INSERT INTO partitions (topic, partition) VALUES (?, ?)",
                [(topic, partition) for partition in range(partitions)],
            )

    def partition_rows(self, connection: sqlite3.Connection, topic: str) -> list[PartitionRow]:
        """The partitions of a topic in order; none when there is no such topic."""
        rows = connection.execute(
            "SELECT id, partition, first_offset, next_offset, bytes FROM partitions WHERE topic = ? ORDER BY partition",
            (topic,),
        )
        return [PartitionRow(*row) for row in rows]

    def append(self, connection: sqlite3.Connection, records: Sequence[tuple[Outgoing, int]]) -> None:
        """Write records in their order, each with the turn that places it where it has no key. All of them or none."""
        at = _microseconds(self.clock.now())
        for topic in dict.fromkeys(record.topic for record, _ in records):
            rows = self.partition_rows(connection, topic)
            if not rows:
                raise BusError(f"there is no topic {topic}: create it with ensure_topics before anything is sent")
            inserts: list[tuple[Any, ...]] = []
            ends = [row.next_offset for row in rows]
            added = [0] * len(rows)
            for record, turn in records:
                if record.topic != topic:
                    continue
                index = _place(record, turn, len(rows))
                headers = _encode_headers(record.headers)
                size = len(record.value) + len(record.key or b"") + len(headers)
                inserts.append(
                    (rows[index].id << OFFSET_BITS | ends[index], record.key, record.value, headers, at, size)
                )
                ends[index] += 1
                added[index] += size
            self._make_room(connection, topic, rows, len(inserts), sum(added))
            connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", inserts)
            connection.executemany(
                "UPDATE partitions SET next_offset = ?, bytes = bytes + ? WHERE id = ?",
                [(ends[index], added[index], row.id) for index, row in enumerate(rows)],
            )

    def read(
        self, connection: sqlite3.Connection, topic: str, row: PartitionRow, offset: int, limit: int
    ) -> tuple[list[Record], int]:
        """Up to `limit` records of a partition from `offset` on, and the offset to read at next.

        Erased records are passed over, so the next offset may lie further than the last record says.
        """
        start = row.id << OFFSET_BITS
        records: list[Record] = []
        size = 0
        for identifier, key, value, headers, at, stored in connection.execute(
            "SELECT id, key, value, headers, at, bytes FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            (start | offset, (row.id + 1) << OFFSET_BITS, limit),
        ):
            offset = identifier - start + 1
            if value is not None:
                decoded = _decode_headers(headers)
                records.append(Record(topic, row.partition, offset - 1, key, value, decoded, _instant(at)))
            size += stored
            if size > READ_BYTES:
                break
        return records, offset

    def trim(self, connection: sqlite3.Connection, topics: Collection[str] | None = None) -> int:
        """Delete what is older than the retention, at most some thousand records a partition; returns how many went."""
        cutoff = _microseconds(self.clock.now() - self.bounds.retention)
        trimmed = 0
        for name, *fields in connection.execute(
            "SELECT topic, id, partition, first_offset, next_offset, bytes FROM partitions"
        ).fetchall():
            row = PartitionRow(*fields)
            if topics is not None and name not in topics:
                continue
            (first_kept,) = connection.execute(
                "SELECT id FROM records WHERE id >= ? AND id < ? AND at >= ? ORDER BY id LIMIT 1",
                (row.id << OFFSET_BITS, (row.id + 1) << OFFSET_BITS, cutoff),
            ).fetchone() or (row.id << OFFSET_BITS | row.next_offset,)
            trimmed += self._delete_before(connection, row, first_kept - (row.id << OFFSET_BITS))
        return trimmed

    def trim_now_and_then(self, connection: sqlite3.Connection) -> None:
        """`trim`, once in a while: for those who write regularly anyway."""
        if time.monotonic() - self._trimmed_at > TRIM_EVERY_SECONDS:
            self._trimmed_at = time.monotonic()
            self.trim(connection)

    def erase(self, topic: str, key: bytes, containing: bytes) -> int:
        """Blank the records of `key` that contain `containing`, and let nothing of them linger in the write-ahead log."""
        with closing(self.connect()) as reader:
            ranges = [
                (row.id << OFFSET_BITS, (row.id + 1) << OFFSET_BITS) for row in self.partition_rows(reader, topic)
            ]
            found = [
                identifier
                for low, high in ranges
                for identifier, value in reader.execute(
                    "SELECT id, value FROM records WHERE id >= ? AND id < ? AND key = ? AND value IS NOT NULL",
                    (low, high, key),
                )
                if containing in value
            ]
        if not found:
            return 0

        def blank(connection: sqlite3.Connection) -> None:
            # The size stays as it was counted: bookkeeping by what was added keeps trimming exact.
            connection.executemany(
                "UPDATE records SET key = NULL, value = NULL, headers = '[]' WHERE id = ?", [(item,) for item in found]
            )

        self.write(blank)
        with self._turn, suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(found)

    def check(self) -> None:
        """Raise BusUnavailable unless the file can be read and, within the busy timeout, written."""
        if not self.path.exists():
            raise BusUnavailable(f"the bus's file {self.path} is gone: stop all processes, restore it or start without")
        self.write(lambda connection: connection.execute("SELECT 1 FROM partitions LIMIT 1").fetchone())

    def close(self) -> None:
        """Close the writing connection; the last one to close folds the write-ahead log into the file."""
        with self._turn:
            self._connection.close()

    def _make_room(
        self, connection: sqlite3.Connection, topic: str, rows: Sequence[PartitionRow], records: int, size: int
    ) -> None:
        def over(rows: Sequence[PartitionRow]) -> bool:
            held = sum(row.next_offset - row.first_offset for row in rows)
            return (
                held + records > self.bounds.max_records
                or sum(row.bytes for row in rows) + size > self.bounds.max_bytes
            )

        if not over(rows):
            return
        for row in rows:
            (read,) = connection.execute(
                "SELECT MIN(next_offset) FROM positions WHERE partition_id = ?", (row.id,)
            ).fetchone()
            self._delete_before(connection, row, row.first_offset if read is None else read, at_least=records)
        self.trim(connection, {topic})
        if over(self.partition_rows(connection, topic)):
            raise BusFull(self._who_is_slow(connection, topic, rows))

    def _delete_before(self, connection: sqlite3.Connection, row: PartitionRow, offset: int, at_least: int = 0) -> int:
        end = min(offset, row.first_offset + max(TRIM_CHUNK, at_least))
        if end <= row.first_offset:
            return 0
        span = (row.id << OFFSET_BITS | row.first_offset, row.id << OFFSET_BITS | end)
        (size,) = connection.execute("SELECT TOTAL(bytes) FROM records WHERE id >= ? AND id < ?", span).fetchone()
        connection.execute("DELETE FROM records WHERE id >= ? AND id < ?", span)
        connection.execute(
            "UPDATE partitions SET first_offset = ?, bytes = bytes - ? WHERE id = ?", (end, int(size), row.id)
        )
        return end - row.first_offset

    def _who_is_slow(self, connection: sqlite3.Connection, topic: str, rows: Sequence[PartitionRow]) -> str:
        slowest = connection.execute(
            "SELECT consumer_group, SUM(p.next_offset - MAX(positions.next_offset, p.first_offset)) AS unread "
            "FROM positions JOIN partitions AS p ON p.id = partition_id WHERE p.topic = ? "
            "GROUP BY consumer_group ORDER BY unread DESC LIMIT 1",
            (topic,),
        ).fetchone()
        held = sum(row.next_offset - row.first_offset for row in rows)
        reader = f"group {slowest[0]} has {slowest[1]} to read" if slowest else "no group reads it"
        return (
            f"{topic} is full with {held} records ({reader}); wait, see whether its reader runs, "
            "or raise bus.max_records and bus.max_megabytes"
        )

    def explained(self, error: sqlite3.Error) -> BusError:
        """The failure as the port has it, saying what to look at."""
        hint = (
            "is another process stuck in it, or the disk slow?"
            if "locked" in str(error)
            else "is the disk full or read-only?"
        )
        return BusUnavailable(f"the bus's file {self.path} cannot be used: {error}; {hint}")


class _Pending:
    """One write that waits for its turn on the disk."""

    def __init__(self, operation: Callable[[sqlite3.Connection], Any]) -> None:
        self.operation = operation
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False


def _place(record: Outgoing, turn: int, partitions: int) -> int:
    if record.partition is not None:
        if not 0 <= record.partition < partitions:
            raise BusError(f"{record.topic} has partitions 0 to {partitions - 1}, not {record.partition}")
        return record.partition
    return turn % partitions if record.key is None else partition_of(record.key, partitions)


def _encode_headers(headers: Headers) -> str:
    return json.dumps([(name, value.decode("latin-1")) for name, value in headers], separators=(",", ":"))


def _decode_headers(text: str) -> Headers:
    pairs: Iterable[tuple[str, str]] = json.loads(text)
    return tuple((name, value.encode("latin-1")) for name, value in pairs)


def _microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
