"""The last resort: where the database is away for two minutes, the fallback owners are rung from the configuration alone.

Without the database there are no incidents, no timers and no outbox; somebody must know that the bell is dumb. Each alert
process rings by itself; their messages of one hour have one id, so that receivers that deduplicate ring once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from services.alert.notify.port import Channel, Delivery
from services.alert.protocol.directory import Directory, Recipient
from services.alert.protocol.messages import compose
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.contracts.decisions import Notification, NotificationContent, NotificationKind, NotificationWords
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.protocol import PolicySettings
from tocsin.observability import metrics
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage.notifications import AttemptOutcome

_log = logger(__name__)

AWAY_FOR = timedelta(minutes=2)
AGAIN_AFTER = timedelta(minutes=30)
"""While it stays away."""
LOOK_SECONDS = 5.0
"""How often the database is asked, in real seconds."""
_WORDS = {
    "fr": (
        "Tocsin ne peut plus appeler personne",
        "Sa base de données ne répond plus depuis {minutes} min : aucune alerte ne partira avant son retour.",
        "Prévenez l'exploitation, et surveillez vos marques vous-même.",
    ),
    "en": (
        "Tocsin cannot call anybody any more",
        "Its database has not answered for {minutes} min: no alarm will go out before it is back.",
        "Tell whoever runs it, and watch over your brands yourself.",
    ),
}


class LastResort:
    """Asks the database now and then, and rings when it has been away for too long."""

    name = "last-resort"

    def __init__(
        self,
        ask: Callable[[], object],
        policies: Sequence[PolicySettings],
        directory: Directory,
        channels: Mapping[str, Channel],
        clock: Clock,
        *,
        health: Health | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` raises Retryable where the database is away; `steady` counts seconds whatever the clock does."""
        self._ask = ask
        self._policies = policies
        self._directory = directory
        self._channels = channels
        self._clock = clock
        self._health = health
        self._steady = steady
        self._away_since: float | None = None
        self._rung_at: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Look every few seconds until `stop` is set."""
        while not stop.is_set():
            if self._health is not None:
                self._health.beat(self.name, limit_seconds=300)
            self.look()
            stop.wait(LOOK_SECONDS)

    @property
    def away(self) -> bool:
        """True where the database did not answer the last time that it was asked."""
        return self._away_since is not None

    def look(self) -> int:
        """Ask the database once, and ring where it is time to; returns how many messages were tried."""
        try:
            self._ask()
        except Retryable:
            now = self._steady()
            self._away_since = now if self._away_since is None else self._away_since
            metrics.DATABASE_AWAY_SECONDS.set(now - self._away_since)
            long_enough = now - self._away_since >= AWAY_FOR.total_seconds()
            again = self._rung_at is None or now - self._rung_at >= AGAIN_AFTER.total_seconds()
            if not (long_enough and again):
                return 0
            self._rung_at = now
            return self._ring(timedelta(seconds=now - self._away_since))
        if self._rung_at is not None:
            _log.info("the database is back")
        self._away_since = self._rung_at = None
        metrics.DATABASE_AWAY_SECONDS.set(0.0)
        return 0

    def _ring(self, away: timedelta) -> int:
        now = self._clock.now()
        references = list(dict.fromkeys(policy.last_resort for policy in self._policies if policy.last_resort))
        recipients = self._directory.recipients(references, now)
        if not recipients:
            _log.error("the database is away, and no policy has a fallback owner who could be told")
        tried = 0
        for recipient in recipients:
            for name in recipient.channels:
                channel = self._channels.get(name)
                if channel is None:
                    continue
                notification = _notification(recipient, name, now, away)
                outcome = channel.send(Delivery(notification, compose(notification), attempt=1))
                tried += 1
                tell = _log.warning if outcome.kind is AttemptOutcome.ACCEPTED else _log.error
                tell(
                    "the database is away; the last resort was rung",
                    target=recipient.target,
                    channel=name,
                    outcome=outcome.kind.value,
                    detail=outcome.detail,
                )
        return tried


def _notification(recipient: Recipient, channel: str, now: datetime, away: timedelta) -> Notification:
    minutes = int(away.total_seconds() // 60)
    subject, *lines = (line.format(minutes=minutes) for line in _WORDS[recipient.language])
    outage: UUID = uuid5(NAMESPACE_URL, f"tocsin/database-away/{now:%Y-%m-%dT%H}")
    content = NotificationContent(
        incident_id=outage,
        brand="tocsin",
        brand_name="Tocsin",
        kind=NotificationKind.PAGE,
        level=Level.RED,
        score=100.0,
        at=now,
        opened_at=now,
        fallback=True,
        words=NotificationWords(subject=subject, lines=tuple(lines)),
    )
    return Notification(
        incident_id=outage,
        start=1,
        step=now.minute // 30,
        loop=0,
        target=recipient.target,
        name=recipient.name,
        channel=channel,
        kind=NotificationKind.PAGE,
        language=recipient.language,
        time_zone=recipient.time_zone,
        level=Level.RED,
        created_at=now,
        content=content,
    )
