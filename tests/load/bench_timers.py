"""How late timers go off with 10,000 open incidents: `make bench-timers`.

Each incident waits for its next step; the steps come due evenly over the run, and at one moment 500 come due at once. One timer
loop runs as in the alert process, on the real clock. Lateness: from when a step was due to the commit that rang it.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

import structlog
from sqlalchemy import func, select, update

from services.alert.protocol.commands import Open
from services.alert.protocol.decide import decide
from services.alert.timers import Timers
from tests.databases import _binaries, _Server
from tests.team import DIRECTORY, judged, policy
from tocsin.clock import SystemClock
from tocsin.contracts.incidents import Incident
from tocsin.storage import incidents
from tocsin.storage.database import Database
from tocsin.storage.tables.incidents import IncidentTable, TimerTable

PROMISED = 2.0
"""Seconds, at the 99th percentile."""


class Watched(Timers):
    """The timers, and how late each batch was when it had been committed."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, SystemClock(), DIRECTORY)
        self._watched = database
        self.late: list[float] = []

    def ring_due(self) -> int:
        """Ring a batch, and write down how late each of it was."""
        moment = datetime.now(UTC)
        self._now = lambda: moment  # so that just those fire that are counted here
        with self._watched.read() as session:
            waiting = session.scalars(
                select(TimerTable.next_at).where(TimerTable.next_at <= moment).order_by(TimerTable.next_at)
            ).all()
        fired = super().ring_due()
        committed = datetime.now(UTC)
        self.late += [(committed - due).total_seconds() for due in waiting[:fired]]
        return fired


def fill(database: Database, number: int, seconds: float) -> datetime:
    """Open incidents whose next steps come due over `seconds` from the instant that is returned."""
    opened_at = datetime.now(UTC)
    batch = 250
    for first in range(0, number, batch):
        with database.unit_of_work() as session:
            for index in range(first, min(first + batch, number)):
                opening = Open(uuid4(), f"brand-{index}", judged(), policy())
                incidents.insert_opened(session, decide(None, opening, opened_at, DIRECTORY))
    # Setting the times takes a while itself: what is due before the loop begins would be counted as late.
    start = datetime.now(UTC) + timedelta(seconds=5 + number / 200)
    burst = start + timedelta(seconds=seconds / 2)
    with database.unit_of_work() as session:
        rows = session.scalars(select(IncidentTable.details)).all()
        found = [Incident.model_validate(details) for details in rows]
        for index, incident in enumerate(found):
            due = burst if index % 20 == 0 else start + timedelta(seconds=seconds * index / number)
            assert incident.pending is not None
            pending = incident.pending.model_copy(update={"due_at": due})
            moved = incident.model_copy(update={"pending": pending})
            session.execute(
                update(IncidentTable)
                .where(IncidentTable.id == incident.id)
                .values(details=moved.model_dump(mode="json"))
            )
            session.execute(update(TimerTable).where(TimerTable.incident_id == incident.id).values(next_at=due))
    if datetime.now(UTC) > start:
        raise SystemExit("this machine was too busy to set the times before the first was due; run it again")
    return start


def measure(database: Database, number: int, seconds: float) -> list[float]:
    """Lateness of every timer that came due in the run."""
    start = fill(database, number, seconds)
    timers = Watched(database)
    stop = threading.Event()
    loop = threading.Thread(target=timers.run, args=(stop,))
    time.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds()))
    loop.start()
    time.sleep(seconds + 2 * PROMISED)
    stop.set()
    loop.join()
    with database.read() as session:
        open_ones = session.scalar(select(func.count()).select_from(IncidentTable))
    assert open_ones == number
    return timers.late


def main() -> None:
    """Measure on both databases, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=120.0, help="over which the steps come due")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(
        f"{chosen.incidents} open incidents, {chosen.seconds:.0f} s, {chosen.incidents / chosen.seconds:.0f} steps a second"
    )
    print("| database | timers | p50 s | p99 s | worst s | |\n|---|---|---|---|---|---|")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = {"SQLite": f"sqlite:///{Path(folder) / 'timers.sqlite'}"}
        binaries = _binaries()
        if binaries is not None:
            urls["PostgreSQL"] = stack.enter_context(_Server(binaries))
        for name, url in urls.items():
            database = Database(url)
            database.upgrade()
            late = measure(database, chosen.incidents, chosen.seconds)
            database.close()
            cuts = quantiles(late, n=100)
            kept = "kept" if cuts[98] <= PROMISED and len(late) == chosen.incidents else "MISSED"
            print(f"| {name} | {len(late)} | {cuts[49]:.2f} | {cuts[98]:.2f} | {max(late):.2f} | {kept} |", flush=True)


if __name__ == "__main__":
    main()
