"""The ingest process as it is composed: ticks behind what came in, files read, mentions taken over a real connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.ingest.app import Ingest, owner
from services.ingest.publisher import InFlight
from services.ingest.ticking import EVERY_SECONDS, MARGIN, Ticking, sentence
from tests.brokers import await_condition
from tocsin import problems
from tocsin.access.principals import Principal, Scope
from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.embedded_log import Bounds
from tocsin.clock import ManualClock, SystemClock
from tocsin.config import Environment, parse
from tocsin.contracts import topics
from tocsin.contracts.codec import decode
from tocsin.contracts.events import Mention, Tick
from tocsin.observability.health import Health
from tocsin.process import Surroundings, run_components
from tocsin.storage.database import Database
from tocsin.web import WebServer

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedBus]:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", clock, partitions=3, bounds=Bounds(max_records=30), lease_seconds=600)
    bus.ensure_topics(topics.FLOW)
    yield bus
    bus.close()


def ticks(bus: EmbeddedBus) -> list[Tick]:
    events = [decode(record.value, record.headers).event for record in bus.read(topics.MENTIONS)]
    return [event for event in events if isinstance(event, Tick)]


def ticking(bus: EmbeddedBus, in_flight: InFlight, clock: ManualClock, running: ExitStack) -> None:
    """Run the component until `running` is closed."""
    stop = threading.Event()
    thread = threading.Thread(target=Ticking(bus, in_flight, clock, Health()).run, args=(stop,))
    thread.start()
    running.callback(thread.join, 30)
    running.callback(stop.set)


def test_every_partition_gets_a_tick_every_15_seconds(bus: EmbeddedBus, clock: ManualClock) -> None:
    with ExitStack() as running:
        ticking(bus, InFlight(clock), clock, running)
        await_condition(lambda: len(ticks(bus)) == 3, "the first ticks")
        clock.move(EVERY_SECONDS)
        await_condition(lambda: len(ticks(bus)) == 6, "the second ticks")
    found = {(tick.partition, tick.at) for tick in ticks(bus)}
    first, second = START - MARGIN, START - MARGIN + timedelta(seconds=EVERY_SECONDS)
    assert found == {(partition, at) for partition in range(3) for at in (first, second)}
    assert {record.partition for record in bus.read(topics.MENTIONS)} == {0, 1, 2}


def test_no_tick_claims_more_than_what_is_on_the_bus(bus: EmbeddedBus, clock: ManualClock) -> None:
    in_flight = InFlight(clock)
    with ExitStack() as running:
        with in_flight.begun() as received_at, in_flight.begun():
            clock.move(60)
            ticking(bus, in_flight, clock, running)
            await_condition(lambda: len(ticks(bus)) == 3, "the first ticks")
            assert {tick.at for tick in ticks(bus)} == {received_at - MARGIN}
        clock.move(EVERY_SECONDS)
        await_condition(lambda: len(ticks(bus)) == 6, "the second ticks")
    assert max(tick.at for tick in ticks(bus)) == clock.now() - MARGIN


def test_a_full_bus_gets_no_tick_and_the_component_goes_on(bus: EmbeddedBus, clock: ManualClock) -> None:
    held = bus.consumer("classify", [topics.MENTIONS])
    held.poll(0)
    with ExitStack() as running:
        ticking(bus, InFlight(clock), clock, running)

        def full() -> bool:
            clock.move(EVERY_SECONDS)
            return len(ticks(bus)) >= 30

        await_condition(full, "the bus is full")
        last = max(tick.at for tick in ticks(bus))

        def goes_on() -> bool:
            records = held.poll(0)
            held.commit({record.topic_partition: record.next_offset for record in records})
            clock.move(EVERY_SECONDS)
            return max(tick.at for tick in ticks(bus)) > last

        await_condition(goes_on, "ticks go on when there is room")
        held.close()


def test_no_two_ticks_say_the_same() -> None:
    said = {
        sentence(START + timedelta(seconds=EVERY_SECONDS * number), partition)
        for number in range(100)
        for partition in range(4)
    }
    assert len(said) == 400


def test_an_owner_is_somebody_else_after_a_restart() -> None:
    assert owner() != owner()


class AnyKey:
    def verify(self, key: str, scope: Scope | str) -> Principal:
        return Principal("key:any", frozenset({Scope.SEND}))


def test_the_whole_process_takes_files_and_requests(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    now = datetime.now(UTC)
    raw = {"source": "forum", "native_id": "file", "text": "Veloria leaks", "published_at": now.isoformat()}
    file.write_text(json.dumps(raw) + "\n{broken\n")
    configuration = parse(
        f"""
        brands: [{{id: veloria, names: [Veloria]}}]
        sources: [{{id: export, kind: file, path: "{file}"}}]
        """
    )
    clock, health = SystemClock(), Health()
    bus = EmbeddedBus(tmp_path / "real.sqlite", clock)
    bus.ensure_topics([*topics.FLOW, topics.dead_letter_topic(topics.MENTIONS)])
    surroundings = Surroundings(configuration, Environment.read({}), clock, bus, database, health)
    ingest = Ingest(surroundings)
    app = FastAPI()
    problems.install(app)
    app.include_router(ingest.router(AnyKey()))
    server = WebServer(app, "127.0.0.1", 0, health=health)
    url = server.bind()
    stop = threading.Event()
    process = threading.Thread(target=run_components, args=([*ingest.components(), server], stop))
    process.start()
    try:
        answer = httpx.post(
            f"{url}/v1/mentions",
            json=raw | {"native_id": "http", "in_reply_to": "file"},
            headers={"Authorization": "Bearer any"},
            timeout=120,
        )
        assert answer.status_code == 202

        def arrived() -> set[str]:
            events = [decode(record.value, record.headers).event for record in bus.read(topics.MENTIONS)]
            return {event.native_id for event in events if isinstance(event, Mention)}

        await_condition(lambda: arrived() == {"file", "http"}, "both mentions are on the bus")
        await_condition(lambda: len(ticks(bus)) >= bus.partitions(topics.MENTIONS), "every partition has a tick")
        await_condition(
            lambda: bool(bus.read(topics.dead_letter_topic(topics.MENTIONS))), "the broken line is kept aside"
        )
        assert health.liveness().ok
    finally:
        stop.set()
        process.join(30)
    assert not process.is_alive()
    bus.close()
