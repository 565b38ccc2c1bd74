"""Timers and sender in processes of their own that kill themselves at a boundary; see test_kill.py.

`python -m tests.integration.protocol.killed_alert DATABASE_URL CONFIGURATION` imports everything once, then forks a process for each
line of JSON on its standard input: `{"start": …, "boundary": …, "times": …}`, and answers with their exit statuses when all those of
a line (a list) have ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from services.alert.notify.channels import channels
from services.alert.notify.port import Channel, Delivery, Outcome
from services.alert.notify.sender import Sender
from services.alert.protocol.directory import Directory
from services.alert.timers import Timers
from tocsin.clock import ScaledClock
from tocsin.config import Configuration, load
from tocsin.process import run_components
from tocsin.storage import timers
from tocsin.storage.database import Database
from tocsin.storage.tables.incidents import NotificationTable

SPEED = 240
"""How fast the rehearsal's clock runs: a lease of a killed process ends within a moment."""


class Killing:
    """A channel that ends the process right before or right after a message was sent."""

    def __init__(self, channel: Channel, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._channel = channel
        self._before, self._after = before, after
        self.kind, self.deduplicates = channel.kind, channel.deduplicates
        self.address_hash: str = channel.address_hash
        self.timeout: timedelta = channel.timeout

    def send(self, delivery: Delivery) -> Outcome:
        self._before()
        outcome = self._channel.send(delivery)
        self._after()
        return outcome


def run(url: str, configuration: Configuration, start: str, boundary: str, times: int) -> None:
    """Run until nothing is left to do, or until `boundary` is reached for the `times`-th time."""
    passed = count(1)

    def reach(name: str) -> Callable[..., None]:
        def reached(*_: Any) -> None:
            if name == boundary and next(passed) == times:
                os.kill(os.getpid(), signal.SIGKILL)

        return reached

    event.listen(Session, "before_commit", reach("before_commit"))
    event.listen(Session, "after_commit", reach("after_commit"))
    select_due = timers.lock_due

    def lock_due(*arguments: Any) -> Any:
        due = select_due(*arguments)
        reach("after_select")()
        return due

    timers.lock_due = lock_due
    database = Database(url)
    clock = ScaledClock(datetime.fromisoformat(start), SPEED)
    made = {
        name: Killing(channel, reach("before_send"), reach("after_send"))
        for name, channel in channels(configuration, clock).items()
    }
    stop = threading.Event()

    def finished() -> None:
        with database.read() as session:
            waiting = session.scalar(
                select(func.count()).select_from(NotificationTable).where(NotificationTable.outcome.is_(None))
            )
            if not waiting and timers.oldest(session) is None:
                stop.set()

    components = [Timers(database, clock, Directory.of(configuration)), Sender(database, clock, made)]
    run_components(components, stop, beat=finished)


def main(url: str, configuration_file: str) -> None:
    """Fork and wait, line by line."""
    configuration = load(Path(configuration_file))
    for line in sys.stdin:
        children = []
        for wanted in json.loads(line):
            child = os.fork()
            if child == 0:
                os.dup2(2, 1)  # standard output is for the answers alone
                try:
                    run(url, configuration, wanted["start"], wanted["boundary"], wanted["times"])
                except BaseException as error:  # noqa: BLE001 - the parent's standard input must not be read on here
                    print(repr(error), file=sys.stderr, flush=True)
                    os._exit(1)
                os._exit(0)
            children.append(child)
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
