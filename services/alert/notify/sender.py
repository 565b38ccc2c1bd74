"""The sender: claims messages one by one, asks again whether each is still wanted, and tries until it is through or given up.

A claim is a lease longer than its channel's time-out, taken in a transaction of its own; nothing is held while a channel works.
If the process dies between sending and writing that down, the lease ends and the message is sent again with the same id: at
least once, never lost.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

from services.alert.notify.port import Channel, Delivery, Outcome
from services.alert.notify.retries import wait_after
from services.alert.protocol.messages import compose
from services.alert.timers import shared_clock
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.contracts.decisions import Notification, NotificationKind
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import notifications
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
PAUSE_SECONDS = 1.0
"""How long to wait when the database is away."""

_FINAL = {
    AttemptOutcome.ACCEPTED: NotificationOutcome.ACCEPTED,
    AttemptOutcome.SUPERSEDED: NotificationOutcome.SUPERSEDED,
    AttemptOutcome.REJECTED: NotificationOutcome.REJECTED,
    AttemptOutcome.GONE: NotificationOutcome.DEAD,
}


class Sender:
    """Brings notifications through on their channels. Any number may run, in any number of processes."""

    name = "sender"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channels: Mapping[str, Channel],
        health: Health | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._now = shared_clock(clock, database)
        self._channels = channels
        self._health = health
        self._jitter = jitter
        self._owner = uuid.uuid4().hex
        self._stop = threading.Event()
        self._lease = max((channel.timeout for channel in channels.values()), default=timedelta(0)) + LEASE_MARGIN

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set, then finish what is under way. A database that is away is waited for."""
        self._stop = stop
        working: dict[Future[None], Claimed] = {}
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

    def _claim(self, working: Collection[Claimed]) -> Claimed | None:
        now = self._now()
        with self._database.read() as session:
            oldest = notifications.oldest_due(session, now)
        metrics.NOTIFICATION_OLDEST_DUE_SECONDS.set((now - oldest).total_seconds() if oldest else 0.0)
        if oldest is None:
            return None
        counts = Counter(claimed.notification.channel for claimed in working)
        with self._database.unit_of_work() as session:
            return notifications.claim(
                session,
                now,
                owner=self._owner,
                until=now + self._lease,
                busy_channels=[channel for channel, count in counts.items() if count >= WORKERS_A_CHANNEL],
                # A clock that runs fast ends leases while a message is still in our own hands.
                in_hand=[claimed.notification.id for claimed in working],
            )

    def _deliver(self, claimed: Claimed) -> None:
        notification = claimed.notification
        channel = self._channels.get(notification.channel)
        if channel is None:
            missing = "the channel is no longer in the configuration"
            self._finish(claimed, "unknown", Outcome(AttemptOutcome.REJECTED, missing))
            return
        try:
            reason = self._why_not(claimed, channel)
        except Retryable as error:
            # Nothing was sent; the claim ends with its lease.
            _log.warning("a message waits for the database", notification=str(notification.id), error=str(error))
            return
        if reason is None:
            if claimed.attempt == 1:
                waited = (self._now() - notification.created_at).total_seconds()
                metrics.NOTIFICATION_FIRST_ATTEMPT_SECONDS.labels(notification.kind.value).observe(max(0.0, waited))
            duplicate = claimed.possible_duplicate and not channel.deduplicates
            reason = channel.send(Delivery(notification, compose(notification), claimed.attempt, duplicate))
        self._finish(claimed, channel.kind, reason, channel)

    def _why_not(self, claimed: Claimed, channel: Channel) -> Outcome | None:
        """The last question before sending; an outcome where it is not to be sent at all."""
        notification = claimed.notification
        if claimed.possible_duplicate and not channel.deduplicates and not _urgent(notification):
            return Outcome(AttemptOutcome.UNKNOWN, "it may have come through; not urgent enough to be repeated")
        with self._database.read() as session:
            disabled = notifications.why_disabled(session, notification.channel, channel.address_hash)
            if disabled is not None:
                return Outcome(
                    AttemptOutcome.REJECTED, f"the channel is disabled ({disabled}); change its address to use it again"
                )
            if not notifications.still_wanted(session, notification):
                return Outcome(AttemptOutcome.SUPERSEDED, "not wanted any more when it was to be sent")
        return None

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


def _urgent(notification: Notification) -> bool:
    return notification.kind is NotificationKind.PAGE and notification.level.serious
