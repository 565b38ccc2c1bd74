"""The configuration as it is now: what `tocsin.yaml` says, and what people have set since, in force within seconds.

Every process polls one number in the database and reads the settings again where it has changed, or where one begins or ends.
While the database is away, the last known state goes on holding; what is over by the clock still ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.settings.run_time import RunTimeSetting
from tocsin.observability import metrics
from tocsin.observability.logs import logger
from tocsin.overlay import Overlay, overlaid
from tocsin.storage import run_time_settings as stored
from tocsin.storage.database import Database

_log = logger(__name__)
Made = TypeVar("Made")

POLL_SECONDS = 3.0
"""Of the machine's own time, whatever clock the surroundings have: people who set something wait on that one."""
_CAMPAIGN_TAIL = timedelta(days=1)
"""Instants that are judged late still know of a campaign that ended meanwhile."""


class SettingsInForce(Protocol):
    """What is in force at this moment. Ask again for each batch; nothing that is given ever changes."""

    def overlay(self) -> Overlay:
        """The configuration as it is now; the same object until something changes."""
        ...


class FixedSettings:
    """What a configuration says, and nothing else: for commands that ask no database."""

    def __init__(self, configuration: Configuration) -> None:
        self._overlay = Overlay(configuration)

    def overlay(self) -> Overlay:
        return self._overlay


class LiveSettings:
    """A component that keeps up with the database; one a process is enough, safe to ask from any thread."""

    name = "live-settings"

    def __init__(self, configuration: Configuration, database: Database, clock: Clock) -> None:
        """Until the first `refresh`, the configuration alone is in force. `clock` says what has begun and what is over."""
        self._configuration = configuration
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._version: int | None = None
        self._standing: tuple[RunTimeSetting, ...] = ()
        self._unreadable: tuple[stored.Unreadable, ...] = ()
        self._applied: frozenset[object] = frozenset()
        self._overlay = Overlay(configuration)
        self._away = False

    def overlay(self) -> Overlay:
        """The configuration as it was at the last `refresh`."""
        return self._overlay

    def run(self, stop: threading.Event) -> None:
        """Refresh every `POLL_SECONDS` until `stop` is set."""
        while not stop.is_set():
            self.refresh()
            stop.wait(POLL_SECONDS)

    def refresh(self) -> bool:
        """Look whether something was set, has begun or is over; True where what is in force has changed."""
        with self._lock:
            self._read()
            return self._apply()

    def _read(self) -> None:
        try:
            with self._database.read() as session:
                version = stored.version(session)
                since = self._clock.now() - _CAMPAIGN_TAIL
                found = stored.standing(session, since) if version != self._version else None
        except Retryable as error:
            metrics.LIVE_SETTINGS_FAILURES.inc()
            if not self._away:
                _log.warning("settings stay as they were last read", version=self._version, error=str(error))
            self._away = True
            return
        if self._away:
            _log.info("settings are read again", version=version)
            self._away = False
        if found is not None:
            self._version, self._standing, self._unreadable = version, found.settings, found.unreadable

    def _apply(self) -> bool:
        now = self._clock.now()
        standing = [item for item in self._standing if not item.over(now - _CAMPAIGN_TAIL)]
        applied = frozenset((item.id, item.in_force(now)) for item in standing) | {item.id for item in self._unreadable}
        if applied == self._applied:
            return False
        self._applied = applied
        self._overlay = overlaid(self._configuration, standing, now)
        self._tell()
        return True

    def _tell(self) -> None:
        metrics.LIVE_SETTINGS_VERSION.set(self._version or 0)
        metrics.LIVE_SETTINGS_LEFT_OUT.set(len(self._overlay.left_out) + len(self._unreadable))
        _log.info("settings in force", version=self._version, standing=len(self._standing))
        for item in self._overlay.left_out:
            _log.warning("setting left out", setting=str(item.setting.id), brand=item.setting.brand, why=item.why)
        for row in self._unreadable:
            _log.warning("setting left out", setting=str(row.id), brand=row.brand, why=row.why)


class Following(Generic[Made]):
    """Something that is made of what is in force, made anew whenever that has changed. Safe between threads."""

    def __init__(self, settings: SettingsInForce, make: Callable[[Overlay], Made]) -> None:
        self._settings = settings
        self._make = make
        self._made: tuple[Overlay, Made] | None = None

    def __call__(self) -> Made:
        """As of now; the same object until something changes."""
        overlay, made = self._settings.overlay(), self._made
        if made is None or made[0] is not overlay:
            # Two threads may make it twice, and either is right.
            made = self._made = (overlay, self._make(overlay))
        return made[1]
