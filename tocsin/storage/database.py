"""The database as a process sees it: one object that opens units of work, on SQLite or PostgreSQL.

Transactions begin and end here and nowhere else; repositories take the session that a unit of work gives. PostgreSQL works at
READ COMMITTED: whoever decides on what is in a row locks it first. SQLite lets one writer in at a time (BEGIN IMMEDIATE), and
synchronous=FULL, because positions on the bus are committed after the database and must never be ahead of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from tocsin.config import Environment
from tocsin.contracts.settings.services import StorageSettings
from tocsin.storage import migrating
from tocsin.storage.failures import DatabaseOutdated, DatabaseUnavailable, unavailable

__all__ = ["Database", "DatabaseOutdated", "DatabaseUnavailable", "database_url"]

FILE_NAME = "tocsin.sqlite"
_BUSY_SECONDS = 15.0
_POSTGRESQL_SETTINGS = {
    "timezone": "UTC",
    # A process whose machine died must not hold its row locks for hours.
    "idle_in_transaction_session_timeout": "60000",
    # A query over months is guessed to be costly: compiling it takes 0.2 s, and nearly all of it is never run.
    "jit": "off",
    # A plan for any word and any month is a bad one for each (4.8 s instead of 6 ms for a search); planning takes 2 ms.
    "plan_cache_mode": "force_custom_plan",
    # Many ask at once: starting workers for one question takes longer than it does without, and takes the processors from the others.
    "max_parallel_workers_per_gather": "0",
}
_READ_ONLY = "tocsin_read_only"
_MERGED_PAGES = 500
"""Pages of the full-text index that one transaction rewrites: some hundredths of a second."""
_MERGE = sqlalchemy.text("INSERT INTO mention_tokens (mention_tokens, rank) VALUES ('merge', :pages)")
_CHANGES = sqlalchemy.text("SELECT total_changes()")


def database_url(environment: Environment, settings: StorageSettings) -> str:
    """Where the database is: `DATABASE_URL`, else `storage.url`, else the file `tocsin.sqlite` in the data folder."""
    secret = environment.database_url or settings.url
    if secret is not None:
        return secret.get_secret_value()
    return f"sqlite:///{(environment.home / FILE_NAME).absolute()}"


class Database:
    """A database by its URL (`sqlite:///FILE` or `postgresql://…`). Safe to share between threads; opens nothing until used.

    Raises ValueError for a URL that is neither.
    """

    def __init__(self, url: str) -> None:
        self.url = _understood(url)
        self.is_postgresql = self.url.get_backend_name() == "postgresql"
        self._engine = _postgresql_engine(self.url) if self.is_postgresql else _sqlite_engine(self.url)
        self._reading = self._engine.execution_options(**{_READ_ONLY: True, "postgresql_readonly": True})

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises DatabaseUnavailable (retryable) for a lost connection, a deadlock, a lock that was not given in time; whether
        a commit that was cut off has happened is then unknown, so the work must be repeatable.
        """
        with self._session(self._engine) as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database on SQLite (on PostgreSQL, one a statement) and cannot write."""
        with self._session(self._reading) as session:
            yield session

    def upgrade(self, revision: str = "head") -> None:
        """Bring the tables to `revision`; several processes may do it at once, one of them then works and the others wait."""
        if not self.is_postgresql:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
        with self._session(self._engine) as session:
            migrating.upgrade(session.connection(), revision)
            session.commit()

    def downgrade(self, revision: str = "base") -> None:
        """Take migrations back to `revision`; what the tables that go held is lost."""
        with self._session(self._engine) as session:
            migrating.downgrade(session.connection(), revision)
            session.commit()

    def check(self) -> None:
        """Return if the database answers and has the tables of this program, for `/readyz`.

        Raises DatabaseUnavailable or DatabaseOutdated, saying what to do.
        """
        with self.read() as session:
            migrating.check(session.connection())

    def forget_traces(self) -> None:
        """Overwrite what was deleted and can still be read in SQLite's files: in the full-text index and the write-ahead log.

        In short transactions, so that nobody waits long; repeating it is harmless. PostgreSQL does the like when it vacuums.
        """
        if self.is_postgresql:
            return
        # The index only notes what was deleted, until its parts are merged into one: begun by a negative number of pages.
        pages, changed = -_MERGED_PAGES, 2
        while changed >= 2:  # fewer: there was nothing left to merge
            with self.unit_of_work() as session:
                before = session.execute(_CHANGES).scalar_one()
                session.execute(_MERGE, {"pages": pages})
                changed = session.execute(_CHANGES).scalar_one() - before
            pages = _MERGED_PAGES
        # No transaction may be open. Who reads just now keeps some of the log, and the next checkpoint takes it away.
        with closing(self._engine.raw_connection()) as connection, suppress(sqlite3.OperationalError):
            for pragma in ("busy_timeout=1000", "wal_checkpoint(TRUNCATE)", f"busy_timeout={_BUSY_SECONDS * 1000:.0f}"):
                connection.cursor().execute(f"PRAGMA {pragma}").fetchall()

    def now(self) -> datetime:
        """The present by the database's clock (UTC), which all processes share; on SQLite, by this machine's."""
        if not self.is_postgresql:
            return datetime.now(UTC)
        with self.read() as session:
            found: datetime = session.execute(sqlalchemy.text("select clock_timestamp()")).scalar_one()
            return found.astimezone(UTC)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield session
        except SQLAlchemyError as error:
            passing = unavailable(error)
            if passing is None:
                raise
            raise passing from error


def _understood(url: str) -> sqlalchemy.URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError("DATABASE_URL is no URL; write it like postgresql://user:password@host:5432/tocsin") from error
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError(
                "SQLite in memory forgets everything and cannot be shared; name a file: sqlite:////path/to/tocsin.sqlite"
            )
        return parsed.set(drivername="sqlite")
    raise ValueError(
        f"Tocsin keeps its memory in PostgreSQL or SQLite, not in {parsed.drivername!r}; mend DATABASE_URL"
    )


def _postgresql_engine(url: sqlalchemy.URL) -> Engine:
    engine = sqlalchemy.create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "tocsin",
            "options": " ".join(f"-c {name}={value}" for name, value in _POSTGRESQL_SETTINGS.items()),
            "keepalives_idle": 20,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
    # Many rows in one statement, as psycopg2's dialect has it: psycopg 3 would send one a row.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def _sqlite_engine(url: sqlalchemy.URL) -> Engine:
    # isolation_level None: the driver begins nothing by itself, `_begin` below does.
    engine = sqlalchemy.create_engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # secure_delete: what was erased must not stay readable in free pages.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
