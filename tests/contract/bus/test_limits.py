"""Where the bus must refuse: it says so, and nothing is lost or skipped silently."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.brokers import await_condition
from tests.contract.bus.conftest import ROOM, Bench, commit, mentions, poll_until, publish, read_all, texts
from tocsin.bus.failures import BusFull, BusUnavailable, CannotErase, PositionGone
from tocsin.bus.port import Bus, Outgoing


def test_a_position_that_is_gone_stops_the_reader_loudly_and_can_be_mended(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abcdef", key="one"))
    first = bench.join(bus, "classify", "mentions")
    records = read_all(first, 6)
    commit(first, records[:2])
    first.close()
    bench.lose_all("mentions")
    second = bench.join(bench.open(), "classify", "mentions")
    with pytest.raises(PositionGone, match="Nothing was skipped silently") as caught:
        read_all(second, 1)
    second.close()
    gone = caught.value
    assert (gone.position, gone.partition) == (2, records[0].topic_partition)
    bus.move_group("classify", {gone.partition: gone.first if gone.position < gone.first else gone.end})
    publish(bus, mentions("g", key="one"))
    assert texts(read_all(bench.join(bus, "classify", "mentions"), 1)) == ["g"]


def test_a_full_bus_pushes_back_and_takes_records_again_later(bench: Bench, bus: Bus) -> None:
    reader = bench.join(bus, "classify", "mentions")
    reader.poll(0.1)
    producer = bench.small().producer()
    producer.send(Outgoing("mentions", b"k", b"first"))
    producer.flush()

    def flood() -> None:
        for _ in range(2 * ROOM // 100):
            with suppress(BusUnavailable):  # Kafka tells of an unanswered flush before its room is used up.
                for _ in range(100):
                    producer.send(Outgoing("mentions", b"k", b"x" * 1_000))
                producer.flush(timeout=0.05)

    with bench.stuck(), pytest.raises(BusFull, match="wait"):
        flood()

    def accepted() -> bool:
        # The reader catches up, and so the bus has room again.
        commit(reader, reader.poll(0.2))
        with suppress(BusFull, BusUnavailable):
            producer.send(Outgoing("mentions", b"k", b"last"))
            producer.flush()
            return True
        return False

    await_condition(accepted, "there is room again")
    poll_until(reader, lambda read: "last" in texts(read[0]), "the last record is read")


def test_erasing_blanks_a_persons_records_or_is_refused(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions(["by anna", "by ben"], key="brand"))
    if not bus.erases_in_place:
        with pytest.raises(CannotErase, match="retention"):
            bus.erase("mentions", b"brand", b"anna")
        return
    assert bus.erase("mentions", b"brand", b"anna") == 1
    assert bus.erase("mentions", b"brand", b"anna") == 0
    assert texts(read_all(bench.join(bus, "classify", "mentions"), 1)) == ["by ben"]


def test_positions_are_told_for_partitions_that_have_one(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    partition = bus.read("mentions")[0].topic_partition
    bus.move_group("desk", {partition: 2})
    assert bus.positions("desk", "mentions") == {partition.partition: 2}
    assert texts(read_all(bench.join(bus, "desk", "mentions"), 1)) == ["c"]


def test_a_bus_that_is_gone_is_told_with_what_to_check(bench: Bench) -> None:
    if bench.name == "embedded":
        pytest.skip("a file is there or is made")
    with bench.stuck(), pytest.raises(BusUnavailable, match="has not answered"):
        bench.open().check(timeout=0.5)
