"""When a message that did not come through is tried again."""

from __future__ import annotations

from datetime import timedelta

URGENT = (timedelta(seconds=1), timedelta(seconds=3), timedelta(seconds=10), timedelta(seconds=30))
"""Before the schedule below, for pages of orange and red: most failures last for seconds."""

SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The waits between ten attempts over three days, as Standard Webhooks recommend them."""

JITTER = 0.1
"""A wait is up to this share longer, so that what failed together does not come back together."""


def wait_after(attempt: int, *, urgent: bool, jitter: float) -> timedelta | None:
    """How long to wait after attempt number `attempt` (from 1); None: that was the last. `jitter` is from 0 to 1."""
    waits = URGENT + SCHEDULE if urgent else SCHEDULE
    if attempt > len(waits):
        return None
    return waits[attempt - 1] * (1 + JITTER * jitter)
