"""What is written comes out as it went in, in order, where its key puts it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, timedelta

import pytest

from tests.contract.bus.conftest import Bench, mentions, publish, read_all, texts
from tocsin.bus.failures import BusError, RecordTooLarge
from tocsin.bus.port import MAX_RECORD_BYTES, Bus, Outgoing


def test_a_record_comes_out_as_it_went_in(bench: Bench, bus: Bus) -> None:
    headers = (("ce_id", b"17"), ("ce_type", "mention.créée".encode()), ("ce_id", b"\x00\xff"))
    publish(bus, [Outgoing("mentions", b"key \xff", "un bad buzz ☠".encode(), headers)])
    (record,) = read_all(bench.join(bus, "readers", "mentions"), 1)
    assert (record.topic, record.key, record.value) == ("mentions", b"key \xff", "un bad buzz ☠".encode())
    assert record.headers == headers
    assert record.header("ce_id") == b"\x00\xff"
    assert record.header("unknown") is None
    assert record.at.tzinfo == UTC
    assert (record.offset, record.next_offset) == (0, 1)


def test_records_of_a_key_stay_on_one_partition_and_in_their_order(bench: Bench, bus: Bus) -> None:
    for start in range(0, 60, 20):
        publish(
            bus, [Outgoing("mentions", f"brand-{n % 7}".encode(), str(n).encode()) for n in range(start, start + 20)]
        )
    records = read_all(bench.join(bus, "readers", "mentions"), 60)
    by_key = defaultdict(list)
    for record in records:
        by_key[record.key].append(record)
    assert len(by_key) == 7
    for of_key in by_key.values():
        assert len({record.partition for record in of_key}) == 1
        numbers = [int(record.value) for record in of_key]
        assert numbers == sorted(numbers)
    assert len({record.partition for record in records}) > 1


def test_an_explicit_partition_wins_over_the_key(bench: Bench, bus: Bus) -> None:
    publish(bus, [Outgoing("mentions", b"tick", str(n).encode(), partition=n) for n in range(4)])
    records = read_all(bench.join(bus, "readers", "mentions"), 4)
    assert {record.partition: int(record.value) for record in records} == {0: 0, 1: 1, 2: 2, 3: 3}


def test_a_partition_that_is_not_there_is_refused(bus: Bus) -> None:
    with pytest.raises(BusError, match="partition"):
        publish(bus, [Outgoing("mentions", b"tick", b"", partition=4)])


def test_records_without_a_key_are_all_delivered(bench: Bench, bus: Bus) -> None:
    publish(bus, [Outgoing("mentions", None, str(n).encode()) for n in range(20)])
    assert sorted(map(int, texts(read_all(bench.join(bus, "readers", "mentions"), 20)))) == list(range(20))


def test_nothing_is_there_before_the_flush_and_everything_after_it(bus: Bus) -> None:
    producer = bus.producer()
    for record in mentions("abc"):
        producer.send(record)
    producer.flush()
    assert sorted(texts(bus.read("mentions"))) == ["a", "b", "c"]


def test_a_record_that_is_too_large_is_refused_and_the_producer_goes_on(bus: Bus) -> None:
    producer = bus.producer()
    with pytest.raises(RecordTooLarge, match="shorten"):
        producer.send(Outgoing("mentions", b"key", b"x" * MAX_RECORD_BYTES))
    producer.send(Outgoing("mentions", b"key", b"x" * (MAX_RECORD_BYTES - 3)))
    producer.flush()
    assert [len(record.value) for record in bus.read("mentions")] == [MAX_RECORD_BYTES - 3]


def test_an_unknown_topic_is_refused_by_name(bench: Bench, bus: Bus) -> None:
    with pytest.raises(BusError, match="no topic rumours"):
        bus.partitions("rumours")
    with pytest.raises(BusError, match="no topic rumours"):
        publish(bus, [Outgoing("rumours", b"k", b"v")])
    with pytest.raises(BusError, match="no topic rumours"):
        bench.join(bus, "readers", "rumours").poll(0.1)


def test_a_topic_that_exists_keeps_its_partitions_and_records(bus: Bus) -> None:
    publish(bus, mentions(["kept"]))
    bus.ensure_topics(["mentions", "removals"], partitions=2)
    assert (bus.partitions("mentions"), bus.partitions("removals")) == (4, 2)
    assert texts(bus.read("mentions")) == ["kept"]


def test_reading_without_a_group_begins_where_asked_and_stops_at_the_limit(bus: Bus) -> None:
    publish(bus, mentions([str(n) for n in range(10)], key="one"))
    partition = bus.read("mentions")[0].partition
    assert texts(bus.read("mentions", {partition: 7})) == ["7", "8", "9"]
    assert texts(bus.read("mentions", limit=4)) == ["0", "1", "2", "3"]
    assert list(bus.read("mentions", {partition: 10})) == []


def test_a_record_tells_when_it_was_written(bus: Bus) -> None:
    publish(bus, mentions(["first"]))
    publish(bus, mentions(["second"]))
    first, second = sorted(bus.read("mentions"), key=lambda record: record.value)
    assert timedelta(0) <= second.at - first.at < timedelta(minutes=1)


def test_it_answers_when_asked_whether_it_is_there(bus: Bus) -> None:
    bus.check(timeout=10)
