"""What only the embedded log promises: its file, its leases, its bounds, several processes at once, and forgetting for good."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.bus import local_disk
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.embedded_log import Bounds
from tocsin.bus.failures import BusError, BusFull, BusUnavailable, NotOwner, PositionGone
from tocsin.bus.port import Consumer, Outgoing, Record, TopicPartition
from tocsin.clock import ManualClock

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WEEK = timedelta(days=7).total_seconds()
LEASE_SECONDS = 10.0

WRITER = """
import sys
from pathlib import Path
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.port import Outgoing
from tocsin.clock import SystemClock
bus = EmbeddedBus(Path(sys.argv[1]), SystemClock())
producer = bus.producer()
for number in range(200):
    producer.send(Outgoing("mentions", sys.argv[2].encode(), str(number).encode()))
    if number % 10 == 9:
        producer.flush()
"""
READER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
still = ManualClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
bus = EmbeddedBus(Path(sys.argv[1]), still, lease_clock=still)
consumer = bus.consumer("classify", ["mentions"])
while not consumer.poll(1.0):
    pass
print("read", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MONDAY)


@pytest.fixture
def lease_clock() -> ManualClock:
    return ManualClock(MONDAY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "bus.sqlite"


@pytest.fixture
def bus(path: Path, clock: ManualClock, lease_clock: ManualClock) -> Iterator[EmbeddedBus]:
    bus = opened(path, clock, lease_clock)
    yield bus
    bus.close()


def opened(path: Path, clock: ManualClock, lease_clock: ManualClock, bounds: Bounds | None = None) -> EmbeddedBus:
    bus = EmbeddedBus(path, clock, bounds=bounds, lease_seconds=LEASE_SECONDS, lease_clock=lease_clock)
    bus.ensure_topics(["mentions"], partitions=2)
    return bus


def publish(bus: EmbeddedBus, *values: str, key: bytes = b"key") -> None:
    producer = bus.producer()
    for value in values:
        producer.send(Outgoing("mentions", key, value.encode()))
    producer.flush()


def texts(records: list[Record]) -> list[str]:
    return [record.value.decode() for record in records]


def take_all(consumer: Consumer) -> list[Record]:
    """What is there now, of both partitions."""
    return consumer.poll(0.0) + consumer.poll(0.0)


def test_the_file_is_for_its_owner_only(bus: EmbeddedBus, path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0


def test_records_survive_closing_and_opening(
    bus: EmbeddedBus, path: Path, clock: ManualClock, lease_clock: ManualClock
) -> None:
    publish(bus, "a", "b")
    bus.close()
    assert texts(list(opened(path, clock, lease_clock).read("mentions"))) == ["a", "b"]


def test_a_record_is_stamped_by_the_clock_it_was_given(bus: EmbeddedBus, clock: ManualClock) -> None:
    clock.move(90.5)
    publish(bus, "a")
    assert bus.read("mentions")[0].at == MONDAY + timedelta(seconds=90.5)


def test_many_threads_write_at_once_and_nothing_is_lost_or_mixed_up(bus: EmbeddedBus) -> None:
    def write(name: int) -> None:
        for number in range(20):
            publish(bus, f"{name}:{number}", key=str(name).encode())

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = texts(list(bus.read("mentions")))
    assert len(written) == 160
    for name in range(8):
        assert [text for text in written if text.startswith(f"{name}:")] == [f"{name}:{n}" for n in range(20)]


def test_several_processes_write_at_once(bus: EmbeddedBus, path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for key in (b"a", b"b"):
        of_key = [int(record.value) for record in bus.read("mentions") if record.key == key]
        assert of_key == list(range(200))


def test_a_flush_is_written_as_a_whole_or_not_at_all(bus: EmbeddedBus) -> None:
    producer = bus.producer()
    producer.send(Outgoing("mentions", b"key", b"good"))
    producer.send(Outgoing("rumours", b"key", b"bad"))
    with pytest.raises(BusError, match="no topic rumours"):
        producer.flush()
    producer.flush()
    assert bus.read("mentions") == []


def test_a_lease_that_ran_out_goes_to_another_member_and_its_old_owner_may_not_commit(
    bus: EmbeddedBus, lease_clock: ManualClock
) -> None:
    publish(bus, "a", "b")
    sleeper = bus.consumer("classify", ["mentions"])
    records = take_all(sleeper)
    lease_clock.move(LEASE_SECONDS + 1)
    taker = bus.consumer("classify", ["mentions"])
    assert texts(take_all(taker)) == ["a", "b"]
    offsets = {record.topic_partition: record.next_offset for record in records}
    with pytest.raises(NotOwner):
        sleeper.commit(offsets)
    taker.commit(offsets)


def test_what_a_killed_process_had_is_taken_over_at_once_while_its_lease_still_runs(
    bus: EmbeddedBus, path: Path
) -> None:
    publish(bus, "a")
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"read\n"
        taker = bus.consumer("classify", ["mentions"])
        assert take_all(taker) == []
        reader.kill()
    again = bus.consumer("classify", ["mentions"])
    taker.close()
    assert texts(take_all(again)) == ["a"]


def test_a_lease_that_ran_out_but_that_nobody_took_still_counts(bus: EmbeddedBus, lease_clock: ManualClock) -> None:
    publish(bus, "a")
    sleeper = bus.consumer("classify", ["mentions"])
    (record,) = take_all(sleeper)
    lease_clock.move(10 * LEASE_SECONDS)
    sleeper.commit({record.topic_partition: record.next_offset})
    assert bus.positions("classify", "mentions")[record.partition] == 1


def test_a_commit_for_several_partitions_is_made_as_a_whole_or_not_at_all(bus: EmbeddedBus) -> None:
    owner = bus.consumer("classify", ["mentions"])
    owner.poll(0.0)
    with pytest.raises(NotOwner):
        owner.commit({TopicPartition("mentions", 0): 7, TopicPartition("mentions", 9): 7})
    assert bus.positions("classify", "mentions") == {0: 0, 1: 0}


def test_what_every_group_has_read_makes_room_and_what_one_has_not_stays(
    path: Path, clock: ManualClock, lease_clock: ManualClock
) -> None:
    bus = opened(path, clock, lease_clock, Bounds(max_records=10))
    quick, slow = (bus.consumer(group, ["mentions"]) for group in ("quick", "slow"))
    publish(bus, *"abcdefgh")
    for consumer, done in ((quick, 8), (slow, 5)):
        partition = take_all(consumer)[0].topic_partition
        consumer.commit({partition: done})
    publish(bus, *"ijkl")
    assert texts(list(bus.read("mentions"))) == list("fghijkl")
    with pytest.raises(BusFull, match="group slow has 7 to read"):
        publish(bus, *"mnop")
    assert texts(take_all(slow)) == list("ijkl")


def test_a_topic_that_nobody_reads_yet_keeps_everything_until_it_is_full(
    path: Path, clock: ManualClock, lease_clock: ManualClock
) -> None:
    bus = opened(path, clock, lease_clock, Bounds(max_records=3))
    publish(bus, *"abc")
    with pytest.raises(BusFull, match="no group reads it"):
        publish(bus, "d")
    assert texts(list(bus.read("mentions"))) == ["a", "b", "c"]


def test_bytes_are_bounded_too(path: Path, clock: ManualClock, lease_clock: ManualClock) -> None:
    bus = opened(path, clock, lease_clock, Bounds(max_bytes=1_000))
    publish(bus, "x" * 900)
    with pytest.raises(BusFull):
        publish(bus, "x" * 900)


def test_what_is_past_the_retention_goes_even_unread_and_its_reader_is_told(
    bus: EmbeddedBus, clock: ManualClock
) -> None:
    reader = bus.consumer("classify", ["mentions"])
    reader.poll(0.0)
    publish(bus, "a", "b")
    clock.move(WEEK - 1)
    publish(bus, "c")
    assert bus.trim() == 0
    clock.move(2)
    assert bus.trim() == 2
    assert texts(list(bus.read("mentions"))) == ["c"]
    with pytest.raises(PositionGone, match="records 0 to 1 were trimmed"):
        take_all(reader)


def test_erased_records_leave_no_trace_in_the_file(bus: EmbeddedBus, path: Path) -> None:
    publish(bus, "written by anna verdi", "x" * 5_000 + " by anna verdi", "written by ben")
    assert bus.erase("mentions", b"key", b"anna verdi") == 2
    for file in path.parent.iterdir():
        assert b"anna" not in file.read_bytes()
    assert texts(list(bus.read("mentions"))) == ["written by ben"]


def test_erasing_leaves_other_keys_and_the_bookkeeping_alone(
    path: Path, clock: ManualClock, lease_clock: ManualClock
) -> None:
    bus = opened(path, clock, lease_clock, Bounds(max_bytes=1_000))
    publish(bus, "x" * 400, key=b"one")
    publish(bus, "y" * 400, key=b"two")
    assert bus.erase("mentions", b"one") == 1
    assert texts(list(bus.read("mentions"))) == ["y" * 400]
    clock.move(WEEK + 1)
    assert bus.trim() == 2
    publish(bus, "z" * 900)


def test_a_reader_goes_on_past_erased_records(bus: EmbeddedBus) -> None:
    publish(bus, "a", "b")
    bus.erase("mentions", b"key")
    reader = bus.consumer("classify", ["mentions"])
    assert take_all(reader) == []
    publish(bus, "c")
    (record,) = take_all(reader)
    assert (record.value, record.offset) == (b"c", 2)


def test_a_network_file_system_is_refused(path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_disk, "file_system_of", lambda *_: "nfs4")
    with pytest.raises(BusError, match="network file system"):
        EmbeddedBus(path, clock)
    assert not path.exists()


def test_a_file_that_is_no_log_is_told_by_its_name(path: Path, clock: ManualClock) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(BusUnavailable, match="cannot be used"):
        EmbeddedBus(path, clock)


def test_a_file_that_was_taken_away_is_noticed(bus: EmbeddedBus, path: Path) -> None:
    bus.check()
    path.unlink()
    with pytest.raises(BusUnavailable, match="is gone"):
        bus.check()
