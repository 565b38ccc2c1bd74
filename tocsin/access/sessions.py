"""Signing in to the page: a link that works once makes a session, whose secret lives in a cookie."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tocsin.access.principals import NotRecognised, Principal, Scope
from tocsin.access.secrets import fingerprint, new_token
from tocsin.clock import Clock
from tocsin.contracts.settings.protocol import PersonSettings
from tocsin.storage import access
from tocsin.storage.database import Database

LINK_LIFETIME = timedelta(minutes=15)
PERSON_SCOPES = frozenset({Scope.READ, Scope.ACT})
"""What whoever signs in by a link may do, unless the link says otherwise."""


class Sessions:
    """Links and sessions; `lifetime` is how long a session lasts from signing in.

    `clock` is that of the people who sign in: the machine's own also where a demo's clock runs faster.
    """

    def __init__(
        self, database: Database, clock: Clock, lifetime: timedelta, people: Sequence[PersonSettings] = ()
    ) -> None:
        """`people` of tocsin.yaml: nobody else comes in, nor with more than it gives them now; empty: whoever has a link."""
        self._database = database
        self._clock = clock
        self.lifetime = lifetime
        self._people = {person.id: person for person in people}

    def now(self) -> datetime:
        """The present on the clock of the people who sign in: what links without an account expire by, too."""
        return self._clock.now()

    def new_link(
        self,
        person: str,
        *,
        scopes: frozenset[Scope] = PERSON_SCOPES,
        brands: frozenset[str] | None = None,
        lifetime: timedelta = LINK_LIFETIME,
    ) -> str:
        """The secret of a link that signs `person` in, once, within `lifetime`; see `sign_in_path`."""
        token = new_token()
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            access.forget_expired(session, now)
            access.add_link(session, fingerprint(token), access.Grant(person, scopes, brands, now + lifetime), now)
        return token

    def redeem(self, link_token: str) -> str:
        """Use a link up and begin a session of `lifetime`: its secret. Raises NotRecognised."""
        token = new_token()
        now = self._clock.now()
        ends = now + self.lifetime
        with self._database.unit_of_work() as session:
            grant = access.redeem_link(session, fingerprint(link_token), now)
            if grant is None:
                raise NotRecognised(
                    "this sign-in link was used already or has expired; make another with `tocsin sign-in`"
                )
            access.add_session(
                session, fingerprint(token), access.Grant(grant.person, grant.scopes, grant.brands, ends), now
            )
        return token

    def begin(self, person: str, *, scopes: frozenset[Scope], brands: frozenset[str] | None) -> str:
        """A session for somebody who has proved who they are (password, identity provider): its secret."""
        token = new_token()
        now = self._clock.now()
        with self._database.unit_of_work() as session:
            access.forget_expired(session, now)
            access.add_session(
                session, fingerprint(token), access.Grant(person, scopes, brands, now + self.lifetime), now
            )
        return token

    def recognise(self, session_token: str) -> Principal:
        """Whose session this is. Raises NotRecognised where it has ended or never was."""
        with self._database.read() as session:
            grant = access.session_grant(session, fingerprint(session_token), self._clock.now())
        if grant is None:
            raise NotRecognised(
                "you are not signed in, or your session has ended; make a new link with `tocsin sign-in`"
            )
        scopes, brands = grant.scopes, grant.brands
        if self._people:
            # A session outlives a restart: who was taken out of the file since, or may do less, must not go on as before.
            person = self._people.get(grant.person)
            if person is None:
                raise NotRecognised(f"{grant.person} is not among the people of tocsin.yaml any more")
            given = frozenset(Scope(name) for name in person.access)
            scopes = _spelt_out(scopes) & _spelt_out(given)
            brands = _both(brands, frozenset(person.brands) or None)
        return Principal(f"person:{grant.person}", scopes, brands)

    def end(self, session_token: str) -> None:
        """Sign out; the secret is worth nothing from now on."""
        with self._database.unit_of_work() as session:
            access.end_session(session, fingerprint(session_token))


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The brands that are in both; None is every brand."""
    return other if one is None else one if other is None else one & other


def _spelt_out(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """With all that `admin` may."""
    return frozenset(Scope) if Scope.ADMIN in scopes else scopes


def sign_in_path(link_token: str) -> str:
    """Where a link leads, to be put behind the address of the page."""
    return f"/sign-in?link={link_token}"
