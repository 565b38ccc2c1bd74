"""The API over each database, with clocks that stand still, some brands, and keys to come in with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.api.app import create_app
from tests.newsroom import CONFIGURATION, NOW, KeyMaker, Newsroom
from tocsin.access.commands import create_key
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
from tocsin.config import Environment
from tocsin.contracts import topics
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage.database import Database
from tocsin.web import WebServer


@pytest.fixture
def clock() -> ManualClock:
    """The clock of mentions and incidents."""
    return ManualClock(NOW)


@pytest.fixture
def people_clock() -> ManualClock:
    """The clock that keys, links and sessions expire by."""
    return ManualClock(NOW)


@pytest.fixture
def surroundings(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Surroundings]:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", clock, partitions=2)
    bus.ensure_topics(topics.FLOW)
    environment = Environment.read({"TOCSIN_HOME": str(tmp_path)})
    yield Surroundings(CONFIGURATION, environment, clock, bus, database, Health())
    bus.close()


@pytest.fixture
def newsroom(database: Database, clock: ManualClock) -> Newsroom:
    """What the database is filled with."""
    return Newsroom(database, clock)


@pytest.fixture
def app(surroundings: Surroundings, people_clock: ManualClock) -> FastAPI:
    return create_app(surroundings, people_clock=people_clock)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Somebody who has shown nothing yet."""
    return TestClient(app, base_url="http://tocsin.test", follow_redirects=False)


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    """Where the API really listens, for clients of their own."""
    server = WebServer(app, "127.0.0.1", 0, drain_seconds=1)
    address, stop = server.bind(), threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    yield address
    stop.set()
    thread.join(30)


@pytest.fixture
def key(database: Database, people_clock: ManualClock) -> KeyMaker:
    """Makes the header of a new key: `key("read", brands=["acme"])`."""

    def make(*scopes: str, **limits: object) -> dict[str, str]:
        made = create_key(database, people_clock, CONFIGURATION, name="test", scopes=scopes, **limits)  # type: ignore[arg-type]
        return {"Authorization": f"Bearer {made.text}"}

    return make
