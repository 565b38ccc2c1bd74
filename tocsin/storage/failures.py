"""Which errors of a database pass by themselves, decided in one place."""

from __future__ import annotations

from sqlalchemy import exc

from tocsin.bus.failures import Retryable

_PASSING_STATES = ("08", "53", "57P", "40001", "40P01", "55P03", "25P03", "57014", "28", "3D000")
"""Beginnings of the PostgreSQL codes that time or an administrator mends: connection lost, out of room or connections, shutting
down, serialisation, deadlock, lock or statement timed out, not (yet) allowed in, database not there (yet)."""
_PASSING_WORDS = ("locked", "busy", "disk i/o", "is full", "unable to open")
"""What SQLite says of the same."""


class DatabaseUnavailable(Retryable):
    """The database does not answer, or had to refuse for now (deadlock, lock, shutdown): do the same again after a pause."""


class DatabaseOutdated(RuntimeError):
    """The database's tables are not those that this program needs."""


def unavailable(error: exc.SQLAlchemyError) -> DatabaseUnavailable | None:
    """`error` as a DatabaseUnavailable, or None where repeating would not help (a constraint, a wrong statement: a bug)."""
    if isinstance(error, exc.TimeoutError):
        return DatabaseUnavailable(
            "all connections of this process are in use; the database is slow, or something holds on to one"
        )
    if not isinstance(error, exc.DBAPIError):
        return None
    original = error.orig
    state = getattr(original, "sqlstate", None)
    said = str(original).strip().split("\n", 1)[0]
    if state is not None:
        passing = state.startswith(_PASSING_STATES)
    elif type(original).__module__.startswith("sqlite3"):
        passing = isinstance(error, exc.OperationalError) and any(word in said.lower() for word in _PASSING_WORDS)
    else:
        # psycopg without a code: there is no connection, or it broke.
        passing = isinstance(error, exc.OperationalError | exc.InterfaceError)
    if not passing and not error.connection_invalidated:
        return None
    return DatabaseUnavailable(
        f"the database cannot be used right now: {said}; look whether it runs, its disk has room, and DATABASE_URL is right"
    )
