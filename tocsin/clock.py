"""Time, injected.

Nothing in Tocsin asks the operating system for the time: every process, handler and timer is given a `Clock`. Production
runs on `SystemClock`, the demo on one `ScaledClock` for bus, evaluator and timers, tests on a `ManualClock`.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how to wait for a while of it."""

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set or `seconds` of this clock's time have passed; true when the event is set."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))


class ScaledClock:
    """A clock that starts at `start` and runs `speed` times as fast as the machine's.

    Used by `tocsin demo`, where some hours pass in a minute, and by `tocsin replay --speed`.
    """

    SHORTEST_WAIT = 0.05
    """Seconds of the machine's own time that every wait takes at least."""

    def __init__(self, start: datetime, speed: float) -> None:
        if start.tzinfo is None:
            raise ValueError("the start of a scaled clock needs an offset, such as 2026-01-31T09:00:00+00:00")
        if speed <= 0:
            raise ValueError(f"the speed of a scaled clock must be above 0, not {speed}")
        self._lock = threading.Lock()
        self._start = start.astimezone(UTC)
        self._speed = speed
        self._origin = time.monotonic()

    def now(self) -> datetime:
        with self._lock:
            return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self._speed)

    def restart(self, start: datetime) -> None:
        """Go on from `start`, at the same speed."""
        with self._lock:
            self._start, self._origin = start.astimezone(UTC), time.monotonic()

    def change_speed(self, speed: float) -> None:
        """Go on from the present instant at another speed."""
        now = self.now()
        with self._lock:
            self._start, self._speed, self._origin = now, speed, time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        # Loops that look every second or so must not spin where a second is over in no time.
        return event.wait(max(self.SHORTEST_WAIT, seconds / self._speed))


class RehearsalClock:
    """A clock that several processes can share: it agreed with the machine's at `origin` and runs `speed` times as fast since.

    For rehearsals of a whole installation, where an evening passes in a few minutes; never for the real thing.
    """

    SHORTEST_WAIT = ScaledClock.SHORTEST_WAIT

    def __init__(self, origin: datetime, speed: float) -> None:
        if origin.tzinfo is None or speed <= 0:
            raise ValueError("a rehearsal clock needs an origin with an offset, and a speed above 0")
        self._origin = origin.astimezone(UTC)
        self._speed = speed

    def now(self) -> datetime:
        return self._origin + (datetime.now(UTC) - self._origin) * self._speed

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(self.SHORTEST_WAIT, seconds / self._speed))


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._moved = threading.Condition()

    def now(self) -> datetime:
        return self._now

    def move(self, seconds: float) -> datetime:
        """Move by `seconds` (negative: a clock that jumps back) and return the new instant."""
        with self._moved:
            self._now += timedelta(seconds=seconds)
            self._moved.notify_all()
        return self._now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        # A waiting thread looks at the event now and then: events know nothing of this clock.
        until = self._now + timedelta(seconds=seconds)
        with self._moved:
            while not event.is_set() and self._now < until:
                self._moved.wait(0.01)
        return event.is_set()
