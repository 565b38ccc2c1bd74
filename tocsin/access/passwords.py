"""Passwords of people: hashed with argon2id, guessed at slowly, and never the only way in.

Wrong passwords are counted against the person that was named and against the address that they came from, in the database, so that
all api processes count together. Five in a quarter of an hour, and that person or address waits; a right password does not help
meanwhile, else guessing on would pay. A person whom nobody knows costs the same time as a wrong password.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from tocsin.access.principals import NotRecognised
from tocsin.access.secrets import fingerprint
from tocsin.clock import Clock
from tocsin.storage import access, audit
from tocsin.storage.database import Database

SHORTEST = 12
"""Characters. Length is what helps; rules about digits and signs only make people write passwords down."""
LONGEST = 512
TRIES = 5
WITHIN = timedelta(minutes=15)


class UnusablePassword(ValueError):
    """The password cannot be set; the message says how to choose another."""


@dataclass
class TooManyTries(Exception):
    """Somebody has guessed too often; `wait` is how long until the next try counts."""

    wait: timedelta

    def __str__(self) -> str:
        return f"too many wrong passwords; try again in {max(1, round(self.wait.total_seconds() / 60))} min"


class Passwords:
    """Sets and checks passwords. `hasher` has argon2's recommended cost (RFC 9106, low-memory) unless a test gives a cheap one."""

    def __init__(self, database: Database, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        """`clock` is that of people: the machine's."""
        self._database = database
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def set(self, person: str, password: str, *, actor: str) -> None:
        """Give `person` a password, or another one, and end their sessions. Raises UnusablePassword."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise UnusablePassword(
                f"choose a password of {SHORTEST} to {LONGEST} characters; four or five words do well"
            )
        if person.casefold() in password.casefold() and len(password) < len(person) + SHORTEST:
            raise UnusablePassword("the password is little more than the person's name; choose another")
        now = self._clock.now()
        hashed = self._hasher.hash(password)
        with self._database.unit_of_work() as session:
            access.set_password(session, person, hashed, now)
            access.end_sessions_of(session, person)
            audit.record(session, at=now, actor=actor, action="password.set", target=f"person:{person}")

    def remove(self, person: str, *, actor: str) -> bool:
        """Let `person` sign in by links or the provider only; False where there was no password."""
        with self._database.unit_of_work() as session:
            removed = access.remove_password(session, person)
            if removed:
                audit.record(
                    session, at=self._clock.now(), actor=actor, action="password.removed", target=f"person:{person}"
                )
        return removed

    def check(self, person: str, password: str, *, address: str) -> None:
        """Return if the password is right. Raises NotRecognised, TooManyTries and DatabaseUnavailable."""
        subjects = [fingerprint(f"person:{person}"), fingerprint(f"address:{address}")]
        now = self._clock.now()
        with self._database.read() as session:
            self._look_at_tries(access.failed_sign_ins(session, subjects, since=now - WITHIN), now)
            stored = access.password_of(session, person)
        right = self._verify(stored or self._nobody, password) and stored is not None
        with self._database.unit_of_work() as session:
            if right:
                access.forget_failed_sign_ins(session, subjects[0])
                if stored is not None and self._hasher.check_needs_rehash(stored):
                    access.set_password(session, person, self._hasher.hash(password), now)
            else:
                access.note_failed_sign_in(session, subjects, now, forget_before=now - WITHIN)
        if not right:
            raise NotRecognised("the person or the password is wrong")

    def _look_at_tries(self, failures: dict[str, list[datetime]], now: datetime) -> None:
        waits = [times[-TRIES] + WITHIN - now for times in failures.values() if len(times) >= TRIES]
        if waits:
            raise TooManyTries(max(waits))

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password[:LONGEST])
        except (VerifyMismatchError, InvalidHashError):
            return False
