"""A handler over each database, with a bus and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.alert.handler import AlertHandler
from tests.contents import SETTINGS, Contents
from tests.records import NOON
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
from tocsin.contracts import topics
from tocsin.storage.database import Database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedBus]:
    """An embedded bus with the topics of the flow."""
    made = EmbeddedBus(tmp_path / "bus.sqlite", clock, partitions=2)
    made.ensure_topics(topics.FLOW)
    yield made
    made.close()


@pytest.fixture
def handler(database: Database, clock: ManualClock, bus: EmbeddedBus) -> AlertHandler:
    return AlertHandler(database, clock, SETTINGS, bus)


@pytest.fixture
def contents(database: Database, clock: ManualClock) -> Contents:
    return Contents(database, clock)
