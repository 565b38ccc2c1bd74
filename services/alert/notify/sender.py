"""The sender: claims messages one by one, asks again whether each is still wanted, and tries until it is through or given up.

A claim is a lease longer than its channel's time-out, taken in a transaction of its own; nothing is held while a channel works.
If the process dies between sending and writing that down, the lease ends and the message is sent again with the same id: at
least once, never lost.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from services.alert.notify.answering import Answering
from services.alert.notify.limits import PhoneLimits
from services.alert.notify.port import NOT_WANTED, AnswerLink, Channel, Delivery, Outcome
from services.alert.notify.retries import wait_after
from services.alert.protocol.messages import compose
from services.alert.timers import shared_clock
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.contracts.decisions import Notification, NotificationKind
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import notifications, receipts, rooms
from tocsin.storage.database import Database
from tocsin.storage.notifications import AttemptOutcome, Claimed, NotificationOutcome

_log = logger(__name__)

WORKERS = 8
"""Messages under way at once."""
WORKERS_A_CHANNEL = 3
"""Of them on one channel, so that one that hangs leaves room for the others."""
LEASE_MARGIN = timedelta(seconds=15)
POLL_SECONDS = 0.2
"""How often to look for messages, in real seconds, whatever the clock."""
FRESH_SECONDS = 0.25
"""A message whose connection took longer is asked about again before its first byte leaves."""
PAUSE_SECONDS = 1.0
"""How long to wait when the database is away."""

_FINAL = {
    AttemptOutcome.ACCEPTED: NotificationOutcome.ACCEPTED,
    AttemptOutcome.SUPERSEDED: NotificationOutcome.SUPERSEDED,
    AttemptOutcome.REJECTED: NotificationOutcome.REJECTED,
    AttemptOutcome.GONE: NotificationOutcome.DEAD,
}


_FAILED = (AttemptOutcome.RETRY, AttemptOutcome.REJECTED, AttemptOutcome.GONE, AttemptOutcome.UNKNOWN)
"""What lets the next link of a person's chain ring at once."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed message, and how its receiver may answer it."""

    claimed: Claimed
    answer: AnswerLink | None


class Sender:
    """Brings notifications through on their channels. Any number may run, in any number of processes."""

    name = "sender"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channels: Mapping[str, Channel],
        health: Health | None = None,
        *,
        jitter: Callable[[], float] = random.random,
        answering: Answering | None = None,
        limits: PhoneLimits | None = None,
    ) -> None:
        self._database = database
        self._now = shared_clock(clock, database)
        self._channels = channels
        self._health = health
        self._jitter = jitter
        self._owner = uuid.uuid4().hex
        self._stop = threading.Event()
        self._answering = answering or Answering(None)
        self._limits = limits or PhoneLimits({})

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set, then finish what is under way. A database that is away is waited for."""
        self._stop = stop
        working: dict[Future[None], Ready] = {}
        with ThreadPoolExecutor(WORKERS, thread_name_prefix=self.name) as pool:
            while not stop.is_set():
                if self._health is not None:
                    self._health.beat(self.name)
                for future in [future for future in working if future.done()]:
                    del working[future]
                    future.result()
                try:
                    claimed = self._claim(working.values()) if len(working) < WORKERS else None
                except Retryable as error:
                    _log.warning("sender waits for the database", error=str(error))
                    stop.wait(PAUSE_SECONDS)
                    continue
                if claimed is None:
                    stop.wait(POLL_SECONDS)
                else:
                    working[pool.submit(self._deliver, claimed)] = claimed

    def send_due(self) -> int:
        """Send everything that is due now, one after the other, on this thread; returns how many attempts there were."""
        attempts = 0
        while (claimed := self._claim(())) is not None:
            self._deliver(claimed)
            attempts += 1
        return attempts

    def _claim(self, working: Collection[Ready]) -> Ready | None:
        now = self._now()
        with self._database.read() as session:
            oldest = notifications.oldest_due(session, now)
        metrics.NOTIFICATION_OLDEST_DUE_SECONDS.set((now - oldest).total_seconds() if oldest else 0.0)
        if oldest is None:
            return None
        counts = Counter(ready.claimed.notification.channel for ready in working)
        with self._database.unit_of_work() as session:
            claimed = notifications.claim(
                session,
                now,
                owner=self._owner,
                until=lambda channel: now + self._lease(channel),
                busy_channels=[channel for channel, count in counts.items() if count >= WORKERS_A_CHANNEL],
                # A clock that runs fast ends leases while a message is still in our own hands.
                in_hand=[ready.claimed.notification.id for ready in working],
            )
            if claimed is None:
                return None
            return Ready(claimed, self._answering.link(session, claimed.notification, now))

    def _lease(self, channel: str) -> timedelta:
        known = self._channels.get(channel)
        return (known.timeout if known is not None else timedelta(0)) + LEASE_MARGIN

    def _deliver(self, ready: Ready) -> None:
        claimed, notification = ready.claimed, ready.claimed.notification
        channel = self._channels.get(notification.channel)
        if channel is None:
            missing = "the channel is no longer in the configuration"
            self._finish(claimed, "unknown", Outcome(AttemptOutcome.REJECTED, missing))
            return
        try:
            asked_at = time.monotonic()
            reason = self._why_not(claimed, channel)
            if reason is None and self._postponed(claimed):
                return
        except Retryable as error:
            # Nothing was sent; the claim ends with its lease.
            _log.warning("a message waits for the database", notification=str(notification.id), error=str(error))
            return
        if reason is None:
            if claimed.attempt == 1:
                waited = (self._now() - notification.begins_at).total_seconds()
                metrics.NOTIFICATION_FIRST_ATTEMPT_SECONDS.labels(notification.kind.value).observe(max(0.0, waited))
            duplicate = claimed.possible_duplicate and not channel.deduplicates
            message = compose(
                notification, ready.answer.acknowledge if ready.answer else None, possible_duplicate=duplicate
            )
            wanted = partial(self._still_wanted, notification, asked_at)
            reason = channel.send(
                Delivery(notification, message, claimed.attempt, duplicate, wanted=wanted, answer=ready.answer)
            )
        self._finish(claimed, channel.kind, reason, channel)

    def _still_wanted(self, notification: Notification, asked_at: float) -> bool:
        """Asked by the channel once it is connected: by then, the first answer may be too old."""
        if time.monotonic() - asked_at < FRESH_SECONDS:
            return True
        try:
            with self._database.read() as session:
                return _still_wanted(session, notification)
        except Retryable:
            # Where the database is away, nobody can have acknowledged meanwhile.
            return True

    def _postponed(self, claimed: Claimed) -> bool:
        """True where the receiver's telephone has had enough for now, and the message was put back."""
        with self._database.read() as session:
            until = self._limits.wait_until(session, claimed.notification, self._now())
        if until is None:
            return False
        with self._database.unit_of_work() as session:
            notifications.postpone(session, claimed, until, owner=self._owner)
        _log.info("a telephone has had enough", target=claimed.notification.target, until=until.isoformat())
        return True

    def _why_not(self, claimed: Claimed, channel: Channel) -> Outcome | None:
        """The last question before connecting; an outcome where it is not to be sent at all."""
        notification = claimed.notification
        if claimed.possible_duplicate and not channel.deduplicates and not _urgent(notification):
            return Outcome(AttemptOutcome.UNKNOWN, "it may have come through; not urgent enough to be repeated")
        with self._database.read() as session:
            disabled = notifications.why_disabled(session, notification.channel, channel.address_hash)
            if disabled is not None:
                return Outcome(
                    AttemptOutcome.REJECTED, f"the channel is disabled ({disabled}); change its address to use it again"
                )
            return None if _still_wanted(session, notification) else NOT_WANTED

    def _finish(self, claimed: Claimed, kind: str, attempt: Outcome, channel: Channel | None = None) -> None:
        notification = claimed.notification
        repeated = channel is not None and (channel.deduplicates or _urgent(notification))
        outcome, next_at = self._verdict(claimed, attempt, self._now(), repeated=repeated)
        for last in (False, False, False, False, True):
            try:
                with self._database.unit_of_work() as session:
                    now = self._now()
                    if attempt.kind is AttemptOutcome.GONE and channel is not None:
                        notifications.disable_channel(
                            session, notification.channel, channel.address_hash, now, attempt.detail
                        )
                    notifications.finish(
                        session,
                        claimed,
                        now,
                        attempt.kind,
                        attempt.detail,
                        owner=self._owner,
                        outcome=outcome,
                        next_attempt_at=next_at,
                    )
                    if claimed.attempt == 1 and attempt.kind in _FAILED:
                        receipts.bring_forward(session, notification, now)
                break
            except Retryable as error:
                _log.warning("an outcome waits for the database", notification=str(notification.id), error=str(error))
                if not last:
                    self._stop.wait(PAUSE_SECONDS)
        metrics.NOTIFICATION_ATTEMPTS.labels(kind, notification.kind.value, attempt.kind.value).inc()
        if outcome in (NotificationOutcome.DEAD, NotificationOutcome.REJECTED):
            metrics.NOTIFICATIONS_DEAD.labels(kind, notification.kind.value).inc()
        tell = _log.info if attempt.kind in (AttemptOutcome.ACCEPTED, AttemptOutcome.SUPERSEDED) else _log.warning
        tell(
            "notification",
            kind=notification.kind.value,
            incident=str(notification.incident_id),
            target=notification.target,
            channel=notification.channel,
            attempt=claimed.attempt,
            outcome=attempt.kind.value,
            detail=attempt.detail,
            next_attempt_at=next_at.isoformat() if next_at else None,
        )

    def _verdict(
        self, claimed: Claimed, attempt: Outcome, now: datetime, *, repeated: bool
    ) -> tuple[NotificationOutcome | None, datetime | None]:
        if attempt.kind in _FINAL:
            return _FINAL[attempt.kind], None
        if attempt.kind is AttemptOutcome.UNKNOWN and not repeated:
            return NotificationOutcome.UNKNOWN, None
        wait = wait_after(claimed.attempt, urgent=_urgent(claimed.notification), jitter=self._jitter())
        if wait is None:
            return NotificationOutcome.DEAD, None
        return None, now + (attempt.retry_after if attempt.retry_after is not None else wait)


def _still_wanted(session: Session, notification: Notification) -> bool:
    """The crisis room knows whether a task is settled, and an update that a person sent is always wanted."""
    match notification.kind:
        case NotificationKind.TASK:
            return rooms.still_asked(session, notification)
        case NotificationKind.UPDATE:
            return True
    return notifications.still_wanted(session, notification)


def _urgent(notification: Notification) -> bool:
    return notification.kind.rings and notification.level.serious
