"""The months of the wide tables, on PostgreSQL: made when a mention wants one, dropped when retention lets it go.

SQLite has the same tables without months, and everything here does nothing there. There is no default partition, because a month
could then be added only under a lock that nobody else gets past; whatever is before `FIRST` or from `LAST` on shares a partition
that the migration has made, so that a source with wild clocks makes no thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from tocsin.storage.tables.mentions import MentionBrandTable, MentionTable

TABLES = (MentionBrandTable.__tablename__, MentionTable.__tablename__)
"""Those that are partitioned; in this order they are locked and dropped."""
FIRST = datetime(2006, 1, 1, tzinfo=UTC)
"""The first month that has a partition of its own."""
LAST = datetime(2100, 1, 1, tzinfo=UTC)
LONGEST_WAIT_MS = 250
"""So long a drop waits for its lock, and everybody who comes meanwhile waits behind it."""

_THOSE_OF = text(
    "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
    "WHERE inhparent = to_regclass(:parent)"
)


def month_of(at: datetime) -> datetime:
    """The start of the calendar month (UTC) that `at` is in."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def ensure(session: Session, times: Iterable[datetime]) -> None:
    """Let the months of these times of publication be there until the transaction ends.

    Making one holds back only who would make one, too; readers and writers go on.
    """
    months = sorted({month_of(at) for at in times if FIRST <= at < LAST})
    if not months or not _on_postgresql(session):
        return
    for table in TABLES:
        # What writing takes anyhow; with it nobody can drop a month between here and the writing.
        session.execute(text(f"LOCK TABLE ONLY {table} IN ROW EXCLUSIVE MODE"))
        if missing := [month for month in months if _name(table, month) not in _made(session, table)]:
            session.execute(text(f"LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE"))
            # Somebody else may have been first.
            made = _made(session, table)
            for month in missing:
                if _name(table, month) not in made:
                    _make(session, table, month)


def past(session: Session, before: datetime) -> list[str]:
    """The partitions of months that are over at `before`, the oldest first; a month's labels before its mentions."""
    if not _on_postgresql(session):
        return []
    names = {_name(table, month_of(before)): table for table in TABLES}
    found = [
        (name.removeprefix(table), position, name)
        for position, (edge, table) in enumerate(names.items())
        for name in _made(session, table)
        if name < edge and name.removeprefix(f"{table}_")[:1].isdigit()
    ]
    return [name for _, _, name in sorted(found)]


def drop(session: Session, partition: str) -> None:
    """Drop a month. One in a transaction, which has locked nothing else, so that nobody waits crosswise.

    Who reads or writes at the moment is waited for, but for a quarter of a second at most: a long export must not hold up everybody
    else. Raises DatabaseUnavailable (of the unit of work) where that was not enough; the next time is soon enough.
    """
    session.execute(text(f"SET LOCAL lock_timeout = {LONGEST_WAIT_MS}"))
    session.execute(text(f"DROP TABLE IF EXISTS {partition}"))


def _on_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _made(session: Session, table: str) -> set[str]:
    return set(session.scalars(_THOSE_OF, {"parent": table}))


def _name(table: str, month: datetime) -> str:
    return f"{table}_{month:%Y_%m}"


def _make(session: Session, table: str, month: datetime) -> None:
    name = _name(table, month)
    after = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    # Attached and not made in its place (PARTITION OF), which would lock out everybody.
    session.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    span = f"FROM ('{month.isoformat()}') TO ('{after.isoformat()}')"
    session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {span}"))
