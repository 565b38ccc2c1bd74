"""Starting while the database is away: wait for it, and ring the last resort meanwhile.

An alert process that ended here would be dumb just when it is needed: a supervisor that starts it anew every half minute would begin
to count the two minutes anew each time.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from services.alert.last_resort import LOOK_SECONDS, LastResort
from services.alert.notify.channels import channels
from services.alert.protocol.directory import Directory
from tocsin.clock import Clock, SystemClock
from tocsin.config import Configuration
from tocsin.holiday_calendars import calendars_of
from tocsin.observability.logs import logger
from tocsin.process import Component, run_components

_log = logger(__name__)

Wait = Callable[[threading.Event, float], object]
"""(event, seconds): until the event is set, so many seconds at most."""


class Waiting:
    """Looks for the database every few seconds until it is there, and then sets `stop`."""

    name = "waiting-for-the-database"

    def __init__(self, resort: LastResort, wait: Wait = threading.Event.wait) -> None:
        self._resort = resort
        self._wait = wait

    def run(self, stop: threading.Event) -> None:
        """Ring where it is time to, until the database answers or `stop` is set."""
        while not stop.is_set():
            self._resort.look()
            if not self._resort.away:
                stop.set()
                return
            self._wait(stop, LOOK_SECONDS)


def await_database(
    ask: Callable[[], object],
    configuration: Configuration,
    stop: threading.Event,
    *,
    beside: Callable[[], Sequence[Component]] = list,
    beat: Callable[[], None] = lambda: None,
    output: TextIO | None = None,
    clock: Clock | None = None,
    steady: Callable[[], float] = time.monotonic,
    wait: Wait = threading.Event.wait,
) -> bool:
    """Return True as soon as `ask` does not raise Retryable, at once where the database is there; False where `stop` was set.

    After two minutes the policies' fallback owners are rung from the configuration alone. `beside` makes what runs meanwhile (a web
    server that says that the process lives); `beat` is called about once a second.
    """
    clock = clock or SystemClock()
    resort = LastResort(
        ask,
        configuration.policies,
        Directory.of(configuration, calendars_of(configuration.schedules)),
        channels(configuration, clock, output or sys.stdout),
        clock,
        steady=steady,
    )
    resort.look()
    if not resort.away:
        return True
    _log.warning("the database does not answer; waiting for it, and ringing the last resort after two minutes")
    enough = threading.Event()

    def look_round() -> None:
        beat()
        if stop.is_set():
            enough.set()

    run_components([Waiting(resort, wait), *beside()], enough, beat=look_round)
    return not resort.away and not stop.is_set()
