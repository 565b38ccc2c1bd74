"""How many messages one telephone takes: what is over the limit waits, so that nobody throws it out of the window.

The first page of an alert never waits; it also goes before all others (`urgency`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tocsin.config import Configuration
from tocsin.contracts.decisions import Notification
from tocsin.contracts.settings.channels import CallChannel, SmsChannel
from tocsin.storage import notifications


@dataclass(frozen=True, slots=True)
class PhoneLimits:
    """Every channel that rings telephones, with how many messages (on all of them together) one takes within how long."""

    by_channel: Mapping[str, tuple[int, timedelta]]

    @classmethod
    def of(cls, configuration: Configuration) -> PhoneLimits:
        """From the present configuration."""
        return cls(
            {
                channel.id: (channel.most, channel.within)
                for channel in configuration.channels
                if isinstance(channel, SmsChannel | CallChannel)
            }
        )

    def wait_until(self, session: Session, notification: Notification, now: datetime) -> datetime | None:
        """Until when a message waits, because the telephone has had enough; None where it goes now."""
        limit = self.by_channel.get(notification.channel)
        if limit is None or notification.first_alert:
            return None
        most, within = limit
        begun = notifications.latest_attempts(
            session, notification.target, self.by_channel, since=now - within, limit=most, but=notification.id
        )
        return begun[-1] + within if len(begun) >= most else None
