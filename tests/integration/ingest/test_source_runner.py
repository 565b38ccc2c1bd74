"""A source runs where its lease is: in one process at a time, from where the last one stopped, and soon elsewhere when that dies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select

from services.ingest.delivering import Delivery
from services.ingest.leases import SourceLeases
from services.ingest.normalising import Normaliser
from services.ingest.publisher import InFlight, Publisher
from services.ingest.routing import Router
from services.ingest.runner import SourceRunner
from services.ingest.sources.files import BATCH_SIZE, FileSource
from services.ingest.sources.port import Batch, Cursor, RawMention, RawRemoval, Source, SourceUnavailable, Unreadable
from tests.brokers import await_condition
from tests.producers import RecordingProducer
from tocsin.clock import ManualClock
from tocsin.contracts.events import Mention, Removal, RemovalReason, mention_id
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.contracts.settings.sources import FileSource as FileSettings
from tocsin.observability.health import Health
from tocsin.storage.database import Database
from tocsin.storage.failures import DatabaseUnavailable
from tocsin.storage.leases import SourceLease
from tocsin.storage.tables.flow import SourceLeaseTable

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def raw(native_id: str) -> RawMention:
    fields = {"source": "forum", "native_id": native_id, "text": "Veloria", "published_at": "2026-03-01T11:59:00Z"}
    return RawMention(fields, place=native_id)


class Numbers:
    """A source that tells one mention a reading, numbered by its cursor."""

    kind = "numbers"
    every: float | None = 1.0

    def __init__(self, id: str = "numbers") -> None:
        self.id = id
        self.fail: Exception | None = None
        self.readings = 0
        self.more: tuple[RawRemoval | Unreadable, ...] = ()

    def read(self, cursor: Cursor | None, stop: threading.Event) -> Iterator[Batch]:
        self.readings += 1
        if self.fail is not None:
            raise self.fail
        number = int((cursor or {}).get("next", 0))
        yield Batch((raw(str(number)), *self.more), {"next": number + 1})


class SteppingClock(ManualClock):
    """A clock that moves by what it is asked to wait, until it is told to stand still."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.stand_still = threading.Event()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not self.stand_still.is_set():
            self.move(seconds)
            return event.is_set()
        return event.wait(30)


class Process:
    """An ingest process with one source: its own clock, its own bus, the database of all."""

    def __init__(
        self,
        database: Database,
        owner: str,
        clock: ManualClock,
        source: Source,
        leases: type[SourceLeases] = SourceLeases,
    ) -> None:
        self.clock = clock
        self.producer = RecordingProducer()
        router = Router([BrandSettings(id="veloria", names=("Veloria",))])
        in_flight = InFlight(clock)
        self.runner = SourceRunner(
            [source],
            leases(database, owner, clock.now),
            lambda source: Delivery(
                source, Publisher(self.producer, router, clock), Normaliser(lambda text: None), in_flight, clock
            ),
            clock=clock,
            health=Health(),
        )
        self.crash: BaseException | None = None
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.runner.run(self.stop)
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.crash = error

    def told(self) -> list[str]:
        """Native ids in the order in which they were put on the bus."""
        return [event.native_id for event in self.producer.events() if isinstance(event, Mention)]

    @contextmanager
    def running(self) -> Iterator[Process]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            self._thread.join(30)
            assert not self._thread.is_alive()


def move_until(clock: ManualClock, condition: Callable[[], bool], what: str, step: float = 1.0) -> None:
    """Let time pass, a second at once, until the condition holds."""

    def reached() -> bool:
        if condition():
            return True
        clock.move(step)
        return False

    await_condition(reached, what)


def is_read(source: str) -> bool:
    """Whether a thread reads the source."""
    return any(thread.name == f"source-{source}" for thread in threading.enumerate())


def is_done(database: Database, source: str) -> bool:
    """Whether the source's cursor says that it was read to its end."""
    with database.read() as session:
        cursor = session.scalar(select(SourceLeaseTable.cursor).where(SourceLeaseTable.source == source))
    return bool(cursor and cursor["finished"])


def test_a_source_runs_in_one_process_only(database: Database) -> None:
    clock = ManualClock(START)
    with Process(database, "one", clock, Numbers()).running() as one:
        move_until(clock, lambda: len(one.told()) >= 3, "the first process reads")
        with Process(database, "two", clock, Numbers()).running() as two:
            move_until(clock, lambda: len(one.told()) >= 15, "the first process reads on")
            assert two.told() == []
    assert one.told() == [str(number) for number in range(len(one.told()))]


def test_another_takes_over_at_once_where_one_stops_in_order(database: Database) -> None:
    clock = ManualClock(START)
    with Process(database, "one", clock, Numbers()).running() as one:
        move_until(clock, lambda: len(one.told()) >= 3, "the first process reads")
    with Process(database, "two", clock, Numbers()).running() as two:
        # No time passes here.
        await_condition(lambda: bool(two.told()), "the second process reads")
    assert two.told()[0] == str(len(one.told()))


def test_another_takes_over_within_30_seconds_where_one_dies(database: Database) -> None:
    clock = SteppingClock(START)
    dead = SourceLeases(database, "dead", clock.now)
    assert dead.acquire("numbers") is not None
    assert dead.save("numbers", {"next": 7})
    taken_at: list[datetime] = []

    class WatchedLeases(SourceLeases):
        def acquire(self, source: str) -> SourceLease | None:
            lease = super().acquire(source)
            if lease is not None:
                taken_at.append(clock.now())
                clock.stand_still.set()
            return lease

    two = Process(database, "two", clock, Numbers(), WatchedLeases)
    with two.running():
        await_condition(lambda: bool(two.told()), "the second process reads")
    assert taken_at[0] - START <= timedelta(seconds=30)
    assert two.told()[0] == "7"
    # The one that comes back from the dead (a machine that was paused) saves nothing any more.
    assert not dead.save("numbers", {"next": 0})


def test_who_lost_a_source_stops_reading_it(database: Database) -> None:
    clock = ManualClock(START)
    with Process(database, "one", clock, Numbers()).running() as one:
        move_until(clock, lambda: len(one.told()) >= 2, "the first process reads")
        # Another process, whose clock is far ahead, takes the lease.
        ahead = ManualClock(clock.now() + timedelta(minutes=50))
        thief = SourceLeases(database, "thief", ahead.now)
        assert thief.acquire("numbers") is not None
        move_until(clock, lambda: not is_read("numbers"), "the first process gives up")
    assert thief.save("numbers", {"next": 100})


def test_without_the_database_a_source_is_read_no_longer_than_its_lease(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(START)
    source = Numbers()
    with Process(database, "one", clock, source).running() as one:
        move_until(clock, lambda: len(one.told()) >= 2, "the process reads")

        attempts = []

        def away(self: SourceLeases, *arguments: object) -> None:
            attempts.append(clock.now())
            raise DatabaseUnavailable("the database is away")

        with monkeypatch.context() as broken:
            broken.setattr(SourceLeases, "acquire", away)
            broken.setattr(SourceLeases, "save", away)
            readings = source.readings
            move_until(clock, lambda: len(attempts) >= 15, "the process asks for the database again and again")
            assert source.readings <= readings + 1
        before = len(one.told())
        move_until(clock, lambda: len(one.told()) >= before + 3, "it reads on when the database is back")
    told = one.told()
    assert all(int(later) - int(earlier) in {0, 1} for earlier, later in pairwise(told))


def test_a_source_that_cannot_be_read_is_tried_ever_later_and_others_go_on(database: Database) -> None:
    clock = ManualClock(START)
    source = Numbers()
    source.fail = SourceUnavailable("nobody there", retry_after=100)
    with Process(database, "one", clock, source).running() as one:
        move_until(clock, lambda: source.readings >= 3, "it is tried again", step=10)
        assert clock.now() - START >= timedelta(seconds=200)
        source.fail = None
        move_until(clock, lambda: bool(one.told()), "it is read when it is there again", step=10)
    assert one.crash is None


def test_a_bug_in_a_source_ends_the_component(database: Database) -> None:
    source = Numbers()
    source.fail = KeyError("a bug")
    with Process(database, "one", ManualClock(START), source).running() as one:
        move_until(one.clock, lambda: one.crash is not None, "the crash is told")
    assert isinstance(one.crash, KeyError)


def test_a_full_bus_is_waited_for_and_the_cursor_stays_behind(database: Database) -> None:
    clock = ManualClock(START)
    process = Process(database, "one", clock, Numbers())
    process.producer.full_for = 5
    with process.running() as one:
        move_until(clock, lambda: len(one.told()) >= 2, "the bus takes them again", step=0.5)
    assert one.told()[:2] == ["0", "1"]


def test_removals_go_out_and_what_is_no_mention_is_set_aside(database: Database) -> None:
    source = Numbers()
    source.more = (RawRemoval("forum", "gone", 5), Unreadable("line 3", "is no JSON", b"{oops"))
    with Process(database, "one", ManualClock(START), source).running() as one:
        move_until(one.clock, lambda: bool(one.told()), "the source is read")
    assert one.producer.events("removals")[0] == Removal(
        id=mention_id("forum", "gone"), revision=5, why=RemovalReason.DELETED
    )
    aside = next(record for record in one.producer.flushed if record.topic == "mentions.dlq")
    headers = dict(aside.headers)
    assert aside.value == b"{oops"
    assert headers["error"] == b"is no JSON"
    assert headers["origin"] == b"numbers:line 3"


def test_a_file_is_read_once_whoever_reads_it(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "mentions.jsonl"
    count = BATCH_SIZE * 2 + 50
    lines = [json.dumps(dict(raw(str(number)).fields)) for number in range(count)]  # type: ignore[call-overload]
    lines[10] = "{broken"
    file.write_text("\n".join(lines))
    settings = FileSettings(kind="file", id="export", path=file)
    clock = ManualClock(START)
    # Somebody read the first batch before, saved that, and died.
    first = SourceLeases(database, "dead", clock.now)
    assert first.acquire("export") is not None
    assert first.save("export", {"lines": 100, "finished": False})
    first.release("export")
    with Process(database, "one", clock, FileSource(settings)).running() as one:
        move_until(clock, lambda: len(one.told()) >= count - 100, "the file is read to its end")
        move_until(clock, lambda: is_done(database, "export"), "the source is done")
    assert one.told() == [str(number) for number in range(100, count)]
    with Process(database, "two", clock, FileSource(settings)).running() as two:
        move_until(clock, lambda: not is_read("export"), "the second process finds it done")
    assert two.told() == []


def test_a_file_that_is_not_there_is_waited_for(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "later.jsonl"
    clock = ManualClock(START)
    source = FileSource(FileSettings(kind="file", id="later", path=file, brands=("veloria",), source="forum"))
    with Process(database, "one", clock, source).running() as one:
        for _ in range(10):
            clock.move(1)
        file.write_text('{"native_id": "1", "text": "x", "published_at": "2026-03-01T11:59:00Z"}')
        move_until(clock, lambda: one.told() == ["1"], "the file is read when it is there", step=10)
