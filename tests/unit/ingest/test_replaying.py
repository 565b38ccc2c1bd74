"""A file is played onto the bus in its order: as history with its own times, or as if it were said now."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.publisher import Publisher
from services.ingest.reading import Rejected
from services.ingest.replay import Pace, Replayed, replay
from services.ingest.routing import Router
from tests.producers import RecordingProducer
from tocsin.clock import ManualClock
from tocsin.contracts.codec import TEACHES_ONLY_HEADER
from tocsin.contracts.events import Mention
from tocsin.contracts.settings.brands import BrandSettings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2015, 2, 17, 9, 0, tzinfo=UTC)


class SteppingClock(ManualClock):
    """A clock on which waiting takes no time at all, and that knows how long it was asked to wait."""

    waited = 0.0

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if seconds > 0:
            self.move(seconds)
            self.waited += seconds
        return event.is_set()


def mention(native_id: str, minutes: float, **fields: Any) -> Mention:
    return Mention.model_validate(
        {
            "source": "forum",
            "native_id": native_id,
            "text": "Veloria",
            "published_at": LONG_AGO + timedelta(minutes=minutes),
            **fields,
        }
    )


class Played:
    """What came of one replay."""

    def __init__(
        self, items: Sequence[Mention | Rejected], pace: Pace, *, full_for: int = 0, stop: threading.Event | None = None
    ) -> None:
        self.clock = SteppingClock(NOW)
        self.producer = RecordingProducer(full_for)
        self.progress: list[Replayed] = []
        self.rejected: list[Rejected] = []
        self.result = replay(
            items,
            Publisher(self.producer, Router([BrandSettings(id="veloria", names=("Veloria",))]), self.clock),
            pace,
            clock=self.clock,
            stop=stop or threading.Event(),
            on_rejected=self.rejected.append,
            progress=self.progress.append,
        )
        self.mentions = [event for event in self.producer.events() if isinstance(event, Mention)]


def test_history_keeps_its_times_and_wakes_nobody() -> None:
    played = Played([mention("1", 0), mention("2", 30), mention("3", 10)], Pace())
    assert [item.native_id for item in played.mentions] == ["1", "2", "3"]
    assert [item.published_at for item in played.mentions] == [LONG_AGO + timedelta(minutes=m) for m in (0, 30, 10)]
    assert {item.received_at for item in played.mentions} == {NOW}
    assert all((TEACHES_ONLY_HEADER, b"1") in record.headers for record in played.producer.flushed)
    assert played.clock.waited == 0


def test_as_now_the_file_ends_now_and_counts() -> None:
    seen = {"likes": 3, "observed_at": LONG_AGO + timedelta(minutes=5)}
    published = int((LONG_AGO).timestamp() * 1000)
    items = [mention("1", 0, engagement=seen, revision=published + 60_000), mention("2", 30)]
    played = Played(items, Pace(as_now=True, newest=items[1].published_at))
    first, last = played.mentions
    assert last.published_at == last.received_at == NOW
    assert first.published_at == first.received_at == NOW - timedelta(minutes=30)
    assert first.version == int(first.published_at.timestamp() * 1000) + 60_000
    assert first.engagement is not None
    assert first.engagement.observed_at == NOW - timedelta(minutes=25)
    assert all((TEACHES_ONLY_HEADER, b"1") not in record.headers for record in played.producer.flushed)


def test_with_a_speed_each_is_said_when_its_turn_comes() -> None:
    played = Played(
        [mention("1", 0), mention("2", 30), mention("3", 20), mention("4", 60)], Pace(speed=60, as_now=True)
    )
    seconds = [(item.published_at - NOW).total_seconds() for item in played.mentions]
    assert seconds == [0, 30, 20, 60]
    assert played.clock.waited == pytest.approx(60)


def test_lines_that_are_no_mentions_are_told_and_counted() -> None:
    broken = Rejected(2, "text", "is required", b"{}")
    played = Played([mention("1", 0), broken, mention("3", 0, text="of no brand")], Pace())
    assert played.rejected == [broken]
    assert played.result == Replayed(published=1, unmatched=1, rejected=1, finished=True)
    assert played.progress[-1].lines == 3


def test_a_full_bus_is_waited_for() -> None:
    played = Played([mention(str(number), 0) for number in range(450)], Pace(), full_for=3)
    assert [item.native_id for item in played.mentions] == [str(number) for number in range(450)]
    assert played.result.published == 450
    assert played.clock.waited > 0


def test_asked_to_stop_it_says_how_far_it_came() -> None:
    stop = threading.Event()
    stop.set()
    played = Played([mention("1", 0)], Pace(speed=1), stop=stop)
    assert not played.result.finished
    assert played.mentions == []


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_must_be_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pace(speed=speed)


def test_moving_a_file_to_now_needs_its_end() -> None:
    with pytest.raises(ValueError, match="newest_publication"):
        Pace(as_now=True)
