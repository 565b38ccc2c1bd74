"""PostgreSQL databases that tests get one after another: emptied instead of made anew, which takes a tenth of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Connection

_TABLES = """
    SELECT relname, quote_ident(relname), relispartition FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname
"""
_STRANGERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_COUNTED = "SELECT quote_ident(sequencename) FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"

Maker = Callable[[], AbstractContextManager[str]]
"""Creates a database, gives its URL, and drops it at the end."""


class SpareDatabases:
    """Copies of one template, each with one test at a time.

    A database that cannot be brought back to what the template holds (its user may not, or a test has changed its tables) is
    left aside until the end, and another is made.
    """

    def __init__(self, make: Maker, driver: str) -> None:
        self._make, self._driver = make, driver
        self._spare: list[str] = []
        self._made = ExitStack()
        self._template: _State | None = None

    def close(self) -> None:
        """Drop them all."""
        self._made.close()

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a database as the template is, for one test."""
        url = self._spare.pop() if self._spare else self._made.enter_context(self._make())
        engine = sqlalchemy.create_engine(
            sqlalchemy.make_url(url).set(drivername=self._driver), poolclass=sqlalchemy.NullPool
        )
        if self._template is None:
            with engine.connect() as connection:
                self._template = _State.of(connection)
        yield url
        try:
            with engine.begin() as connection:
                self._template.bring_back(connection)
        except (sqlalchemy.exc.SQLAlchemyError, _ChangedTables):
            return
        self._spare.append(url)


class _ChangedTables(Exception):
    """A table of the template is gone."""


class _State:
    """What the template holds: its tables, and the few rows that migrations wrote."""

    def __init__(self, tables: dict[str, str], rows: dict[str, str]) -> None:
        self._tables, self._rows = tables, rows

    @classmethod
    def of(cls, connection: Connection) -> _State:
        tables = {name: quoted for name, quoted, _ in connection.exec_driver_sql(_TABLES)}
        filled = _filled(connection, list(tables.values()))
        rows = {
            table: connection.exec_driver_sql(f"SELECT coalesce(json_agg(t), '[]')::text FROM {table} t").scalar_one()
            for table in filled
        }
        return cls(tables, rows)

    def bring_back(self, connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        connection.exec_driver_sql(_STRANGERS)
        now = list(connection.exec_driver_sql(_TABLES))
        if not self._tables.keys() <= {name for name, *_ in now}:
            raise _ChangedTables
        for name, quoted, _ in now:
            if name not in self._tables:  # a partition, or a table that the test made
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quoted} CASCADE")
        if filled := _filled(connection, list(self._tables.values())):
            # Not DELETE: rows of later tests would lie in the gaps, in another order than they came.
            connection.exec_driver_sql(f"TRUNCATE {', '.join(filled)} CASCADE")
        for table, rows in self._rows.items():
            connection.exec_driver_sql(
                f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, %(rows)s::json)",
                {"rows": rows},
            )
        for (sequence,) in list(connection.exec_driver_sql(_COUNTED)):
            connection.exec_driver_sql(f"ALTER SEQUENCE {sequence} RESTART")


def _filled(connection: Connection, tables: list[Any]) -> list[str]:
    question = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
    return list(connection.exec_driver_sql(question).scalars()) if tables else []
