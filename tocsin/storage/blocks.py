"""Hours in columns and story books: what an evaluation reads instead of ten thousand rows. Both are detection's own bytes.

Only who holds the brand's lock (`brands.lock`) writes them.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, delete, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tocsin.storage.base import upsert
from tocsin.storage.counts import OPENING
from tocsin.storage.tables.detection import HourBlockTable, StoryBookTable
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionTable

_AT_ONCE = 500
FINGERPRINT = 40
"""So many bytes at the beginning of a block or a book are not the same where the rest is not; detection sees to that."""


Published = tuple[datetime, datetime]
EVER: Published = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


class TellingRow(NamedTuple):
    """What a mention is grouped by: its opening, the key of its copies, and its embedding (signed bytes, if it has one)."""

    mention_id: str
    at: datetime
    text: str
    copy_key: str
    embedding: bytes | None


def fingerprints(session: Session, brand: str, until: datetime) -> dict[datetime, bytes]:
    """How the blocks of the hours begin that begin before `until`: ten thousand mentions are a megabyte."""
    table = HourBlockTable.__table__.c
    rows = session.connection().execute(
        select(table.hour, func.substr(table.data, 1, FINGERPRINT)).where(table.brand == brand, table.hour < until)
    )
    return {row[0]: bytes(row[1]) for row in rows}


def load(session: Session, brand: str, hours: Collection[datetime]) -> dict[datetime, bytes]:
    """The blocks of these hours; one that is not there is left out."""
    rows = session.execute(
        select(HourBlockTable.hour, HourBlockTable.data).where(
            HourBlockTable.brand == brand, HourBlockTable.hour.in_(sorted(hours))
        )
    )
    return {row.hour: row.data for row in rows}


def save(session: Session, brand: str, blocks: Mapping[datetime, bytes]) -> None:
    """Write these blocks."""
    rows = [{"brand": brand, "hour": hour, "data": data} for hour, data in sorted(blocks.items())]
    if rows:
        statement = upsert(session, HourBlockTable)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[HourBlockTable.brand, HourBlockTable.hour], set_={"data": statement.excluded.data}
            ),
            rows,
        )


def forget(session: Session, brand: str, before: datetime) -> None:
    """Take away the blocks of the hours before this one."""
    session.execute(
        delete(HourBlockTable)
        .where(HourBlockTable.brand == brand, HourBlockTable.hour < before)
        .execution_options(synchronize_session=False)
    )


def book_fingerprint(session: Session, brand: str) -> bytes | None:
    """How the story book of a brand begins; None where it has none yet."""
    found = session.execute(
        select(func.substr(StoryBookTable.data, 1, FINGERPRINT)).where(StoryBookTable.brand == brand)
    ).scalar_one_or_none()
    return None if found is None else bytes(found)


def load_book(session: Session, brand: str) -> bytes | None:
    """The story book of a brand; None where it has none yet."""
    return session.execute(select(StoryBookTable.data).where(StoryBookTable.brand == brand)).scalar_one_or_none()


def save_book(session: Session, brand: str, data: bytes) -> None:
    """Write the story book of a brand."""
    statement = upsert(session, StoryBookTable).values(brand=brand, data=data)
    session.execute(
        statement.on_conflict_do_update(index_elements=[StoryBookTable.brand], set_={"data": statement.excluded.data})
    )


def tellings(session: Session, brand: str, identifiers: Iterable[str], published: Published = EVER) -> list[TellingRow]:
    """What these mentions of a brand are grouped by; those that are gone are left out.

    `published`: from when (included) until when (excluded) all of them were, if that is known: it spares PostgreSQL the other
    months.
    """
    found = []
    for chunk in _chunks(identifiers):
        rows = session.execute(_tellings(), {"brand": brand, "ids": chunk, **_between(published)})
        found += [TellingRow(str(row[0]), *row[1:]) for row in rows.all()]
    return found


@cache
def _tellings() -> Select[Any]:
    """Made once, as `tocsin.storage.counts` does."""
    labels = MentionBrandTable
    return (
        select(
            labels.mention_id,
            labels.published_at,
            func.substr(func.coalesce(MentionTable.text, ""), 1, OPENING),
            MentionTable.copy_key,
            labels.embedding,
        )
        .join(MentionTable, LABELS_OF_MENTION)
        .where(labels.brand == bindparam("brand"), labels.mention_id.in_(_IDS), *_within(labels.published_at))
    )


def quotes(session: Session, identifiers: Sequence[str], published: Published) -> dict[str, tuple[str, str | None]]:
    """What these mentions say (their opening; of a hidden one, its crisis words) and the name of who said it.

    `published`: from when (included) until when (excluded) all of them were.
    """
    found: dict[str, tuple[str, str | None]] = {}
    for chunk in _chunks(identifiers):
        rows = session.execute(_quotes(), {"ids": chunk, **_between(published)})
        found.update((str(row[0]), (row[1], row[2])) for row in rows.all())
    return found


@cache
def _quotes() -> Select[Any]:
    return select(
        MentionTable.id,
        func.substr(func.coalesce(MentionTable.text, MentionTable.crisis_words), 1, OPENING),
        func.coalesce(MentionTable.author_name, MentionTable.author_id),
    ).where(MentionTable.id.in_(_IDS), *_within(MentionTable.published_at))


_IDS: BindParameter[Any] = bindparam("ids", expanding=True)


def _within(column: InstrumentedAttribute[datetime]) -> list[ColumnElement[bool]]:
    return [column >= bindparam("since"), column < bindparam("until")]


def _between(published: Published) -> dict[str, datetime]:
    return {"since": published[0], "until": published[1]}


def _chunks(identifiers: Iterable[str]) -> Iterable[list[uuid.UUID]]:
    ordered = sorted({uuid.UUID(item) for item in identifiers})
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
