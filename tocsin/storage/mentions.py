"""Mentions in the database: what arrives is merged into the rows of each mention, under the lock of its row."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from tocsin.storage import campaigns, counts, merging, stories, text_index
from tocsin.storage.base import Base, upsert
from tocsin.storage.link_parts import campaign_tags
from tocsin.storage.merging import BrandHour, Correction, Effect, Known, Received, Removed, receive, remove
from tocsin.storage.tables.mentions import MentionBrandTable, MentionState, MentionTable

_AT_ONCE = 500
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
TOMBSTONES_OUTLIVE = timedelta(hours=1)
"""How long a tombstone stays after the stream is complete past it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch did: how many records had which effect, and which hours must be counted again."""

    effects: Counter[Effect]
    touched: frozenset[BrandHour]


def write(session: Session, received: Sequence[Received] = (), removed: Sequence[Removed] = ()) -> Written:
    """Merge records into the rows of their mentions and mark the hours they touch, in the session's transaction.

    Repeating it changes nothing, the order does not matter, and two at once wait for each other row by row without ever
    waiting crosswise.
    """
    known = lock(session, {item.mention.mention_id for item in received} | {item.id for item in removed})
    effects = Counter(receive(known[item.mention.mention_id], item) for item in received)
    effects.update(remove(known[item.id], item) for item in removed)
    changed = [item for item in known.values() if item.changed]
    _save(session, changed)
    touched = frozenset(pair for item in changed for pair in item.touched())
    counts.mark_dirty(session, touched)
    return Written(effects, touched)


def lock(session: Session, identifiers: Iterable[uuid.UUID]) -> dict[uuid.UUID, Known]:
    """What is known of these mentions, each locked until the transaction ends; an unknown one gets an empty row, to be filled."""
    ordered = sorted(set(identifiers))
    if not ordered:
        return {}
    # Always in the order of ids: first the rows that are missing, then all of them, so nobody waits crosswise.
    placeholder = upsert(session, MentionTable).on_conflict_do_nothing()
    session.execute(
        placeholder,
        [
            {
                "id": item,
                "state": MentionState.UNMATCHED,
                "wakes": False,
                "brands": [],
                "copy_key": "",
                "crisis_words": "",
            }
            for item in ordered
        ],
    )
    known: dict[uuid.UUID, Known] = {}
    for chunk in _chunks(ordered):
        rows = session.scalars(
            select(MentionTable)
            .where(MentionTable.id.in_(chunk))
            .order_by(MentionTable.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        links = session.scalars(
            select(MentionBrandTable)
            .where(MentionBrandTable.mention_id.in_(chunk))
            .execution_options(populate_existing=True)
        ).all()
        # They are written back in bulk, all columns of a row at once, and not by the session's own bookkeeping.
        for loaded in (*rows, *links):
            session.expunge(loaded)
        known.update((row.id, Known(row, {})) for row in rows)
        for link in links:
            known[link.mention_id].links[link.brand] = link
    for item in known.values():
        item.before = item.hours()
    return known


def correct(session: Session, brand: str, identifiers: Iterable[uuid.UUID], correction: Correction) -> list[uuid.UUID]:
    """Put a person's word over the network's for mentions of a brand; returns those that have labels for it.

    Their hours are counted again, as after any other change of a row.
    """
    wanted = sorted(set(identifiers))
    existing = set(
        session.scalars(
            select(MentionBrandTable.mention_id).where(
                MentionBrandTable.mention_id.in_(wanted), MentionBrandTable.brand == brand
            )
        )
    )
    known = lock(session, existing)
    done = [item for item in known.values() if merging.correct(item, brand, correction)]
    _save(session, done)
    counts.mark_dirty(session, {pair for item in done for pair in item.touched()})
    return sorted(item.row.id for item in done)


def forget_tombstones(session: Session, complete_up_to: datetime) -> int:
    """Delete removals of mentions that never came, once the stream is complete past them and an hour more; returns how many.

    Erasures stay: they are the suppression list.
    """
    gone = session.execute(
        delete(MentionTable)
        .where(
            MentionTable.revision.is_(None),
            MentionTable.state != MentionState.ERASED,
            MentionTable.removed_at < complete_up_to - TOMBSTONES_OUTLIVE,
        )
        .returning(MentionTable.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def forget_published_before(session: Session, before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` mentions published before an instant, their counts of hours stay; returns how many.

    For retention. Hours that old must not be counted again: they would then be empty.
    """
    old = (
        select(MentionTable.id)
        .where(MentionTable.published_at < before)
        # The oldest first, as the index has them: nothing is sorted, however much is past its time.
        .order_by(MentionTable.published_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    gone = session.execute(
        delete(MentionTable)
        .where(MentionTable.id.in_(select(old.c.id)))
        .returning(MentionTable.id)
        .execution_options(synchronize_session=False)
    )
    forgotten = list(gone.scalars())
    stories.forget(session, forgotten)
    return len(forgotten)


def brands_of(session: Session, identifiers: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """The brands that known mentions are about; ids that are not known are left out."""
    found: dict[uuid.UUID, list[str]] = {}
    for chunk in _chunks(sorted(set(identifiers))):
        rows = session.execute(
            select(MentionTable.id, MentionTable.brands).where(
                MentionTable.id.in_(chunk), MentionTable.revision.is_not(None)
            )
        )
        found.update((row.id, row.brands) for row in rows)
    return found


def suppressed(session: Session, identifiers: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these mentions that were erased and stay out."""
    found: set[uuid.UUID] = set()
    for chunk in _chunks(sorted(set(identifiers))):
        found |= set(
            session.scalars(
                select(MentionTable.id).where(MentionTable.id.in_(chunk), MentionTable.state == MentionState.ERASED)
            )
        )
    return found


def _save(session: Session, changed: Sequence[Known]) -> None:
    if not changed:
        return
    session.execute(update(MentionTable), [_columns(item.row) for item in changed])
    dropped = [(item.row.id, brand) for item in changed for brand in item.dropped]
    stories.forget(session, [item.row.id for item in changed if item.dropped and not item.links])
    if dropped:
        table = MentionBrandTable.__table__
        session.connection().execute(
            delete(table).where(table.c.mention_id == bindparam("of_mention"), table.c.brand == bindparam("of_brand")),  # type: ignore[arg-type]
            [{"of_mention": mention, "of_brand": brand} for mention, brand in dropped],
        )
    _index(session, changed)
    # What the platform deleted keeps its campaigns, as it keeps its counts; its links are gone.
    campaigns.write(
        session,
        {
            (item.row.id, item.row.published_at or _NEVER): campaign_tags(item.row.text, item.row.url)
            for item in changed
            if item.row.state != MentionState.DELETED
        },
    )
    links = [_columns(link) for item in changed for link in item.links.values()]
    if links:
        statement = upsert(session, MentionBrandTable)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[MentionBrandTable.mention_id, MentionBrandTable.brand],
                set_={name: statement.excluded[name] for name in links[0] if name not in ("mention_id", "brand")},
            ),
            links,
        )


def _index(session: Session, changed: Sequence[Known]) -> None:
    """Let each label say what it is found by, from what its mention is now: a hidden text is found no more."""
    for item in changed:
        row = item.row
        for link in item.links.values():
            link.tokens = text_index.tokens(
                brand=link.brand,
                text=row.text,
                source=row.source,
                source_kind=row.source_kind,
                language=row.language,
                author_key=row.author_key,
                author_name=row.author_name,
                risk_kinds=[kind["kind"] for kind in link.risk_kinds],
                url=row.url,
            )
    if session.get_bind().dialect.name == "sqlite":
        _number(session, [link for item in changed for link in item.links.values()])


def _number(session: Session, links: Sequence[MentionBrandTable]) -> None:
    """Give each label a number of its own within its second; who has one of that second keeps it."""
    wanting = []
    for link in links:
        number = text_index.numbered(link.published_at, link.mention_id, link.brand)
        if link.search_number is None or link.search_number // text_index.SECOND != number // text_index.SECOND:
            link.search_number = None
            wanting.append((number, link))
    given: set[int] = set()
    for wish, link in wanting:
        number = wish
        while number in given or _taken(session, number, link):
            number += 1
        link.search_number = number
        given.add(number)


def _taken(session: Session, number: int, link: MentionBrandTable) -> bool:
    holder = session.execute(
        select(MentionBrandTable.mention_id, MentionBrandTable.brand).where(MentionBrandTable.search_number == number)
    ).first()
    return holder is not None and tuple(holder) != (link.mention_id, link.brand)


def _columns(row: Base) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _chunks(items: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
