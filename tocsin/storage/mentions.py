"""Mentions in the database: what arrives is merged into the rows of each mention, under the lock of its identity."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Select, bindparam, delete, false, inspect, select, update
from sqlalchemy.orm import Session

from tocsin.storage import campaigns, counts, merging, partitions, stories, text_index
from tocsin.storage.base import Base, upsert
from tocsin.storage.link_parts import campaign_tags
from tocsin.storage.merging import BrandHour, Correction, Effect, Known, Received, Removed, receive, remove
from tocsin.storage.tables.mentions import MentionBrandTable, MentionIdentityTable, MentionState, MentionTable

_AT_ONCE = 500
_Row = TypeVar("_Row", bound=Base)
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
    """What is known of these mentions, each locked until the transaction ends; an unknown one gets an identity, to be filled."""
    ordered = sorted(set(identifiers))
    if not ordered:
        return {}
    # Inserted or locked, one after the other in the order of ids, so nobody waits crosswise. A row that is updated to nothing is
    # locked as well: that way none can go away between the two.
    identity = upsert(session, MentionIdentityTable)
    session.execute(
        identity.on_conflict_do_update(
            index_elements=[MentionIdentityTable.id], set_={"state": identity.excluded.state}, where=false()
        ),
        [{"id": item, "state": MentionState.UNMATCHED} for item in ordered],
    )
    known: dict[uuid.UUID, Known] = {}
    for chunk in _chunks(ordered):
        for found in _loaded(session, select(MentionIdentityTable).where(MentionIdentityTable.id.in_(chunk))):
            known[found.id] = Known(found, merging.without_content(found.id), {})
        _load_content(session, [known[item] for item in chunk if known[item].identity.published_at is not None])
    for item in known.values():
        item.before = item.hours()
    return known


def _load_content(session: Session, known: Sequence[Known]) -> None:
    """Give these the content and labels that their identities name; what went with its month is not there any more."""
    if not known:
        return
    by_id = {item.identity.id: item for item in known}
    times = [item.identity.published_at for item in known if item.identity.published_at is not None]
    # Not the pairs of id and time: the span alone tells the months, and ids are found in them quickly.
    within = (min(times), max(times))
    content = select(MentionTable).where(MentionTable.id.in_(by_id), MentionTable.published_at.between(*within))
    for row in _loaded(session, content):
        by_id[row.id].row, by_id[row.id].stands_at = row, row.published_at
    labels = select(MentionBrandTable).where(
        MentionBrandTable.mention_id.in_(by_id), MentionBrandTable.published_at.between(*within)
    )
    for link in _loaded(session, labels):
        by_id[link.mention_id].links[link.brand] = link
    for item in known:
        if item.stands_at is None:
            merging.lose_content(item)


def _loaded(session: Session, statement: Select[_Row]) -> Sequence[_Row]:
    rows = session.scalars(statement.execution_options(populate_existing=True)).all()
    # They are written back in bulk, all columns of a row at once, and not by the session's own bookkeeping.
    for row in rows:
        session.expunge(row)
    return rows


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
    return sorted(item.identity.id for item in done)


def forget_tombstones(session: Session, complete_up_to: datetime) -> int:
    """Delete removals of mentions that never came, once the stream is complete past them and an hour more; returns how many.

    Erasures stay: they are the suppression list.
    """
    identity = MentionIdentityTable
    gone = session.execute(
        delete(identity)
        .where(
            identity.published_at.is_(None),
            identity.state != MentionState.ERASED,
            identity.removed_at < complete_up_to - TOMBSTONES_OUTLIVE,
        )
        .returning(identity.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def forget_published_before(session: Session, before: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` mentions published before an instant, their counts of hours stay; returns how many.

    For retention, row by row; on PostgreSQL whole months have gone before (`tocsin.storage.partitions`), and what is left to
    delete is narrow. Hours that old must not be counted again: they would then be empty.
    """
    identity = MentionIdentityTable
    old = list(
        session.scalars(
            select(identity.id)
            .where(identity.published_at < before)
            # The oldest first, as the index has them: nothing is sorted, however much is past its time.
            .order_by(identity.published_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )
    for chunk in _chunks(old):
        labels, content = MentionBrandTable, MentionTable
        for statement in (
            delete(labels).where(labels.mention_id.in_(chunk), labels.published_at < before),
            delete(content).where(content.id.in_(chunk), content.published_at < before),
            delete(identity).where(identity.id.in_(chunk)),
        ):
            session.execute(statement.execution_options(synchronize_session=False))
    stories.forget(session, old)
    return len(old)


def brands_of(session: Session, identifiers: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """The brands that known mentions are about; ids that are not known are left out."""
    found: dict[uuid.UUID, list[str]] = {}
    for chunk in _chunks(sorted(set(identifiers))):
        rows = session.execute(select(MentionTable.id, MentionTable.brands).where(MentionTable.id.in_(chunk)))
        found.update((row.id, row.brands) for row in rows)
    return found


def suppressed(session: Session, identifiers: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these mentions that were erased and stay out."""
    identity, found = MentionIdentityTable, set[uuid.UUID]()
    for chunk in _chunks(sorted(set(identifiers))):
        found |= set(
            session.scalars(select(identity.id).where(identity.id.in_(chunk), identity.state == MentionState.ERASED))
        )
    return found


def _save(session: Session, changed: Sequence[Known]) -> None:
    if not changed:
        return
    session.execute(update(MentionIdentityTable), [_columns(item.identity) for item in changed])
    stories.forget(session, [item.identity.id for item in changed if item.dropped and not item.links])
    _clear(session, changed)
    full = [item for item in changed if item.identity.published_at is not None]
    partitions.ensure(session, [item.row.published_at for item in full])
    _index(session, full)
    # What the platform deleted keeps its campaigns, as it keeps its counts; its links are gone.
    campaigns.write(
        session,
        {
            (item.identity.id, item.identity.published_at or _NEVER): campaign_tags(item.row.text, item.row.url)
            for item in changed
            if item.identity.state != MentionState.DELETED
        },
    )
    _put(session, MentionTable, [_columns(item.row) for item in full])
    _put(session, MentionBrandTable, [_columns(link) for item in full for link in item.links.values()])


def _clear(session: Session, changed: Sequence[Known]) -> None:
    """Take away the rows that stand where they belong no more: a mention moves when its time of publication was corrected."""
    left = [item for item in changed if item.stands_at not in (None, item.identity.published_at)]
    campaigns.move(session, {item.identity.id: item.row.published_at for item in left if item.row.published_at})
    _delete_each(session, MentionTable, [{"id": item.identity.id, "published_at": item.stands_at} for item in left])
    _delete_each(
        session, MentionBrandTable, [{"mention_id": item.identity.id, "published_at": item.stands_at} for item in left]
    )
    dropped = [
        {"mention_id": item.identity.id, "published_at": item.stands_at, "brand": brand}
        for item in changed
        if item.stands_at is not None and item.stands_at == item.identity.published_at
        for brand in item.dropped
    ]
    _delete_each(session, MentionBrandTable, dropped)


def _delete_each(session: Session, table: type[Base], keys: Sequence[dict[str, Any]]) -> None:
    if not keys:
        return
    columns = table.__table__.c
    statement = delete(table.__table__).where(*(columns[name] == bindparam(f"of_{name}") for name in keys[0]))  # type: ignore[arg-type]
    session.connection().execute(statement, [{f"of_{name}": value for name, value in key.items()} for key in keys])


def _put(session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    statement, key = upsert(session, table), [column.name for column in inspect(table).primary_key]
    session.execute(
        statement.on_conflict_do_update(
            index_elements=key, set_={name: statement.excluded[name] for name in rows[0] if name not in key}
        ),
        rows,
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
