"""Health that tells the truth: `/readyz` asks what the process needs, `/healthz` whether its loops make progress.

A process is *ready* when every check returns, and *alive* when every loop has beaten within its own limit. A loop that hangs
is not alive, even though the process runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

Check = Callable[[], None]
"""Returns when what it asks is there, raises with what to look at when not."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Whether all is well, and for each part `ok` or what is wrong with it."""

    ok: bool
    parts: dict[str, str]


class Health:
    """The checks and the loops of one process; safe to use from any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._checks: dict[str, Check] = {}
        self._beats: dict[str, tuple[float, float]] = {}

    def require(self, name: str, check: Check) -> None:
        """The process is ready only while `check` returns without an error."""
        with self._lock:
            self._checks[name] = check

    def beat(self, loop: str, limit_seconds: float = 60.0) -> None:
        """`loop` has made progress; it is taken for dead when it does not beat again within `limit_seconds`."""
        with self._lock:
            self._beats[loop] = (self._monotonic(), limit_seconds)

    def readiness(self) -> HealthReport:
        """Ask every check now."""
        with self._lock:
            checks = dict(self._checks)
        parts: dict[str, str] = {}
        for name, check in checks.items():
            try:
                check()
            except Exception as error:  # noqa: BLE001 - whatever is wrong is the answer
                parts[name] = f"{type(error).__name__}: {error}"
            else:
                parts[name] = "ok"
        return HealthReport(all(state == "ok" for state in parts.values()), parts)

    def liveness(self) -> HealthReport:
        """Look at every loop's last beat."""
        now = self._monotonic()
        with self._lock:
            beats = dict(self._beats)
        parts = {
            loop: "ok"
            if now - last <= limit
            else f"no progress for {now - last:.0f} s, at most {limit:.0f} s are normal"
            for loop, (last, limit) in beats.items()
        }
        return HealthReport(all(state == "ok" for state in parts.values()), parts)
