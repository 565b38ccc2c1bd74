"""Consumer groups: members share the partitions, take over from each other, and go on where the group has committed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Collection

import pytest

from tests.contract.bus.conftest import Bench, commit, mentions, poll_until, publish, read_all, texts
from tocsin.bus.failures import NotOwner
from tocsin.bus.port import Bus, Consumer, TopicPartition

ALL = frozenset(TopicPartition("mentions", number) for number in range(4))


def share(first: Consumer, second: Consumer) -> None:
    """Poll both until each owns two partitions."""
    poll_until(
        [first, second],
        lambda _: (len(first.assignment()), len(second.assignment())) == (2, 2),
        "each member owns two partitions",
    )
    assert first.assignment() | second.assignment() == ALL


def test_a_new_group_begins_at_the_beginning(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc"))
    assert sorted(texts(read_all(bench.join(bus, "late", "mentions"), 3))) == ["a", "b", "c"]


def test_groups_do_not_disturb_each_other(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc"))
    first = bench.join(bus, "classify", "mentions")
    commit(first, read_all(first, 3))
    assert sorted(texts(read_all(bench.join(bus, "archive", "mentions"), 3))) == ["a", "b", "c"]


def test_a_group_goes_on_where_it_has_committed(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abcdef", key="one"))
    first = bench.join(bus, "classify", "mentions")
    records = read_all(first, 6)
    commit(first, records[:4])
    first.close()
    publish(bus, mentions("g", key="one"))
    assert texts(read_all(bench.join(bus, "classify", "mentions"), 3)) == ["e", "f", "g"]


def test_what_was_read_but_not_committed_is_delivered_again(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    first = bench.join(bus, "classify", "mentions")
    read_all(first, 3)
    first.close()
    assert texts(read_all(bench.join(bus, "classify", "mentions"), 3)) == ["a", "b", "c"]


def test_what_a_killed_process_had_in_hand_is_delivered_again(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    command = [sys.executable, "-m", "tests.contract.bus.doomed", "classify", "mentions", *bench.address()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline().strip() in {"1", "2", "3"}
        doomed.send_signal(signal.SIGKILL)
    assert texts(read_all(bench.join(bus, "classify", "mentions"), 3)) == ["a", "b", "c"]


def test_a_second_member_takes_its_share_and_the_first_is_told(bench: Bench, bus: Bus) -> None:
    told: list[tuple[str, list[TopicPartition]]] = []

    def assigned(partitions: Collection[TopicPartition]) -> None:
        told.append(("assigned", sorted(partitions)))

    def revoked(partitions: Collection[TopicPartition]) -> None:
        told.append(("revoked", sorted(partitions)))

    first = bench.join(bus, "classify", "mentions", on_assigned=assigned, on_revoked=revoked)
    poll_until(first, lambda _: first.assignment() == ALL, "the first member owns everything")
    assert [what for what, _ in told] == ["assigned"]
    second = bench.join(bench.open(), "classify", "mentions")
    share(first, second)
    gone = {partition for what, partitions in told if what == "revoked" for partition in partitions}
    assert gone >= second.assignment()


def test_members_that_share_read_every_record_once(bench: Bench, bus: Bus) -> None:
    first, second = (bench.join(bench.open(), "classify", "mentions") for _ in range(2))
    share(first, second)
    sent = [str(number) for number in range(40)]
    publish(bus, mentions(sent))
    read = poll_until([first, second], lambda read: sum(map(len, read)) >= 40, "40 records are read")
    assert sorted(texts(read[0] + read[1])) == sorted(sent)
    assert all(read)


def test_who_remains_takes_over_what_a_leaving_member_had_in_hand(bench: Bench, bus: Bus) -> None:
    first, second = (bench.join(bench.open(), "classify", "mentions") for _ in range(2))
    share(first, second)
    publish(bus, mentions([str(number) for number in range(40)]))
    _, of_second = poll_until([first, second], lambda read: sum(map(len, read)) >= 40, "40 records are read")
    commit(second, of_second[:1], [first])
    second.close()
    (again,) = poll_until(first, lambda read: len(read[0]) >= len(of_second) - 1, "the rest is read again")
    assert sorted(texts(again)) == sorted(texts(of_second[1:]))
    assert first.assignment() == ALL


def test_a_commit_after_losing_the_partition_is_refused(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions([str(number) for number in range(40)]))
    first = bench.join(bus, "classify", "mentions")
    records = read_all(first, 40)
    second = bench.join(bench.open(), "classify", "mentions")
    share(first, second)
    lost = [record for record in records if record.topic_partition in second.assignment()]
    with pytest.raises(NotOwner, match="nothing was committed"):
        commit(first, lost, [second])
    kept = [record for record in records if record.topic_partition in first.assignment()]
    commit(first, kept, [second])


def test_a_member_that_left_owns_nothing(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("a"))
    first = bench.join(bus, "classify", "mentions")
    read_all(first, 1)
    first.close()
    second = bench.join(bus, "classify", "mentions")
    read_all(second, 1)
    assert second.assignment() == ALL


def test_paused_partitions_are_silent_until_resumed_and_the_member_stays(bench: Bench, bus: Bus) -> None:
    first = bench.join(bus, "classify", "mentions")
    poll_until(first, lambda _: first.assignment() == ALL, "it owns everything")
    first.pause(first.assignment())
    publish(bus, mentions("abc"))
    for _ in range(5):
        assert first.poll(0.2) == []
    first.resume(first.assignment())
    assert sorted(texts(read_all(first, 3))) == ["a", "b", "c"]


def test_a_member_can_read_again_from_an_earlier_place(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    first = bench.join(bus, "classify", "mentions")
    records = read_all(first, 3)
    first.rewind({records[0].topic_partition: records[1].offset})
    assert texts(read_all(first, 2)) == ["b", "c"]


def test_lag_is_what_the_group_has_not_committed(bench: Bench, bus: Bus) -> None:
    for letter in "abc":
        publish(bus, mentions(letter, key="one"))
    first = bench.join(bus, "classify", "mentions")
    records = read_all(first, 3)
    assert sum(first.lag().values()) == 3
    commit(first, records[:2])
    assert sum(first.lag().values()) == 1
    assert first.lag().keys() == ALL


def test_one_poll_brings_no_more_than_it_may(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions([str(number) for number in range(50)]))
    first = bench.join(bus, "classify", "mentions", max_records=7)
    (read,) = poll_until(first, lambda read: bool(read[0]), "the first records are read")
    while len(read) < 50:
        some = first.poll(10.0)
        assert 0 < len(some) <= 7
        read += some
    assert len(read) == 50
