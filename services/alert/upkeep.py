"""Upkeep: what has outlived its use goes from the database, and days that are over are added up.

A little at a time, in one process at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.contracts.settings.services import RetentionSettings
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import (
    adding_up,
    brands,
    callbacks,
    erasures,
    leases,
    legal_holds,
    links,
    mentions,
    outbox,
    partitions,
)
from tocsin.storage.database import Database
from tocsin.storage.erasures import ErasureJournal
from tocsin.storage.thresholds import Thresholds

_log = logger(__name__)

LEASE = "upkeep"
EVERY = timedelta(minutes=5)
AT_ONCE = 1000
"""Mentions that are deleted in one transaction, so that nobody waits long."""
DAYS_AT_A_TURN = 300
"""Days of brands that are added up before all else gets its turn again: some seconds, where years of history are new."""
_NEXT_MONTH = timedelta(days=28)
"""A month is there before its first mention, so that no writer has to make it."""
LINKS_KEPT = timedelta(days=30)
"""So long after it has expired a link still says that it has, and not that there is none."""
_NONE: Mapping[str, ZoneInfo] = {}
_USUAL = Thresholds()


class Upkeep:
    """Forgets tombstones that the stream has passed, mentions past their retention, and old published events; adds up days."""

    name = "upkeep"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        owner: str,
        *,
        retention: RetentionSettings,
        complete_up_to: Callable[[Session], datetime | None],
        health: Health,
        journal: ErasureJournal | None = None,
        zones: Mapping[str, ZoneInfo] = _NONE,
        thresholds: Thresholds = _USUAL,
    ) -> None:
        """`owner` is unique to the process; `journal` has what was erased, also before a backup was restored.

        `zones` are those of the brands whose days are added up; `thresholds` the network's.
        """
        self._zones = zones
        self._thresholds = thresholds
        self._journal = journal
        self._database = database
        self._clock = clock
        self._owner = owner
        self._retention = retention
        self._complete_up_to = complete_up_to
        self._health = health

    def run(self, stop: threading.Event) -> None:
        """Clean up every five minutes until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            self._health.beat(self.name, limit_seconds=3 * EVERY.total_seconds())
            try:
                self.clean_up(stop)
            except Retryable as error:
                _log.warning("waiting to clean up", error=str(error))
            stop.wait(EVERY.total_seconds())

    def clean_up(self, stop: threading.Event) -> None:
        """Do it once, if no other process is at it; what is left when `stop` is set waits for the next time."""
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            # Longer than the pause, so that it stays with one process while that lives.
            if not leases.acquire(session, LEASE, self._owner, now=now, length=2 * EVERY):
                return
            complete = self._complete_up_to(session)
            erased_again = self._erase_again(session, now)
            legal_holds.forget_ended(session, now)
            tombstones = mentions.forget_tombstones(session, complete) if complete is not None else 0
            events = outbox.purge(session, now - self._retention.bus)
            links.forget_expired(session, now - LINKS_KEPT)
            callbacks.forget(session, now - LINKS_KEPT)
        if erased_again:
            self._database.forget_traces()
        days = self._add_up_days(now, stop)
        months, old = self._forget_mentions(now - self._retention.mentions, stop)
        if tombstones or events or months or old or days:
            _log.info("cleaned up", tombstones=tombstones, events=events, months=months, mentions=old, days=days)

    def _add_up_days(self, now: datetime, stop: threading.Event) -> int:
        """Add up days that are over, for timelines of months; returns how many. What is left waits for the next time."""
        added = 0
        for brand, zone in self._zones.items():
            with self._database.read() as session:
                missing = adding_up.missing_days(session, brand, zone, now)
            for day in missing:
                if stop.is_set() or added >= DAYS_AT_A_TURN:
                    return added
                with self._database.unit_of_work() as session:
                    brands.lock(session, brand, now=now)
                    added += adding_up.add_up(session, brand, day, self._thresholds)
        return added

    def _forget_mentions(self, before: datetime, stop: threading.Event) -> tuple[int, int]:
        """Forget what was published before an instant; returns how many months were dropped, and how many identities deleted.

        On PostgreSQL contents and labels go with their month when it is wholly past, so it is the month's beginning that counts.
        """
        months = 0
        if self._database.is_postgresql:
            before = partitions.month_of(before)
            with self._database.unit_of_work() as session:
                partitions.ensure(session, (self._clock.now(), self._clock.now() + _NEXT_MONTH))
            with self._database.read() as session:
                past = partitions.past(session, before)
            for partition in past:
                with self._database.unit_of_work() as session:
                    partitions.drop(session, partition)
                months += partition.startswith(partitions.TABLES[-1])
        old = 0
        while not stop.is_set():
            with self._database.unit_of_work() as session:
                gone = mentions.forget_published_before(session, before, AT_ONCE)
            old += gone
            if gone < AT_ONCE:
                break
        return months, old

    def _erase_again(self, session: Session, now: datetime) -> bool:
        """What the journal says is erased and the database does not know: a backup was restored. True where there was any."""
        if self._journal is None:
            return False
        returned = erasures.not_erased(session, self._journal.identifiers())
        if returned:
            erasures.erase(session, returned, now=now)
            _log.warning(
                "a restored backup had brought erased mentions back; they are erased again", mentions=len(returned)
            )
        return bool(returned)
