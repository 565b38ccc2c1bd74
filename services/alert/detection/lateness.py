"""What comes late teaches the baseline and wakes nobody."""

from __future__ import annotations

from datetime import datetime, timedelta

from tocsin.contracts.settings.detection import LatenessSettings


def wakes(published_at: datetime, received_at: datetime, source: str, settings: LatenessSettings) -> bool:
    """False for a mention that came too late after its source's usual delay, or that is dated ahead of its receipt."""
    delay = received_at - published_at
    usual = settings.usual_delay.get(source, timedelta(0))
    return -settings.future <= delay <= usual + settings.late_after
