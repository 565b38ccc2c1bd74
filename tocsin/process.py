"""What every process is given, and how its components run: one thread each, until a signal or a crash.

A component is a loop with a name (a worker on the bus, the evaluator, the timers, a web server). When one crashes, the others
are asked to stop and the process ends with an error, so that whoever supervises it starts it anew from the database.
"""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from tocsin.bus.port import Bus
from tocsin.clock import Clock
from tocsin.config import Configuration, Environment
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage.database import Database

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a composition root builds from: the only place where the outside world comes in."""

    configuration: Configuration
    environment: Environment
    clock: Clock
    bus: Bus
    database: Database
    health: Health


class Component(Protocol):
    """A part of a process that runs until `stop` is set; leaving before is allowed (a file that has been read)."""

    name: str

    def run(self, stop: threading.Event) -> None: ...


class ComponentCrashed(RuntimeError):
    """A component ended with an error; the process cannot go on without it."""

    def __init__(self, name: str, cause: BaseException) -> None:
        super().__init__(f"{name} crashed: {type(cause).__name__}: {cause}")


def run_components(
    components: Sequence[Component],
    stop: threading.Event,
    *,
    drain_seconds: float = 30.0,
    beat: Callable[[], None] | None = None,
) -> None:
    """Run every component on a thread of its own until `stop` is set or one crashes; then wait for the others.

    `drain_seconds` is how long they may take to finish what they have in hand; `beat` is called about once a second.
    Raises ComponentCrashed, or TimeoutError naming the components that did not come to an end.
    """
    crashes: list[ComponentCrashed] = []

    def guarded(component: Component) -> None:
        try:
            component.run(stop)
        except BaseException as error:  # noqa: BLE001 - told below, on the main thread
            _log.error("component crashed", component=component.name, error=str(error), exc_info=error)
            crashes.append(ComponentCrashed(component.name, error))
            stop.set()

    threads = [
        threading.Thread(target=guarded, args=(component,), name=component.name, daemon=True)
        for component in components
    ]
    # What has been loaded and put together stays as long as the process: looking through all of it again and again for what could
    # go held every thread up for a tenth of a second.
    gc.collect()
    gc.freeze()
    for thread in threads:
        thread.start()
    while not stop.wait(1.0) and any(thread.is_alive() for thread in threads):
        if beat is not None:
            beat()
    stop.set()
    for thread in threads:
        thread.join(drain_seconds)
    if crashes:
        raise crashes[0]
    stuck = [thread.name for thread in threads if thread.is_alive()]
    if stuck:
        raise TimeoutError(f"{', '.join(stuck)} did not finish within {drain_seconds:g} s after being asked to stop")


def stop_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`; nothing else happens in the signal handler. A second signal ends the process at once."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
