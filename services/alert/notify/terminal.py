"""The terminal: prints messages where the process runs. For the demo, for tests, and for who sits before it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TextIO
from zoneinfo import ZoneInfo

from services.alert.notify.port import Delivery, Outcome
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
        lines = [
            message.subject,
            f"→ {notification.name} · {notification.channel} · {at:%Y-%m-%d %H:%M %Z}",
            "",
            *message.body.split("\n"),
        ]
        try:
            with self._lock:
                self._output.write(self._framed(lines, _COLOURS[notification.level]))
                self._output.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            return Outcome(AttemptOutcome.RETRY, f"the terminal cannot be written to ({type(error).__name__})")
        return Outcome(AttemptOutcome.ACCEPTED, "printed")

    def _framed(self, lines: list[str], colour: str) -> str:
        paint, end = (f"\x1b[{colour}m", "\x1b[0m") if self._output.isatty() else ("", "")
        rule = f"{paint}{'━' * _WIDTH}{end}"
        text = "\n".join(["", rule, *(f"  {line}".rstrip() for line in lines), rule, ""])
        # A terminal that cannot show a character shows another in its place; nobody sleeps on for that.
        encoding = self._output.encoding or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)
