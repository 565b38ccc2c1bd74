"""Leases, due brands and the outbox, as several processes use them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.alert.relay import LEASE, Relay
from tests.records import NOON
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.failures import BusUnavailable
from tocsin.bus.port import Outgoing
from tocsin.clock import ManualClock
from tocsin.contracts import topics
from tocsin.contracts.codec import decode, encode_incident
from tocsin.contracts.incidents import IncidentEvent, IncidentEventType, IncidentState, Level
from tocsin.observability.health import Health
from tocsin.storage import brands, leases, outbox
from tocsin.storage.database import Database

MINUTE = timedelta(minutes=1)


def take(database: Database, owner: str, *, after: timedelta = timedelta(0)) -> bool:
    with database.unit_of_work() as session:
        return leases.acquire(session, "relay", owner, now=NOON + after, length=MINUTE)


def test_a_lease_has_one_holder_until_it_runs_out(database: Database) -> None:
    assert take(database, "first")
    assert not take(database, "second")
    assert take(database, "first", after=MINUTE / 2)
    assert not take(database, "second", after=MINUTE)
    assert take(database, "second", after=MINUTE * 2)
    assert not take(database, "first", after=MINUTE * 2)


def test_a_lease_that_is_given_back_is_free_and_only_its_holder_can_give_it_back(database: Database) -> None:
    take(database, "first")
    with database.unit_of_work() as session:
        leases.release(session, "relay", "second")
        assert leases.holder(session, "relay", now=NOON) == "first"
        leases.release(session, "relay", "first")
        assert leases.holder(session, "relay", now=NOON) is None
    assert take(database, "second")


def test_many_that_want_a_lease_at_once_leave_it_to_one(database: Database) -> None:
    won: list[str] = []

    def want(owner: str) -> None:
        if take(database, owner):
            won.append(owner)

    threads = [threading.Thread(target=want, args=(f"process-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1


def test_a_source_goes_on_where_its_last_reader_stopped_and_a_late_cursor_is_refused(database: Database) -> None:
    with database.unit_of_work() as session:
        first = leases.acquire_source(session, "news", "first", now=NOON, length=MINUTE)
        assert first is not None
        assert first.cursor is None
        assert leases.save_cursor(session, "news", "first", {"line": 10})
        assert leases.acquire_source(session, "news", "second", now=NOON, length=MINUTE) is None
    with database.unit_of_work() as session:
        second = leases.acquire_source(session, "news", "second", now=NOON + MINUTE, length=MINUTE)
        assert second is not None
        assert second.cursor == {"line": 10}
        assert not leases.save_cursor(session, "news", "first", {"line": 20})
        leases.release_source(session, "news", "second", now=NOON + MINUTE)
        again = leases.acquire_source(session, "news", "first", now=NOON + MINUTE, length=MINUTE)
        assert again is not None
        assert again.cursor == {"line": 10}


def claim(database: Database, owner: str, *, after: timedelta = timedelta(0), limit: int = 10) -> Sequence[str]:
    with database.unit_of_work() as session:
        return brands.claim_due(session, owner, now=NOON + after, length=MINUTE, limit=limit)


def test_due_brands_are_claimed_once_the_longest_due_first(database: Database) -> None:
    with database.unit_of_work() as session:
        brands.ensure(session, ["newer"], due_at=NOON)
        brands.ensure(session, ["older", "newer"], due_at=NOON - MINUTE)
        brands.ensure(session, ["later"], due_at=NOON + MINUTE)
    assert claim(database, "first", limit=1) == ["older"]
    assert claim(database, "second") == ["newer"]
    assert claim(database, "third") == []
    # Two claims have run out, because their owners died; the third brand is due by now.
    assert claim(database, "third", after=MINUTE) == ["later", "newer", "older"]


def test_evaluators_that_claim_at_once_share_the_brands(database: Database) -> None:
    ids = [f"brand-{number:02}" for number in range(20)]
    with database.unit_of_work() as session:
        brands.ensure(session, ids, due_at=NOON)
    claimed: list[str] = []

    def work(owner: str) -> None:
        while found := claim(database, owner, limit=3):
            claimed.extend(found)

    threads = [threading.Thread(target=work, args=(f"process-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(claimed) == ids


def test_a_judgement_is_on_the_board_and_lets_go_of_the_claim(database: Database) -> None:
    with database.unit_of_work() as session:
        brands.ensure(session, ["acme"], due_at=NOON)
    assert claim(database, "first") == ["acme"]
    with database.unit_of_work() as session:
        assert brands.lock(session, "acme", now=NOON).state is None
        brands.save(
            session,
            "acme",
            due_at=NOON + 5 * MINUTE,
            state={"calm": 2},
            level=Level.ORANGE,
            score=61.5,
            evaluated_at=NOON,
            complete_up_to=NOON - MINUTE,
            reasons={"en": "38 harmful mentions"},
            evidence={"N": 38},
        )
    with database.read() as session:
        [status] = brands.board(session)
    assert (status.level, status.score, status.state) == (Level.ORANGE, 61.5, {"calm": 2})
    assert status.complete_up_to == NOON - MINUTE
    assert claim(database, "second", after=MINUTE) == []
    with database.unit_of_work() as session:
        brands.hurry(session, ["acme"], due_at=NOON + MINUTE)
    assert claim(database, "second", after=MINUTE) == ["acme"]


def happen(database: Database, incident: UUID, *sequences: int) -> None:
    for sequence in sequences:
        event = IncidentEvent(
            incident_id=incident,
            sequence=sequence,
            type=IncidentEventType.NOTED,
            at=NOON,
            brand="acme",
            level=Level.ORANGE,
            state=IncidentState.TRIGGERED,
            actor="timer",
        )
        with database.unit_of_work() as session:
            outbox.append(session, encode_incident(event, source="test", at=NOON), at=NOON)


def published(bus: EmbeddedBus) -> list[IncidentEvent]:
    events = [decode(item.value, item.headers).event for item in bus.read(topics.INCIDENTS)]
    return [event for event in events if isinstance(event, IncidentEvent)]


class FailingProducer:
    """A producer whose bus goes away before anything is durable, or right after."""

    def __init__(self, bus: EmbeddedBus, *, after: bool) -> None:
        self._producer = bus.producer()
        self._after = after

    def send(self, record: Outgoing) -> None:
        self._producer.send(record)

    def flush(self, timeout: float = 30.0) -> None:
        if self._after:
            self._producer.flush(timeout)
        raise BusUnavailable("pulled the plug")

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def relay(database: Database, bus: EmbeddedBus, clock: ManualClock) -> Relay:
    return Relay(database, bus, clock, "first", Health())


def test_the_relay_publishes_each_incident_in_its_order_and_once(
    relay: Relay, database: Database, bus: EmbeddedBus
) -> None:
    one, two = uuid4(), uuid4()
    happen(database, one, 1, 2)
    happen(database, two, 1)
    happen(database, one, 3)
    producer = bus.producer()
    assert relay.publish_waiting(producer) == 4
    assert relay.publish_waiting(producer) == 0
    events = published(bus)
    assert [event.sequence for event in events if event.incident_id == one] == [1, 2, 3]
    assert [event.sequence for event in events if event.incident_id == two] == [1]


@pytest.mark.parametrize("after", [False, True])
def test_a_bus_that_goes_away_loses_no_event(relay: Relay, database: Database, bus: EmbeddedBus, after: bool) -> None:
    incident = uuid4()
    happen(database, incident, 1, 2)
    with pytest.raises(BusUnavailable):
        relay.publish_waiting(FailingProducer(bus, after=after))
    happen(database, incident, 3)
    assert relay.publish_waiting(bus.producer()) == 3
    sequences = [event.sequence for event in published(bus)]
    assert sequences == ([1, 2, 1, 2, 3] if after else [1, 2, 3])
    assert len({item.header("ce_id") for item in bus.read(topics.INCIDENTS)}) == 3


def test_a_second_relay_waits_for_the_first_ones_lease(
    relay: Relay, database: Database, bus: EmbeddedBus, clock: ManualClock
) -> None:
    second = Relay(database, bus, clock, "second", Health())
    happen(database, uuid4(), 1)
    assert relay.publish_waiting(bus.producer()) == 1
    happen(database, uuid4(), 1)
    assert second.publish_waiting(bus.producer()) == 0
    clock.move(31)
    assert second.publish_waiting(bus.producer()) == 1


def test_a_relay_that_runs_publishes_what_comes_and_gives_its_lease_back(
    relay: Relay, database: Database, bus: EmbeddedBus
) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    happen(database, uuid4(), 1, 2)
    waited = threading.Event()
    for _ in range(200):
        if len(published(bus)) == 2:
            break
        waited.wait(0.05)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(published(bus)) == 2
    with database.read() as session:
        assert leases.holder(session, LEASE, now=NOON) is None


def test_the_live_stream_goes_on_after_the_last_event_it_has_seen(
    relay: Relay, database: Database, bus: EmbeddedBus
) -> None:
    happen(database, uuid4(), 1, 2)
    relay.publish_waiting(bus.producer())
    happen(database, uuid4(), 1)
    relay.publish_waiting(bus.producer())
    with database.read() as session:
        assert [event.position for event in outbox.after(session, 0)] == [1, 2, 3]
        assert [event.position for event in outbox.after(session, 2)] == [3]
        assert outbox.last_position(session) == 3


def test_old_events_are_forgotten_and_numbering_goes_on(relay: Relay, database: Database, bus: EmbeddedBus) -> None:
    happen(database, uuid4(), 1, 2)
    relay.publish_waiting(bus.producer())
    happen(database, uuid4(), 1)
    with database.unit_of_work() as session:
        assert outbox.purge(session, NOON + MINUTE) == 1
    relay.publish_waiting(bus.producer())
    with database.read() as session:
        assert [event.position for event in outbox.after(session, 0)] == [2, 3]
