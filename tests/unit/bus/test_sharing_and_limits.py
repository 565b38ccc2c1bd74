"""Pure decisions of the bus: where a key goes, who owns how much, when dead letters are too many, how long to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from tocsin.bus.batch import Batch, DeadLetterLimit
from tocsin.bus.dead_letters import LONGEST_ERROR, dead_letter
from tocsin.bus.embedded_group import fair_share
from tocsin.bus.embedded_log import partition_of
from tocsin.bus.failures import BusError, InvalidRecord, PositionGone, Retryable, TooManyDeadLetters
from tocsin.bus.local_disk import file_system_of
from tocsin.bus.opening import open_bus
from tocsin.bus.port import Outgoing, Record, TopicPartition
from tocsin.bus.reachability import what_to_check
from tocsin.bus.worker import WorkerLimits
from tocsin.clock import SystemClock
from tocsin.contracts.settings.bus import BusSettings, SaslSettings

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MOUNTS = """\
22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 27 0:40 / /srv/share rw,relatime shared:7 - nfs4 server:/export rw
32 31 0:41 / /srv/share/my\\040disk rw - xfs /dev/vdb rw
"""


def record(offset: int, partition: int = 0, value: bytes = b"x") -> Record:
    return Record("mentions", partition, offset, b"key", value, (), MONDAY)


def invalid(offset: int) -> InvalidRecord:
    return InvalidRecord(record(offset), "unreadable", "decode")


def test_the_partition_of_a_key_never_changes() -> None:
    # Pinned: a key that moved to another partition would lose its order against what is already written.
    assert [partition_of(key, 4) for key in (b"", b"acme", "société".encode(), b"\xff" * 16)] == PINNED


PINNED = [0, 1, 2, 3]


@pytest.mark.parametrize(("partitions", "members"), [(4, 1), (4, 2), (4, 3), (3, 4), (1, 2), (12, 5)])
def test_shares_differ_by_one_at_most_and_add_up_to_all(partitions: int, members: int) -> None:
    names = [f"member-{number}" for number in range(members)]
    shares = [fair_share(partitions, names, name) for name in names]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/lib/tocsin", "ext4"), ("/srv/share", "nfs4"), ("/srv/shared", "ext4"), ("/srv/share/my disk/bus", "xfs")],
)
def test_the_file_system_of_a_path_is_that_of_its_nearest_mount(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


def test_some_dead_letters_are_allowed_and_too_many_are_not() -> None:
    limit = DeadLetterLimit(0.2)
    limit.count(good=0, failures=[invalid(n) for n in range(19)])
    limit.count(good=100, failures=[invalid(19)])
    limit.count(good=900, failures=[])
    with pytest.raises(TooManyDeadLetters, match="dead_letter_limit"):
        limit.count(good=0, failures=[invalid(n) for n in range(201)])


def test_good_records_alone_never_stop_a_worker() -> None:
    limit = DeadLetterLimit(0.5)
    limit.count(good=1, failures=[invalid(n) for n in range(19)])
    limit.count(good=5, failures=[])


def test_a_batch_commits_behind_its_last_record_of_each_partition_that_is_still_ours() -> None:
    batch = Batch([record(4), record(5), record(9, partition=1)])
    assert batch.offsets() == {TopicPartition("mentions", 0): 6, TopicPartition("mentions", 1): 10}
    batch.abandon([TopicPartition("mentions", 1)])
    assert batch.offsets() == {TopicPartition("mentions", 0): 6}
    assert not batch.is_abandoned
    batch.abandon([TopicPartition("mentions", 0)])
    assert batch.is_abandoned


def test_a_batch_that_begins_anew_leaves_out_what_another_member_has_by_now() -> None:
    batch = Batch([record(4), record(9, partition=1)])
    seen: list[list[int]] = []

    def reluctant(records: object) -> list[Outgoing]:
        assert isinstance(records, list)
        seen.append([item.offset for item in records])
        if len(seen) == 1:
            raise Retryable("away")
        return []

    with pytest.raises(Retryable):
        batch.handle(reluctant, DeadLetterLimit(0.2), MONDAY)
    batch.abandon([TopicPartition("mentions", 1)])
    batch.handle(reluctant, DeadLetterLimit(0.2), MONDAY)
    assert seen == [[4, 9], [4]]
    assert batch.attempts == 2


def test_a_batch_that_was_handled_is_not_handled_again_when_its_publishing_is_repeated() -> None:
    batch = Batch([record(4)])
    answers = iter([[Outgoing("classified", b"k", b"v")]])
    first = batch.handle(lambda _: next(answers), DeadLetterLimit(0.2), MONDAY)
    assert batch.handle(lambda _: next(answers), DeadLetterLimit(0.2), MONDAY) == first


def test_a_dead_letter_is_the_record_with_its_reason_which_is_cut() -> None:
    failure = InvalidRecord(record(7, value=b"\xff{"), "x" * 10_000, "classify.decode")
    letter = dead_letter(failure, attempts=3, at=MONDAY)
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("mentions.dlq", b"key", b"\xff{")
    assert len(headers["error"].decode()) == LONGEST_ERROR + 1
    assert (headers["place"], headers["attempts"], headers["origin"]) == (b"classify.decode", b"3", b"mentions[0]@7")
    assert headers["time"] == b"2026-03-02T09:00:00+00:00"


def test_pauses_grow_up_to_a_bound() -> None:
    limits = WorkerLimits(first_pause_seconds=1, longest_pause_seconds=30)
    for failures, longest in [(1, 1), (2, 2), (4, 8), (50, 30)]:
        assert longest / 2 <= limits.pause(failures) <= longest


def test_a_position_that_is_gone_says_what_was_lost_and_how_to_go_on() -> None:
    trimmed = PositionGone("classify", TopicPartition("mentions", 2), position=5, first=90, end=100)
    assert "records 5 to 89 were trimmed" in str(trimmed)
    assert "to offset 90" in str(trimmed)
    anew = PositionGone("classify", TopicPartition("mentions", 2), position=500, first=0, end=100)
    assert "made anew" in str(anew)
    assert "to offset 100" in str(anew)


def test_settings_read_brokers_from_a_list_or_one_text() -> None:
    assert BusSettings(bootstrap_servers="a:9092, b:9093").bootstrap_servers == ("a:9092", "b:9093")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="no broker's address"):
        BusSettings(bootstrap_servers=("kafka.example.org",))


@pytest.mark.parametrize("seconds", [1, 900])
def test_settings_refuse_a_session_that_no_broker_takes(seconds: int) -> None:
    with pytest.raises(ValidationError, match="session_timeout"):
        BusSettings(session_timeout=timedelta(seconds=seconds))


def test_kafka_without_a_broker_says_where_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="KAFKA_BOOTSTRAP_SERVERS"):
        open_bus(BusSettings(kind="kafka"), home=tmp_path, retention=timedelta(days=7), clock=SystemClock())


def test_a_wrong_password_is_told_as_such_and_not_repeated() -> None:
    sasl = SaslSettings(username="tocsin", password="hunter2")  # type: ignore[arg-type]
    told = what_to_check(["k:9092"], tls=False, sasl=sasl, refusal="Authentication failed")
    assert "refuses user 'tocsin'" in told
    assert "bus.sasl.password" in told
    assert "hunter2" not in told
