"""What every call back has in common: it proves where it comes from, and is fresh."""

from __future__ import annotations

from datetime import datetime, timedelta

REPLAY_WINDOW = timedelta(minutes=5)
"""How old a signed request may be, or how far ahead of our clock."""


class Forged(PermissionError):
    """The proof is missing or wrong; the message says which, and repeats nothing of it."""


class OutOfDate(PermissionError):
    """The proof is right and too old: somebody may be replaying it, or a clock is wrong."""


def check_fresh(seconds: int, now: datetime) -> None:
    """Raises OutOfDate where a request was signed (seconds since 1970) outside the replay window around `now`."""
    if abs(now.timestamp() - seconds) > REPLAY_WINDOW.total_seconds():
        raise OutOfDate("the request was signed more than 5 minutes ago; look whether this machine's clock is right")
