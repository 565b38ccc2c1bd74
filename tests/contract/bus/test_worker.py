"""The worker loop on each bus: publish, flush, commit; its three ways to fail; draining; sharing with another worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.brokers import await_condition
from tests.contract.bus.conftest import Bench, mentions, publish, read_all, texts
from tocsin.bus.batch import Handler
from tocsin.bus.dead_letters import list_dead_letters, replay_dead_letters
from tocsin.bus.failures import InvalidRecord, InvalidRecords, Retryable, TooManyDeadLetters
from tocsin.bus.port import Bus, Outgoing, Record
from tocsin.bus.worker import Worker, WorkerLimits
from tocsin.clock import SystemClock

QUICK = WorkerLimits(
    batch_records=8, batch_wait_seconds=0.05, drain_seconds=5, first_pause_seconds=0.05, longest_pause_seconds=0.1
)


class Running:
    """A worker on a thread of its own, and how it ended."""

    def __init__(self, worker: Worker) -> None:
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._worker = worker
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._worker.run(self.stop)
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.error = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> None:
        """Ask it to stop and wait."""
        self.stop.set()
        await_condition(lambda: self.ended, "the worker has ended")


@contextmanager
def running(bus: Bus, handler: Handler, limits: WorkerLimits = QUICK) -> Iterator[Running]:
    """A worker of the group `classify` on `mentions` while this lasts; a crash that the test does not expect fails it."""
    found = Running(Worker(bus, "classify", ["mentions"], handler, SystemClock(), limits=limits))
    try:
        yield found
    finally:
        found.end()


def shout(records: Sequence[Record]) -> list[Outgoing]:
    """Every record in capitals on `classified`."""
    return [Outgoing("classified", record.key, record.value.upper()) for record in records]


def classified(bus: Bus) -> list[str]:
    return sorted(texts(bus.read("classified")))


@pytest.fixture
def bus(bus: Bus) -> Bus:
    """With somewhere to publish to."""
    bus.ensure_topics(["classified"], partitions=2)
    return bus


def left_to_read(bench: Bench, bus: Bus, marker: str) -> list[str]:
    """What the group has not committed, up to and without a marker that is written behind it."""
    publish(bus, mentions([marker], key="one"))
    consumer = bench.join(bus, "classify", "mentions")
    found: list[str] = []

    def marked() -> bool:
        found.extend(texts(consumer.poll(0.2)))
        return marker in found

    await_condition(marked, f"{marker} is read", seconds=60)
    return [text for text in found if text != marker]


def test_what_it_handles_is_published_and_then_committed(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abcdefghijkl", key="one"))
    with running(bus, shout) as worker:
        await_condition(lambda: classified(bus) == list("ABCDEFGHIJKL"), "all are published", 60)
    assert worker.error is None
    assert left_to_read(bench, bus, "end") == []


def test_records_of_a_partition_are_handled_in_their_order(bus: Bus) -> None:
    sent = [str(number) for number in range(30)]
    publish(bus, mentions(sent, key="one"))
    handled: list[str] = []

    def note(records: Sequence[Record]) -> list[Outgoing]:
        handled.extend(texts(records))
        return []

    with running(bus, note):
        await_condition(lambda: len(handled) == 30, "all are handled", 60)
    assert handled == sent


def test_a_retryable_failure_repeats_the_same_batch(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    attempts: list[list[str]] = []

    def reluctant(records: Sequence[Record]) -> list[Outgoing]:
        attempts.append(texts(records))
        if len(attempts) < 3:
            raise Retryable("the database is away")
        return shout(records)

    with running(bus, reluctant) as worker:
        await_condition(lambda: classified(bus) == ["A", "B", "C"], "all are published", 60)
    assert worker.error is None
    assert attempts[:3] == [["a", "b", "c"]] * 3
    assert left_to_read(bench, bus, "end") == []


def test_an_invalid_record_is_set_aside_and_the_rest_goes_on(bench: Bench, bus: Bus) -> None:
    publish(bus, [Outgoing("mentions", b"one", text.encode(), (("ce_id", text.encode()),)) for text in "a?b!"])

    def picky(records: Sequence[Record]) -> list[Outgoing]:
        for record in records:
            if record.value == b"?":
                raise InvalidRecord(record, "text: a question is no mention", "classify.decode")
        if bad := [record for record in records if record.value == b"!"]:
            raise InvalidRecords([InvalidRecord(record, "text: too loud", "classify.decode") for record in bad])
        return shout(records)

    with running(bus, picky) as worker:
        await_condition(lambda: classified(bus) == ["A", "B"], "the rest is published", 60)
    assert worker.error is None
    letters = list_dead_letters(bus, ["mentions"])
    assert [(letter.topic, letter.record.value, letter.error, letter.place) for letter in letters] == [
        ("mentions", b"?", "text: a question is no mention", "classify.decode"),
        ("mentions", b"!", "text: too loud", "classify.decode"),
    ]
    assert letters[0].record.key == b"one"
    assert letters[0].record.header("ce_id") == b"?"
    assert letters[0].attempts == 1
    assert letters[0].origin.endswith("@1")
    assert datetime.fromisoformat(letters[0].time).tzinfo == UTC
    assert left_to_read(bench, bus, "end") == []


def test_dead_letters_are_put_back_once_with_what_they_were(bench: Bench, bus: Bus) -> None:
    publish(bus, [Outgoing("mentions", b"one", b"?", (("ce_id", b"17"),))])
    mended = threading.Event()

    def strict_until_mended(records: Sequence[Record]) -> list[Outgoing]:
        if not mended.is_set():
            raise InvalidRecord(records[0], "unknown field", "classify.decode")
        return [Outgoing("classified", record.key, record.value, record.headers) for record in records]

    with running(bus, strict_until_mended):
        await_condition(lambda: len(list_dead_letters(bus, ["mentions"])) == 1, "it is set aside", 60)
        mended.set()
        assert replay_dead_letters(bus, "mentions") == 1
        await_condition(lambda: len(bus.read("classified")) == 1, "it is published after all", 60)
    (record,) = bus.read("classified")
    assert (record.key, record.value, record.headers) == (b"one", b"?", (("ce_id", b"17"),))
    assert list_dead_letters(bus, ["mentions"]) == []
    assert replay_dead_letters(bus, "mentions") == 0


def test_a_bug_ends_the_worker_and_nothing_of_its_batch_is_committed(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))

    def buggy(_: Sequence[Record]) -> list[Outgoing]:
        raise KeyError("brand")

    with running(bus, buggy) as worker:
        await_condition(lambda: worker.ended, "the worker has ended", 60)
    assert isinstance(worker.error, KeyError)
    assert classified(bus) == []
    assert left_to_read(bench, bus, "end") == ["a", "b", "c"]


def test_too_many_dead_letters_stop_the_worker_before_it_sets_them_aside(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions([f"bad {number}" for number in range(30)], key="one"))

    def refuse_all(records: Sequence[Record]) -> list[Outgoing]:
        raise InvalidRecords([InvalidRecord(record, "written by a broken release", "decode") for record in records])

    with running(bus, refuse_all) as worker:
        await_condition(lambda: worker.ended, "the worker has ended", 60)
    assert isinstance(worker.error, TooManyDeadLetters)
    assert "broken release" in str(worker.error)
    assert len(list_dead_letters(bus, ["mentions"])) < 20
    assert len(left_to_read(bench, bus, "end")) > 10


def test_asked_to_stop_it_finishes_what_it_has_in_hand(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    begun, go_on = threading.Event(), threading.Event()

    def slow(records: Sequence[Record]) -> list[Outgoing]:
        begun.set()
        assert go_on.wait(60)
        return shout(records)

    with running(bus, slow) as worker:
        assert begun.wait(60)
        worker.stop.set()
        go_on.set()
    assert worker.error is None
    assert classified(bus) == ["A", "B", "C"]
    assert left_to_read(bench, bus, "end") == []


def test_what_cannot_be_finished_in_time_is_left_to_the_next(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    begun, never = threading.Event(), threading.Event()

    def hanging(_: Sequence[Record]) -> list[Outgoing]:
        begun.set()
        never.wait(120)
        return []

    with running(bus, hanging, WorkerLimits(batch_wait_seconds=0.05, drain_seconds=0.1)) as worker:
        assert begun.wait(60)
    never.set()
    assert worker.error is None
    assert left_to_read(bench, bus, "end") == ["a", "b", "c"]


def test_handling_longer_than_the_session_keeps_the_membership(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("abc", key="one"))
    handled: list[str] = []
    session_seconds = 1.5 if bench.name == "embedded" else 6.0

    def long(records: Sequence[Record]) -> list[Outgoing]:
        handled.extend(texts(records))
        threading.Event().wait(session_seconds * 1.5)
        return shout(records)

    with running(bus, long) as worker:
        await_condition(lambda: classified(bus) == ["A", "B", "C"], "all are published", 60)
    assert worker.error is None
    assert handled == ["a", "b", "c"]
    assert left_to_read(bench, bus, "end") == []


def test_two_workers_share_and_nothing_is_lost_when_one_leaves(bench: Bench, bus: Bus) -> None:
    sent = [f"{number:03d}" for number in range(60)]
    with running(bus, shout):
        publish(bus, mentions(sent[:20]))
        with running(bench.open(), shout):
            publish(bus, mentions(sent[20:40]))
            await_condition(lambda: set(sent[:40]) <= set(classified(bus)), "two thirds are published", 90)
        publish(bus, mentions(sent[40:]))
        await_condition(lambda: set(sent) == set(classified(bus)), "all are published", 90)


@pytest.mark.parametrize("answer", ["none", "twice", "foreign"])
def test_calling_records_invalid_that_were_not_given_is_a_bug(bus: Bus, answer: str) -> None:
    publish(bus, mentions("a", key="one"))
    foreign = Record("mentions", 0, 99, None, b"", (), datetime(2026, 3, 2, tzinfo=UTC))
    answers: dict[str, Callable[[Record], list[Record]]] = {
        "none": lambda _: [],
        "twice": lambda record: [record, record],
        "foreign": lambda _: [foreign],
    }

    def confused(records: Sequence[Record]) -> list[Outgoing]:
        raise InvalidRecords([InvalidRecord(record, "?", "?") for record in answers[answer](records[0])])

    with running(bus, confused) as worker:
        await_condition(lambda: worker.ended, "the worker has ended", 60)
    assert isinstance(worker.error, ValueError)


def test_a_dead_letter_remembers_only_its_last_failure(bench: Bench, bus: Bus) -> None:
    publish(bus, mentions("?", key="one"))

    def refuse(records: Sequence[Record]) -> list[Outgoing]:
        raise InvalidRecord(records[0], "still unknown", "classify.decode")

    with running(bus, refuse):
        await_condition(lambda: len(list_dead_letters(bus, ["mentions"])) == 1, "it is set aside", 60)
        assert replay_dead_letters(bus, "mentions") == 1
        await_condition(lambda: len(bus.read("mentions.dlq")) == 2, "it is set aside again", 60)
    again = bus.read("mentions.dlq")[-1]
    assert [name for name, _ in again.headers].count("error") == 1
    assert texts(read_all(bench.join(bus, "archive", "mentions"), 2)) == ["?", "?"]
