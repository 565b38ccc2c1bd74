"""Records that nobody could read: kept with their bytes and the reason, to be looked at and, once mended, put back.

A dead letter is the record itself, on `<topic>.dlq`, with five more headers: `error`, `place`, `attempts`, `time` (RFC 3339)
and `origin` (`topic[partition]@offset`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from tocsin.bus.failures import InvalidRecord
from tocsin.bus.port import Bus, Headers, Outgoing, Record, TopicPartition
from tocsin.contracts.topics import DEAD_LETTER_SUFFIX, dead_letter_topic

REPLAY_GROUP = "dead-letter-replay"
"""The group whose position on a dead-letter topic says how far its records were put back."""

LONGEST_ERROR = 2_000
_OUR_HEADERS = frozenset({"error", "place", "attempts", "time", "origin"})


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter, for people. `topic` is where it came from; `record` lies on the dead-letter topic."""

    topic: str
    record: Record
    error: str
    place: str
    attempts: int
    time: str
    origin: str


def dead_letter(failure: InvalidRecord, *, attempts: int, at: datetime) -> Outgoing:
    """The record to write for a failure; `attempts` counts how often it was tried, `at` is now."""
    record = failure.record
    # No mention's text: reasons quote fields, and a reason as long as a novel would not fit beside the record.
    reason = failure.reason if len(failure.reason) <= LONGEST_ERROR else failure.reason[:LONGEST_ERROR] + "…"
    ours: Headers = (
        ("error", reason.encode("utf-8", "replace")),
        ("place", failure.place.encode()),
        ("attempts", str(attempts).encode()),
        ("time", at.isoformat().encode()),
        ("origin", f"{record.topic}[{record.partition}]@{record.offset}".encode()),
    )
    return Outgoing(dead_letter_topic(record.topic), record.key, record.value, _original_headers(record) + ours)


def list_dead_letters(bus: Bus, topics: Collection[str], *, limit: int = 1_000) -> list[DeadLetter]:
    """The dead letters of these topics that were not put back yet, oldest first within a topic."""
    return [letter for topic in topics for letter in _outstanding(bus, topic, limit)]


def replay_dead_letters(bus: Bus, topic: str, *, limit: int = 10_000) -> int:
    """Put a topic's outstanding dead letters back on it, in their order; returns how many.

    Publish, flush, then move on: broken off, it begins again with what was not surely put back. A letter that fails again
    comes back as a new dead letter. Raises BusFull and BusUnavailable.
    """
    letters = _outstanding(bus, topic, limit)
    if not letters:
        return 0
    producer = bus.producer()
    try:
        for letter in letters:
            record = letter.record
            producer.send(Outgoing(topic, record.key, record.value, _original_headers(record)))
        producer.flush()
    finally:
        producer.close()
    bus.move_group(REPLAY_GROUP, _after(letter.record for letter in letters))
    return len(letters)


def _outstanding(bus: Bus, topic: str, limit: int) -> list[DeadLetter]:
    source = dead_letter_topic(topic)
    bus.ensure_topics([source], partitions=1)
    return [_told(record) for record in bus.read(source, bus.positions(REPLAY_GROUP, source), limit)]


def _told(record: Record) -> DeadLetter:
    def header(name: str) -> str:
        return (record.header(name) or b"").decode("utf-8", "replace")

    return DeadLetter(
        topic=record.topic.removesuffix(DEAD_LETTER_SUFFIX),
        record=record,
        error=header("error"),
        place=header("place"),
        attempts=int(header("attempts") or 0),
        time=header("time"),
        origin=header("origin"),
    )


def _original_headers(record: Record) -> Headers:
    return tuple((name, value) for name, value in record.headers if name not in _OUR_HEADERS)


def _after(records: Iterable[Record]) -> dict[TopicPartition, int]:
    return {record.topic_partition: record.next_offset for record in records}
