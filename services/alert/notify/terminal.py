"""The terminal: prints messages where the process runs. For the demo, for tests, and for who sits before it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TextIO
from zoneinfo import ZoneInfo

from services.alert.notify.port import Delivery, Outcome
from services.alert.protocol.phrases import PHRASES
from tocsin.contracts.incidents import Level
from tocsin.storage.notifications import AttemptOutcome

_WIDTH = 78
_COLOURS = {Level.GREEN: "32", Level.YELLOW: "33", Level.ORANGE: "38;5;208", Level.RED: "1;31"}


class Terminal:
    """Prints each message in a frame, in colour where `output` is a terminal."""

    kind = "terminal"
    deduplicates = False
    address_hash = "terminal"
    timeout = timedelta(seconds=1)

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._lock = threading.Lock()

    def send(self, delivery: Delivery) -> Outcome:
        """Print it. The words were made harmless when they were put together."""
        notification, message = delivery.notification, delivery.message
        at = notification.created_at.astimezone(ZoneInfo(notification.time_zone))
        subject = message.subject
        if delivery.possible_duplicate:
            subject = f"{subject} {PHRASES[message.language]['duplicate']}"
        lines = [
            subject,
            f"→ {notification.name} · {notification.channel} · {at:%Y-%m-%d %H:%M %Z}",
            "",
            *message.body.split("\n"),
        ]
        colour = _COLOURS[notification.level] if self._output.isatty() else None
        rule = "━" * _WIDTH
        frame = [_painted(rule, colour), *(f"  {line}".rstrip() for line in lines), _painted(rule, colour)]
        try:
            with self._lock:
                self._output.write("\n".join(["", *frame, ""]))
                self._output.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            return Outcome(AttemptOutcome.RETRY, f"the terminal cannot be written to ({type(error).__name__})")
        return Outcome(AttemptOutcome.ACCEPTED, "printed")


def _painted(text: str, colour: str | None) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text
