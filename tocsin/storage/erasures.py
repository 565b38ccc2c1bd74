"""A person asks to be forgotten: their mentions go from the rows, and their words from everything that was made of them.

At once: rows, stories, evidence, incidents with their history, messages, the outbox. What is in the embedded bus goes at
once too (`tocsin.bus.erasure`); on Kafka it goes with `retention.bus`. The ids stay as a suppression list, and in a journal
outside the database, so that neither a replay nor a restored backup brings anything back. Sealed copies of a legal hold are
exempt until they end.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from tocsin.contracts.events import RemovalReason
from tocsin.storage import mentions
from tocsin.storage.merging import Removed
from tocsin.storage.scrubbing import Words, scrub, scrub_text
from tocsin.storage.tables.detection import StoryBookTable
from tocsin.storage.tables.flow import BrandStateTable, OutboxTable
from tocsin.storage.tables.incidents import IncidentEventTable, IncidentTable, NotificationTable
from tocsin.storage.tables.mentions import MentionBrandTable, MentionTable
from tocsin.storage.tables.room import CardTable, NearMissTable, RoomTable
from tocsin.storage.tables.run_time import RunTimeSettingTable

JOURNAL = "erasures.jsonl"
"""The journal's name in the data folder."""
_AT_ONCE = 500
LATEST_REVISION = 2**62
"""An erasure stands above every revision."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: mentions that were known, and the brands that they were about, for the bus."""

    mentions: tuple[uuid.UUID, ...]
    brands: dict[uuid.UUID, list[str]]


def erase(session: Session, identifiers: Iterable[uuid.UUID], *, now: datetime) -> Erased:
    """Erase mentions, known or not: unknown ones are kept out when they come. May be repeated."""
    wanted = sorted(set(identifiers))
    brands = mentions.brands_of(session, wanted)
    scrub_copies(session, wanted, now=now)
    for start in range(0, len(wanted), _AT_ONCE):
        chunk = wanted[start : start + _AT_ONCE]
        mentions.write(session, removed=[Removed(item, LATEST_REVISION, RemovalReason.ERASED, now) for item in chunk])
    return Erased(tuple(wanted), brands)


def mentions_of_author(session: Session, author_key: str) -> list[uuid.UUID]:
    """Every mention of one author that is known."""
    return list(
        session.scalars(select(MentionTable.id).where(MentionTable.author_key == author_key).order_by(MentionTable.id))
    )


def not_erased(session: Session, identifiers: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Those of the ids that the database does not know as erased: a backup was restored."""
    erased = mentions.suppressed(session, identifiers)
    return [item for item in identifiers if item not in erased]


def scrub_copies(session: Session, identifiers: Sequence[uuid.UUID], *, now: datetime) -> None:
    """Take the words of mentions out of everything that was made of them; to be called while their rows still have them."""
    rows = session.execute(
        select(
            MentionTable.text, MentionTable.author_name, MentionTable.author_name_hidden, MentionTable.author_id
        ).where(MentionTable.id.in_(identifiers))
    ).all()
    words = Words.of(
        (row.text for row in rows if row.text),
        (name for row in rows for name in (row.author_name, row.author_name_hidden) if name),
        identifiers,
    )
    touched = list(
        session.scalars(select(MentionBrandTable.brand).where(MentionBrandTable.mention_id.in_(identifiers)).distinct())
    )
    if not touched:
        return
    _scrub_rows(session, words, BrandStateTable.brand, touched, "state", "reasons", "evidence")
    _scrub_rows(session, words, NearMissTable.brand, touched, "reasons")
    # What stands is in force, and a person's to withdraw; what is over or withdrawn is history, and its names go.
    setting = RunTimeSettingTable
    over = or_(setting.withdrawn_at.is_not(None), setting.ends <= now)
    named = replace(words, names=(*words.names, *{row.author_id for row in rows if row.author_id}))
    _scrub_rows(session, named, setting.brand, touched, "value", "reason", "withdrawn_why", only=over)
    session.execute(delete(StoryBookTable).where(StoryBookTable.brand.in_(touched)))
    incidents = list(session.scalars(select(IncidentTable.id).where(IncidentTable.brand.in_(touched))))
    for start in range(0, len(incidents), _AT_ONCE):
        chunk = incidents[start : start + _AT_ONCE]
        _scrub_rows(session, words, IncidentTable.id, chunk, "details")
        _scrub_rows(session, words, IncidentEventTable.incident_id, chunk, "data")
        _scrub_rows(session, words, NotificationTable.incident_id, chunk, "content")
        _scrub_rows(session, words, RoomTable.incident_id, chunk, "details")
        _scrub_rows(session, words, CardTable.incident_id, chunk, "wanted", "sent")
        _scrub_outbox(session, [str(item) for item in chunk], words)


def _scrub_rows(
    session: Session,
    words: Words,
    key: InstrumentedAttribute[Any],
    keys: Sequence[Any],
    *columns: str,
    only: ColumnElement[bool] | None = None,
) -> None:
    chosen = select(key.class_).where(key.in_(keys))
    for row in session.scalars((chosen if only is None else chosen.where(only)).with_for_update()):
        for column in columns:
            before = getattr(row, column)
            after = scrub(before, words)
            if after != before:
                setattr(row, column, after)
    session.flush()


def _scrub_outbox(session: Session, incidents: Sequence[str], words: Words) -> None:
    rows = session.execute(select(OutboxTable.id, OutboxTable.value).where(OutboxTable.key.in_(incidents))).all()
    for row in rows:
        after = json.dumps(scrub(json.loads(row.value), words), ensure_ascii=False, separators=(",", ":"))
        if scrub_text(row.value, words) != row.value or json.loads(after) != json.loads(row.value):
            session.execute(update(OutboxTable).where(OutboxTable.id == row.id).values(value=after))


class ErasureJournal:
    """Ids of erased mentions in a file outside the database (and its backups), one JSON object a line; appended, never changed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, identifiers: Iterable[uuid.UUID], at: datetime) -> None:
        """Write ids down, to the disk, before the database forgets them."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            for identifier in identifiers:
                file.write(json.dumps({"mention": str(identifier), "at": at.isoformat()}) + "\n")
            file.flush()

    def identifiers(self) -> list[uuid.UUID]:
        """Every id in the journal, each once; a line that a crash cut off is passed over."""
        if not self._path.exists():
            return []
        found: dict[uuid.UUID, None] = {}
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                try:
                    found[uuid.UUID(json.loads(line)["mention"])] = None
                except (ValueError, KeyError, TypeError):
                    continue
        return list(found)
