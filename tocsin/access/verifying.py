"""Recognising an API key, also while the database is away.

A key that was recognised is remembered for at most `FRESH_SECONDS`: so long may a revoked key go on working. While the
database cannot be reached, what was recognised within the last `STALE_SECONDS` still counts, so that sources can go on sending
mentions (the bus takes them); a key that was never seen is refused as 'not now' and not as 'wrong'.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tocsin.access.principals import NotAllowed, NotRecognised, Principal, Scope
from tocsin.access.secrets import KeyText, fingerprint, same
from tocsin.clock import Clock
from tocsin.observability.logs import logger
from tocsin.storage import access
from tocsin.storage.database import Database, DatabaseUnavailable

_log = logger(__name__)

FRESH_SECONDS = 30
STALE_SECONDS = 3600
USED_SECONDS = 60
"""How exact 'last used' is: no key is written more often than this."""
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class _Remembered:
    key: access.StoredKey
    looked_up: float


class KeyVerifier:
    """Recognises API keys; one for a process, safe to use from any thread.

    `clock` says when a key expires; `monotonic` how long ago it was looked up.
    """

    def __init__(self, database: Database, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Remembered] = OrderedDict()

    def recognise(self, key: str) -> Principal:
        """Whose key this is.

        Raises NotRecognised where it is wrong, revoked or expired, and DatabaseUnavailable where it has not been seen lately
        and cannot be looked up now.
        """
        parsed = KeyText.parse(key)
        if parsed is None:
            raise NotRecognised(
                "this is no API key of Tocsin; it begins with 'tocsin_' and is shown once by `tocsin keys create`"
            )
        return self._principal(self._stored(parsed))

    def recognise_at_once(self, key: str) -> Principal | None:
        """The same without the database; None where only that knows. Raises NotRecognised."""
        parsed = KeyText.parse(key)
        remembered = None if parsed is None else self._fresh(fingerprint(str(parsed)))
        return None if remembered is None else self._principal(remembered.key)

    def _principal(self, stored: access.StoredKey | None) -> Principal:
        if stored is None or stored.revoked_at is not None:
            raise NotRecognised("this API key is not known or was revoked; make another with `tocsin keys create`")
        if stored.expires_at is not None and stored.expires_at <= self._clock.now():
            raise NotRecognised(
                f"this API key expired at {stored.expires_at:%Y-%m-%d %H:%M} UTC; make another: `tocsin keys create`"
            )
        return Principal(f"key:{stored.prefix}", stored.scopes, stored.brands)

    def verify(self, key: str, scope: Scope | str) -> Principal:
        """Whose key this is, given that it may do `scope`. Raises as `recognise` does, and NotAllowed without the scope."""
        principal = self.recognise(key)
        if not principal.may(Scope(scope)):
            given = ", ".join(sorted(principal.scopes)) or "nothing"
            raise NotAllowed(f"this API key is for {given}; make one with the scope '{scope}' for this")
        return principal

    def _stored(self, key: KeyText) -> access.StoredKey | None:
        # By fingerprint, so that a wrong secret never meets what is remembered of the right one.
        name = fingerprint(str(key))
        fresh = self._fresh(name)
        if fresh is not None:
            return fresh.key
        now = self._monotonic()
        with self._lock:
            remembered = self._known.get(name)
        try:
            with self._database.read() as session:
                stored = access.key_by_prefix(session, key.prefix)
        except DatabaseUnavailable:
            if remembered is not None and now - remembered.looked_up < STALE_SECONDS:
                return remembered.key
            raise
        if stored is None or not same(stored.secret_hash, fingerprint(key.secret)):
            self._forget(name)
            return None
        self._remember(name, _Remembered(stored, now))
        self._note_use(stored)
        return stored

    def _fresh(self, name: str) -> _Remembered | None:
        with self._lock:
            remembered = self._known.get(name)
        if remembered is None or self._monotonic() - remembered.looked_up >= FRESH_SECONDS:
            return None
        return remembered

    def _remember(self, name: str, remembered: _Remembered) -> None:
        with self._lock:
            self._known[name] = remembered
            self._known.move_to_end(name)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)

    def _note_use(self, stored: access.StoredKey) -> None:
        now = self._clock.now()
        if stored.last_used_at is not None and now - stored.last_used_at < timedelta(seconds=USED_SECONDS):
            return
        try:
            with self._database.unit_of_work() as session:
                access.note_use(session, stored.prefix, now)
        except DatabaseUnavailable as error:
            # Who calls should not wait or fail because of a figure that only people look at.
            _log.warning("could not note that a key was used", prefix=stored.prefix, error=str(error))
