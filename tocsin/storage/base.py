"""What every table is built from: the declarative base, instants in UTC, JSON, and the upsert that both databases know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in, aware and in UTC out.

    `timestamptz` on PostgreSQL; on SQLite, which has no such type, microseconds since 1970 as an integer, so that it sorts
    and compares. A datetime without an offset is refused with ValueError.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no offset; the database keeps instants: give it a time zone")
        return (value - _EPOCH) // _MICROSECOND if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return _EPOCH + timedelta(microseconds=value)
        return value.astimezone(UTC) if value.tzinfo is not UTC else value  # type: ignore[no-any-return]


Json = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
"""JSON; `jsonb` on PostgreSQL. None is SQL's NULL."""

Counter = BigInteger().with_variant(Integer(), "sqlite")
"""The type of a primary key that the database counts up by itself."""

Word = Text()
"""Short words: states, kinds, ids of brands and sources. No length is set, because it would only be a way to fail."""


class Base(DeclarativeBase):
    """Base of all tables; constraints are named by one rule, so that migrations can find them again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012 - SQLAlchemy reads it from the class


def upsert(session: Session, table: type[Base]) -> postgresql.Insert:
    """An INSERT into `table` that knows `on_conflict_do_nothing` and `on_conflict_do_update`, on either database."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(plain(table))  # type: ignore[return-value]  # the two have the same methods
    return postgresql.insert(plain(table))


def plain(table: type[Base]) -> Table:
    """The table without its class: what the ORM adds to an INSERT of many rows takes longer than the statement itself."""
    return table.__table__  # type: ignore[return-value]  # it is a Table
