"""The digest writer: each morning one mail a brand and person, written once and sent until it is through.

Written down before it is sent, unique by brand, day, person and channel: a process that is killed in between leaves a row that
the next one sends. The Message-ID follows from the row, so that a mailbox shows a mail that was sent twice once.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from services.alert.notify.port import Channel, Delivery, Outcome
from services.alert.notify.retries import wait_after
from services.alert.protocol.directory import Directory
from services.alert.protocol.messages import compose
from services.alert.room.digest import AlmostRang, Digest, Night, digest
from services.alert.timers import shared_clock
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.decisions import Notification, NotificationContent, NotificationKind, NotificationWords
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.protocol import PersonSettings
from tocsin.contracts.settings.room import DigestSettings
from tocsin.holiday_calendars import calendars_of
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import brands, digests, near_misses, oncall
from tocsin.storage.database import Database
from tocsin.storage.digests import StoredDigest
from tocsin.storage.figures import Thresholds, count_spans
from tocsin.storage.incident_records import active_between
from tocsin.storage.notifications import AttemptOutcome

_log = logger(__name__)

DIGESTS = UUID("6f0bb0a6-8a0c-5b6e-9a39-0f8f1f0c7d11")
"""The namespace of digest ids; changing it would make mailboxes take repeated mails for new ones."""
NIGHT = timedelta(hours=13)
"""How far back a digest looks from the morning: to the evening before."""
LATEST = timedelta(hours=6)
"""A digest that could not be written by so long after its time is left out: the day tells itself by then."""
KEPT = timedelta(days=60)
MOST_ALMOST = 5
POLL_SECONDS = 5.0
PAUSE_SECONDS = 5.0
LEASE_MARGIN = timedelta(seconds=15)


class DigestWriter:
    """Writes the digests whose time has come, and sends them. Any number may run."""

    name = "digests"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        configuration: Configuration,
        channels: Mapping[str, Channel],
        *,
        thresholds: Thresholds,
        health: Health | None = None,
    ) -> None:
        self._database = database
        self._now = shared_clock(clock, database)
        self._configuration = configuration
        self._directory = Directory.of(configuration, calendars_of(configuration.schedules))
        self._channels = channels
        self._thresholds = thresholds
        self._health = health
        self._owner = uuid.uuid4().hex

    def run(self, stop: threading.Event) -> None:
        """Look every few seconds until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            if self._health is not None:
                self._health.beat(self.name, limit_seconds=600)
            try:
                done = self.write_due() + self.send_next()
            except Retryable as error:
                _log.warning("digests wait for the database", error=str(error))
                stop.wait(PAUSE_SECONDS)
                continue
            if not done:
                stop.wait(POLL_SECONDS)

    def write_due(self) -> int:
        """Write down the mails of every brand whose morning has come; returns how many brands there were."""
        now, written = self._now(), 0
        for settings in self._configuration.digests:
            zone = self._zone(settings.brand)
            local = now.astimezone(zone)
            due = datetime.combine(local.date(), settings.at, zone)
            day = local.date().isoformat()
            if not due <= now < due + LATEST:
                continue
            with self._database.read() as session:
                if digests.written(session, settings.brand, day):
                    continue
            with self._database.unit_of_work() as session:
                self._write(session, settings, day, now, zone)
            written += 1
        return written

    def send_due(self) -> int:
        """Send everything that is due; returns how many attempts there were."""
        attempts = 0
        while self.send_next():
            attempts += 1
        return attempts

    def send_next(self) -> int:
        """Send the mail that has waited longest, if one is due."""
        now = self._now()
        with self._database.read() as session:
            if not digests.any_due(session, now):
                return 0
        longest = max((channel.timeout for channel in self._channels.values()), default=timedelta(0))
        with self._database.unit_of_work() as session:
            claimed = digests.claim(session, now, owner=self._owner, until=now + longest + LEASE_MARGIN)
        if claimed is None:
            return 0
        outcome = self._send(claimed)
        wait = None
        if outcome.kind in (AttemptOutcome.RETRY, AttemptOutcome.UNKNOWN):
            wait = outcome.retry_after or wait_after(claimed.attempt, urgent=False, jitter=0.0)
        with self._database.unit_of_work() as session:
            digests.finish(
                session,
                claimed,
                owner=self._owner,
                outcome=None if wait is not None else outcome.kind.value,
                detail=outcome.detail,
                next_at=self._now() + wait if wait is not None else None,
            )
        _log.info("digest", brand=claimed.brand, person=claimed.person, outcome=outcome.kind.value)
        return 1

    def _write(self, session: Session, settings: DigestSettings, day: str, now: datetime, zone: ZoneInfo) -> None:
        night = self._night(session, settings.brand, now)
        kinds = {channel.id: channel.kind for channel in self._configuration.channels}
        for person in self._configuration.people:
            if person.id not in settings.to:
                continue
            made = self._digest(session, night, settings.brand, person, zone)
            for channel in person.every_channel:
                if kinds.get(channel) == "mail":
                    digests.write(
                        session,
                        settings.brand,
                        day,
                        person=person.id,
                        channel=channel,
                        subject=made.subject,
                        text="\n".join(made.lines),
                        now=now,
                    )
        near_misses.forget_before(session, now - KEPT)

    def _night(self, session: Session, brand: str, now: datetime) -> Night:
        since = now - NIGHT
        (figures,) = count_spans(session, brand, [since, now], thresholds=self._thresholds)
        status = next(iter(brands.board(session, [brand])), None)
        return Night(
            brand=brand,
            since=since,
            until=now,
            level=status.level if status is not None else Level.GREEN,
            mentions=figures.mentions,
            harmful=figures.harmful,
            authors=figures.authors,
            incidents=active_between(session, brand, since, now),
            almost=[
                AlmostRang(miss.at, miss.score, miss.reasons, miss.why_not)
                for miss in near_misses.worst(session, brand, since, now, MOST_ALMOST)
            ],
        )

    def _digest(self, session: Session, night: Night, brand: str, person: PersonSettings, zone: ZoneInfo) -> Digest:
        policy = self._configuration.policy_of(brand)
        levels = [level for level in (policy.orange, policy.red) if level is not None] if policy is not None else []
        directory = self._directory.with_overrides(oncall.overrides(session, night.until))
        rung = directory.unfolded(reference for level in levels for step in level.steps for reference in step.notify)
        names = [reference.partition(":")[2] for reference in rung if reference.startswith("schedule:")]
        return digest(night, directory, tuple(dict.fromkeys(names)), zone=zone, language=person.language)

    def _send(self, claimed: StoredDigest) -> Outcome:
        channel = self._channels.get(claimed.channel)
        recipient = self._directory.recipient(f"person:{claimed.person}", self._now())
        if channel is None or recipient is None:
            return Outcome(AttemptOutcome.REJECTED, "the person or the channel is no longer in the configuration")
        content = NotificationContent(
            incident_id=uuid5(DIGESTS, f"{claimed.brand}/{claimed.day}"),
            brand=claimed.brand,
            brand_name=self._directory.brand_name(claimed.brand),
            kind=NotificationKind.UPDATE,
            level=Level.GREEN,
            score=0.0,
            at=claimed.created_at,
            opened_at=claimed.created_at,
            words=NotificationWords(subject=claimed.subject, lines=tuple(claimed.text.splitlines())),
        )
        notification = Notification(
            incident_id=content.incident_id,
            start=0,
            step=0,
            loop=0,
            target=recipient.target,
            name=recipient.name,
            channel=claimed.channel,
            kind=NotificationKind.UPDATE,
            language=recipient.language,
            time_zone=recipient.time_zone,
            level=Level.GREEN,
            created_at=claimed.created_at,
            content=content,
        )
        return channel.send(Delivery(notification, compose(notification), claimed.attempt))

    def _zone(self, brand: str) -> ZoneInfo:
        settings = self._configuration.brand(brand)
        return ZoneInfo(settings.time_zone if settings else "UTC")
