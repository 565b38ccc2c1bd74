"""Source leases as the runner uses them: each call one short transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from services.ingest.sources.port import Cursor
from tocsin.storage import leases
from tocsin.storage.database import Database
from tocsin.storage.leases import SourceLease

LENGTH = timedelta(seconds=20)
"""A process that is silent for so long has lost its sources."""


class SourceLeases:
    """The leases of one process. Every method raises DatabaseUnavailable where the database does not answer."""

    def __init__(self, database: Database, owner: str, now: Callable[[], datetime], length: timedelta = LENGTH) -> None:
        """`owner` is unique to the process; `now` is a clock that all processes share, the database's own where it has one."""
        self._database = database
        self._owner = owner
        self._now = now
        self.length = length

    def acquire(self, source: str) -> SourceLease | None:
        """Take or renew the lease of a source; None while another process has it."""
        now = self._now()
        with self._database.unit_of_work() as session:
            return leases.acquire_source(session, source, self._owner, now=now, length=self.length)

    def save(self, source: str, cursor: Cursor) -> bool:
        """Save how far the source is published; false where it is another's now."""
        with self._database.unit_of_work() as session:
            return leases.save_cursor(session, source, self._owner, dict(cursor))

    def release(self, source: str) -> None:
        """Let another process take the source at once."""
        now = self._now()
        with self._database.unit_of_work() as session:
            leases.release_source(session, source, self._owner, now=now)
